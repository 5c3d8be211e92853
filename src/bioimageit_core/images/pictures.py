"""PNG, JPEG and the like, by Pillow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from bioimageit_core.images.lazy import FileArray, canonical
from bioimageit_core.images.model import RGB, ImageFacts, ImageReadError, OpenImage

__all__ = ["facts", "is_picture", "open_"]

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8")
_DTYPES = {"1": "uint8", "L": "uint8", "LA": "uint8", "I": "int32", "F": "float32"}


def is_picture(start: bytes) -> bool:
    """Say whether a file starts as a PNG, JPEG, BMP or GIF does."""
    return start.startswith(_MAGIC)


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what a picture says of itself; an opacity is no channel, and its resolution is that of a printer.

    Raises
    ------
    ImageReadError
        It cannot be read, or `scene` is not 0.
    """
    import PIL

    if scene:
        raise ImageReadError(path, f"no scene {scene}: a picture has one")
    with _opened(path) as picture:
        width, height = picture.size
        mode = picture.mode
    grey = mode in _DTYPES or mode.startswith("I;16")
    return ImageFacts(
        "YX" if grey else "CYX",
        {"T": 1, "C": 1 if grey else 3, "Z": 1, "Y": height, "X": width},
        _DTYPES.get(mode, "uint16" if grey else "uint8"),
        channels=() if grey else RGB,
        is_rgb=not grey,
        reader="pillow",
        version=PIL.__version__,
    )


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open a picture."""
    found = facts(path, scene)
    shape = (found.sizes["Y"], found.sizes["X"], *((3,) if found.is_rgb else ()))
    array = FileArray(_pixels, (path,), shape, found.dtype)
    return OpenImage(found, [canonical(path, array, "YXS" if found.is_rgb else "YX", shape)])


def _pixels(path: str) -> tuple[Any, Callable[[], None]]:
    import numpy as np

    with _opened(path) as picture:
        picture.load()
        mode = picture.mode
        if mode == "1":
            return np.asarray(picture).astype(np.uint8) * np.uint8(255), _nothing
        if mode in _DTYPES or mode.startswith("I;16"):
            return np.asarray(picture.convert("L") if mode == "LA" else picture), _nothing
        return np.asarray(picture.convert("RGB")), _nothing


def _nothing() -> None:
    pass


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    from PIL import Image as Picture

    try:
        with Picture.open(path) as picture:
            yield picture
    except Exception as error:  # of damaged files Pillow raises many things, a bomb among them
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ImageReadError(path, f"not a picture that can be read, or damaged: {reason}") from error
