"""Leica's LIF and LOF, by liffile: pixels plane by plane, and what the XML of an image says of it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from bioimageit_core.images.lazy import FileArray, axis_order, canonical, lengths_of
from bioimageit_core.images.model import AXES, RGB, Channel, ImageFacts, ImageReadError, OpenImage, stated

__all__ = ["facts", "is_lif", "open_"]

_MAGIC = b"\x70\0\0\0"
_TEST = 0x2A  # the byte before the length of each text
_DESCRIPTION = "./Data/Image/ImageDescription/"
_SPACE_AND_TIME = {"1": "X", "2": "Y", "3": "Z", "4": "T"}  # DimID
_UNITS = {"m": (1e6, "µm"), "s": (1.0, "s")}
_COLORS = {
    "red": "FF0000",
    "green": "00FF00",
    "blue": "0000FF",
    "cyan": "00FFFF",
    "magenta": "FF00FF",
    "yellow": "FFFF00",
    "gray": "FFFFFF",
    "grey": "FFFFFF",
}
_SETTINGS = ("ATLConfocalSettingDefinition", "ATLCameraSettingDefinition")
_OBJECTIVE = {
    "ObjectiveName": ("Model", str),
    "Magnification": ("NominalMagnification", float),
    "NumericalAperture": ("LensNA", float),
    "Immersion": ("Immersion", str),
}


def is_lif(start: bytes) -> bool:
    """Say whether a file begins (9 bytes or more) as Leica's do."""
    return start.startswith(_MAGIC) and start[8:9] == bytes([_TEST])


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what the file says of one of its images.

    Each position of a tile scan is an image of its own, since how tiles overlap is not said; counts of photons (FLIM)
    are none.

    Raises
    ------
    ImageReadError
        The file is cut off, damaged, or has no such scene.
    """
    with _opened(path) as lif:
        return _facts(path, lif, scene)


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of the file."""
    with _opened(path) as lif:
        found = _facts(path, lif, scene)
        image, position, _ = _scenes(lif)[scene]
        dims = _dims(image, position)
        shape = [image.sizes[dim] for dim in dims]
        plane = image.frames.frame_sizes
        chunks = [length if dim in plane else 1 for dim, length in zip(dims, shape, strict=True)]
        array = FileArray(_pixels, (path, scene), shape, image.dtype)
        return OpenImage(found, [canonical(path, array, _names(path, dims, shape), chunks)])


class _Planes:
    """The pixels of an image; slices are read plane by plane."""

    def __init__(self, image: Any, position: int | None) -> None:
        self._image = image
        self._selected = {} if position is None else {"M": position}
        self._dims = _dims(image, position)
        self._lock = threading.Lock()  # to read is to seek, then to read

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        plane = self._image.frames.frame_sizes
        outer = {dim: part for dim, part in zip(self._dims, key, strict=True) if dim not in plane}
        lengths = [len(range(*part.indices(self._image.sizes[dim]))) for dim, part in outer.items()]
        with self._lock:
            read = self._image.frames(**self._selected, **outer).asarray()
        return read.reshape(lengths + list(plane.values()))[(slice(None),) * len(outer) + key[len(outer) :]]


def _pixels(path: str, scene: int) -> tuple[Any, Callable[[], None]]:
    import liffile

    lif = liffile.LifFile(path)
    try:
        image, position, _ = _scenes(lif)[scene]
        return _Planes(image, position), lif.close
    except BaseException:
        lif.close()
        raise


def _scenes(lif: Any) -> list[tuple[Any, int | None, str]]:
    """Return image, position in it and name of every scene."""
    found: list[tuple[Any, int | None, str]] = []
    for image in lif.images:
        if image.is_flim:
            continue
        count = image.sizes.get("M", 1)
        if count == 1:
            found.append((image, None, image.path))
        else:
            found += [(image, place, f"{image.path} (position {place + 1} of {count})") for place in range(count)]
    return found


def _dims(image: Any, position: int | None) -> list[str]:
    return [dim for dim in image.dims if position is None or dim != "M"]


def _names(path: str, dims: list[str], shape: list[int]) -> str:
    """Name the axes; lines along X or Y alone, and sections along Z, are images of one row or column."""
    letters = "".join(dim if len(dim) == 1 else "?" for dim in dims)
    missing = "".join(axis for axis in "YX" if axis not in letters)
    return axis_order(path, letters + missing, [*shape, *(1 for _ in missing)])[: len(dims)]


def _facts(path: str, lif: Any, scene: int) -> ImageFacts:
    import liffile

    scenes = _scenes(lif)
    if not scenes:
        raise ImageReadError(path, "there is no image in it")
    if not 0 <= scene < len(scenes):
        raise ImageReadError(path, f"no scene {scene}: it has {len(scenes)} (counted from 0)")
    image, position, name = scenes[scene]
    block = image.memory_block
    if block.size < image.nbytes or block.offset + image.nbytes > os.path.getsize(path):
        raise ImageReadError(path, f"cut off: not all pixels of {name} are there")
    dims = _dims(image, position)
    shape = [image.sizes[dim] for dim in dims]
    axes, lengths = lengths_of(_names(path, dims, shape), shape)
    axes = "".join(axis for axis in AXES if axis in axes or axis in "YX")
    is_rgb = image.sizes.get("S") == 3 and lengths["C"] == 3
    channels = RGB if is_rgb else _channels(image.xml_element)
    sizes, units = stated(*_pixel_sizes(image.xml_element), axes)
    return ImageFacts(
        axes,
        lengths,
        str(image.dtype),
        sizes,
        units,
        channels if len(channels) == lengths["C"] else (),
        name,
        _acquired(image),
        _objective(image.xml_element),
        tuple(each for *_, each in scenes),
        scene,
        is_rgb=is_rgb,
        reader="liffile",
        version=liffile.__version__,
    )


def _pixel_sizes(element: Any) -> tuple[dict[str, float], dict[str, str]]:
    """Return distances and units: Length is from the middle of the first element to that of the last."""
    sizes, units = {}, {}
    for each in element.iterfind(f"{_DESCRIPTION}Dimensions/DimensionDescription"):
        axis, count = _SPACE_AND_TIME.get(each.get("DimID", "")), int(each.get("NumberOfElements", "1"))
        if axis and count > 1 and each.get("Unit") in _UNITS:
            factor, units[axis] = _UNITS[each.get("Unit")]
            # stacks are also taken downwards; decimals beyond those that are written are of the division
            sizes[axis] = float(f"{abs(float(each.get('Length', 'nan'))) * factor / (count - 1):.9g}")
    return sizes, units


def _channels(element: Any) -> tuple[Channel, ...]:
    """Return the channels in the order of the pixels: the name is that of the dye, else of the lookup table."""
    found = sorted(
        element.iterfind(f"{_DESCRIPTION}Channels/ChannelDescription"), key=lambda each: int(each.get("BytesInc", "0"))
    )
    return tuple(
        Channel(_dye(each) or each.get("LUTName", ""), _COLORS.get(each.get("LUTName", "").lower(), ""))
        for each in found
    )


def _dye(channel: Any) -> str:
    properties = {each.findtext("Key"): each.findtext("Value", "") for each in channel.iterfind("ChannelProperty")}
    return str(properties.get("DyeName", "")).strip()


def _acquired(image: Any) -> str:
    times = image.timestamps
    return str(times[0].astype("datetime64[s]")) if times is not None and len(times) else ""


def _objective(element: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    settings = (each for name in _SETTINGS for each in element.iterfind(f"./Data/Image//{name}"))
    setting = next(settings, None)
    if setting is None:
        return found
    for key, (name, kind) in _OBJECTIVE.items():
        with contextlib.suppress(ValueError):
            if text := setting.get(key, "").strip():
                found[name] = kind(text)
    return found


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    import liffile

    try:
        with liffile.LifFile(path) as lif:
            yield lif
    except (ImageReadError, ImportError):
        raise
    except Exception as error:  # of a damaged file it raises anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ImageReadError(path, f"liffile cannot read it: {reason}") from error
