"""Small pictures of images, the same everywhere.

The middle time point; the maximum along Z; each channel with a contrast between two percentiles, in its colour; the
channels added. Label images show each label in a colour of its own. What is large is looked at in a smaller
resolution, or at every n-th pixel, piece by piece; what can only be read in huge pieces, or would take minutes, has no
picture.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.images import cache
from bioimageit_core.images.lazy import refuse_to_look
from bioimageit_core.images.model import Channel, ImageReadError, OpenImage
from bioimageit_core.images.reading import open_image

if TYPE_CHECKING:
    import numpy as np
    from dask.array import Array
    from numpy.typing import NDArray

    from bioimageit_core.containers import Data

__all__ = [
    "HIGH",
    "LOW",
    "channel_colors",
    "composite",
    "contrast",
    "label_colors",
    "make_thumbnail",
    "name_for_look",
    "speaks_of_labels",
    "thumbnail_of",
]

LOW, HIGH = 1.0, 99.8
"""Percentiles of the pixels that are drawn black and full."""

_RECIPE = "1"  # to be changed with the look of thumbnails: those that are kept are made anew
_MOST_CHANNELS = 8
_MOST_PLANES = 64  # of a stack that is drawn; of more, some are left out evenly
_MOST_BYTES = 32 * 2**30  # read for one picture
_COLORS = ("00FF66", "FF4DE5", "4DCCFF", "FFCC33", "FF5C5C", "8C7BFF", "B5FF5C", "FFFFFF")
_LABELS = re.compile(r"(?:^|[^a-z])(?:labels?|segmentation|labelled|labeled|objects)(?:[^a-z]|$)", re.IGNORECASE)


def thumbnail_of(
    path: str,
    size: int = 256,
    name: str = "",
    scene: int = 0,
    *,
    known_as: str = "",
    copy: Callable[[], str] | None = None,
) -> Path:
    """Return the PNG of an image, made now if it is not in the cache.

    Parameters
    ----------
    path
        An image that can be read.
    size
        Length of the longer side in pixels, 16 to 2048; smaller images are not enlarged.
    name
        What the data is called: a name that speaks of labels makes an image of integers a label image.
    known_as, copy
        Of an image that is not on this machine: what changes with its content, and what makes a local copy of it.

    Raises
    ------
    ImageReadError
        It cannot be read.
    """
    size = min(max(size, 16), 2048)
    made_from = known_as or cache.signature(path)
    kept = cache.place("thumbnails", "png", _RECIPE, made_from, str(scene), str(size), str(speaks_of_labels(name)))
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f".{kept.name}.{os.getpid()}.{id(kept)}")
    try:
        image = open_image(copy() if copy else path, scene)
        _refuse_huge(path, _level(image, size))
        partial.write_bytes(make_thumbnail(image, size, name or os.path.basename(path)))
        os.replace(partial, kept)
    finally:
        partial.unlink(missing_ok=True)
    return kept


def make_thumbnail(image: OpenImage, size: int = 256, name: str = "") -> bytes:
    """Draw an image as a PNG of at most `size` pixels a side."""
    import io

    from PIL import Image as Picture

    planes = _planes(image, size)
    facts = image.facts
    if facts.is_labels or (planes.dtype.kind in "iub" and len(planes) == 1 and speaks_of_labels(name)):
        pixels, nearest = label_colors(planes[0]), True
    elif facts.is_rgb and planes.dtype.name == "uint8":
        pixels, nearest = planes.transpose(1, 2, 0), False
    else:
        pixels, nearest = composite(planes, channel_colors(facts.channels, len(planes))), False
    picture = Picture.fromarray(pixels)
    picture.thumbnail((size, size), Picture.Resampling.NEAREST if nearest else Picture.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=False)
    return stream.getvalue()


def composite(planes: NDArray[Any], colors: list[tuple[float, float, float]]) -> NDArray[np.uint8]:
    """Add channels in their colours, each with a contrast of its own.

    Parameters
    ----------
    planes
        Shape (C, Y, X).
    colors
        Red, green and blue from 0 to 1, one for each channel.

    Returns
    -------
    ndarray
        Shape (Y, X, 3).
    """
    import numpy as np

    mixed = np.zeros((*planes.shape[1:], 3), np.float32)
    for plane, color in zip(planes, colors, strict=True):
        low, high = contrast(plane)
        if high > low:
            grey = np.clip((plane.astype(np.float32) - low) / (high - low), 0, 1)
            mixed += np.nan_to_num(grey)[..., None] * np.asarray(color, np.float32)
    pixels: NDArray[np.uint8] = np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8)
    return pixels


def contrast(plane: NDArray[Any]) -> tuple[float, float]:
    """Return the values that are drawn black and full: two percentiles; where they are equal, the least and largest."""
    import numpy as np

    finite = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
    if not finite.size:
        return 0.0, 0.0
    low, high = (float(value) for value in np.percentile(finite, (LOW, HIGH)))
    return (low, high) if high > low else (float(finite.min()), float(finite.max()))


def channel_colors(channels: tuple[Channel, ...], count: int) -> list[tuple[float, float, float]]:
    """Return a colour for each channel: that of the file, else one of ours; one channel alone is grey."""
    said = [channel.color for channel in channels] if len(channels) == count else [""] * count
    if count == 1 and said[0] in ("", "000000"):
        said = ["FFFFFF"]
    if len(set(said)) == 1 and count > 1:  # all the same, as of programs that do not know: it would tell nothing
        said = [""] * count
    texts = [text or _COLORS[i % len(_COLORS)] for i, text in enumerate(said)]
    return [(int(t[0:2], 16) / 255, int(t[2:4], 16) / 255, int(t[4:6], 16) / 255) for t in texts]


def label_colors(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Give each label a colour of its own, the same in every image; 0 is black.

    Parameters
    ----------
    labels
        Shape (Y, X), integers.

    Returns
    -------
    ndarray
        Shape (Y, X, 3).

    Notes
    -----
    Hues of consecutive labels differ by the golden ratio, so that neighbours differ.
    """
    import numpy as np

    values = labels.astype(np.int64)
    hue = (values * 0.6180339887498949) % 1.0
    light = 0.75 + 0.25 * ((values // 5) % 2)
    ramps = [np.clip(np.abs(((hue + offset) % 1.0) * 6 - 3) - 1, 0, 1) for offset in (0.0, 2 / 3, 1 / 3)]
    pixels = np.stack([(0.25 + 0.75 * ramp) * light for ramp in ramps], axis=-1)
    pixels[values == 0] = 0
    drawn: NDArray[np.uint8] = np.rint(pixels * 255).astype(np.uint8)
    return drawn


def _planes(image: OpenImage, size: int) -> NDArray[Any]:
    """Return what is drawn of an image, shape (C, Y, X): hardly more pixels than needed."""
    level = _level(image, size)
    data = level[level.shape[0] // 2, :_MOST_CHANNELS]
    data = data[:, :: -(-data.shape[1] // _MOST_PLANES)]
    step = max(1, max(data.shape[-2:]) // (2 * size))
    data = data[..., ::step, ::step].max(axis=1)
    planes: NDArray[Any] = data.compute(scheduler="synchronous")
    return planes


def _level(image: OpenImage, size: int) -> Array:
    return next((each for each in reversed(image.levels) if max(each.shape[-2:]) >= size), image.levels[0])


def _refuse_huge(path: str, level: Array) -> None:
    refuse_to_look(path, level)
    _, channels, depth, height, width = level.shape
    size = min(channels, _MOST_CHANNELS) * min(depth, _MOST_PLANES) * height * width * level.dtype.itemsize
    if size > _MOST_BYTES:
        raise ImageReadError(path, f"{size / 2**30:.3g} GiB would be read for a small picture; it lacks a pyramid")


def name_for_look(data: Data) -> str:
    """Return the words of which some say that an image holds labels: its name, and that of the tool's output."""
    output = getattr(data, "output", None) or {}
    return " ".join([data.name, str(output.get("name", "")), str(output.get("label", ""))])


def speaks_of_labels(name: str) -> bool:
    """Say whether a name speaks of labels."""
    return bool(_LABELS.search(name.replace("_", " ")))
