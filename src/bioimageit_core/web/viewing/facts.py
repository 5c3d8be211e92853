"""What a viewer must know of an image before it reads a pixel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.images.model import ImageFacts

__all__ = ["Look", "look_of", "recorded_look"]

_UNITS = {
    "µm": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "Å": "angstrom",
    "pm": "picometer",
    "s": "second",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
}
_RGB = ("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF")


@dataclass
class Look:
    """What is known of an image.

    Attributes
    ----------
    axes
        One letter an axis, some of ``TCZYX``, in that order.
    shape
        Length of each.
    pixel_sizes
        By axis: value and unit (a name of UDUNITS-2, as OME-Zarr has them).
    channels
        Name, colour (``RRGGBB``) and contrast window of each.
    scenes
        Names of all images in the file.
    is_ome_tiff
        Whether a browser can read the file itself, by its ranges.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: str
    pixel_sizes: dict[str, tuple[float, str]] = field(default_factory=dict)
    channels: list[dict[str, Any]] = field(default_factory=list)
    scenes: tuple[str, ...] = ()
    is_labels: bool = False
    is_ome_tiff: bool = False


def look_of(facts: ImageFacts, data: Data, path: str) -> Look:
    """Say how an image is shown: with the colours that its thumbnail has."""
    import numpy

    dtype = numpy.dtype(facts.dtype)
    look = Look(
        facts.axes,
        tuple(facts.sizes[axis] for axis in facts.axes),
        dtype.str,
        {axis: (size, _UNITS.get(facts.units[axis], facts.units[axis])) for axis, size in facts.pixel_sizes.items()},
        _channels(facts, path),
        facts.scenes,
        facts.is_labels or (dtype.kind in "iu" and facts.sizes["C"] == 1 and _says_labels(data)),
    )
    look.is_ome_tiff = facts.scene == 0 and not facts.is_rgb and _is_ome_tiff(path)
    return look


def recorded_look(metadata: Mapping[str, Any]) -> Look | None:
    """Return what was recorded of an image when it was imported, without its file; None where nothing was.

    Examples
    --------
    >>> recorded_look({"SizeX": 7, "SizeY": 5, "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}).pixel_sizes
    {'X': (0.5, 'micrometer')}
    """
    sizes = {axis: metadata.get(f"Size{axis}", 1) for axis in "TCZYX"}
    if not {"SizeX", "SizeY"} <= metadata.keys() or not all(isinstance(size, int) for size in sizes.values()):
        return None
    axes = "".join(axis for axis in sizes if axis in "YX" or sizes[axis] > 1)
    look = Look(axes, tuple(sizes[axis] for axis in axes), str(metadata.get("Type", "")))
    for axis in axes:
        key = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
        size, unit = metadata.get(key), metadata.get(f"{key}Unit")
        if isinstance(size, int | float) and isinstance(unit, str):
            look.pixel_sizes[axis] = (float(size), _UNITS.get(unit, unit))
    return look


def _channels(facts: ImageFacts, path: str) -> list[dict[str, Any]]:
    from bioimageit_core.images.thumbnails import channel_colors

    if facts.is_rgb:
        window = (0.0, 255.0) if facts.dtype == "uint8" else None
        return [{"name": name, "color": color, "window": window} for name, color in _RGB]
    count = facts.sizes["C"]
    said, windows = facts.channels or (None,) * count, _windows(path, facts)
    return [
        {
            "name": (channel.name if channel else "") or f"Channel {number + 1}",
            "color": "".join(f"{round(part * 255):02X}" for part in color),
            "window": windows.get(number),
        }
        for number, (channel, color) in enumerate(zip(said, channel_colors(facts.channels, count), strict=True))
    ]


def _windows(path: str, facts: ImageFacts) -> dict[int, tuple[float, float]]:
    """Return the contrast that an OME-Zarr says of its channels (its metadata ``omero``)."""
    if not os.path.isdir(path):
        return {}
    import zarr

    found: dict[int, tuple[float, float]] = {}
    try:
        attributes: Any = dict(zarr.open(path, path=facts.scenes[facts.scene], mode="r").attrs)
        channels = (attributes.get("ome", attributes).get("omero") or {}).get("channels") or ()
        for number, channel in enumerate(channels):
            window = channel.get("window") or {}
            if {"start", "end"} <= window.keys():
                found[number] = float(window["start"]), float(window["end"])
    except (ValueError, TypeError, AttributeError, KeyError):  # as the look of an image: it is looked at all the same
        return {}
    return found


def _says_labels(data: Data) -> bool:
    from bioimageit_core.images.thumbnails import speaks_of_labels

    output = getattr(data, "output", None) or {}
    return speaks_of_labels(" ".join([data.name, str(output.get("name", "")), str(output.get("label", ""))]))


def _is_ome_tiff(path: str) -> bool:
    if os.path.isdir(path) or not path.lower().endswith((".tif", ".tiff", ".btf")):
        return False
    import tifffile

    with tifffile.TiffFile(path) as tif:
        return bool(tif.is_ome) and len(tif.series) > 0
