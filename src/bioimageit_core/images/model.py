"""What is known of an image before its pixels are read."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import DataServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dask.array import Array
    from xarray import DataArray

__all__ = ["AXES", "RGB", "SPATIAL", "Channel", "ImageFacts", "ImageReadError", "OpenImage", "UnknownImageError"]

AXES = "TCZYX"
SPATIAL = "ZYX"


class ImageReadError(DataServiceError):
    """An image that cannot be read: missing, cut off, damaged, or of a form that its reader does not take."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class UnknownImageError(ImageReadError):
    """A file that no installed reader takes for an image."""


@dataclass(frozen=True)
class Channel:
    """A channel: its name, and its colour as ``RRGGBB``; either is empty where the file says nothing."""

    name: str = ""
    color: str = ""


RGB = (Channel("", "FF0000"), Channel("", "00FF00"), Channel("", "0000FF"))
"""The channels of a picture in colours."""


@dataclass(frozen=True)
class ImageFacts:
    """What a file says of one of its images (scenes).

    Attributes
    ----------
    axes
        Those that the file has, in the order TCZYX.
    sizes
        Length of each of the five axes; 1 where the file lacks it.
    dtype
        Type of the pixels, as NumPy names it.
    pixel_sizes, units
        Distance of two neighbours along Z, Y, X and between two frames along T, where the file states it with a unit;
        units in the spelling of the OME data model (``µm``, ``s``).
    channels
        One for each, or none where the file says nothing of them.
    name
        What the file calls the image.
    acquired
        When, as the file says it (ISO 8601).
    objective
        ``Model``, ``NominalMagnification``, ``LensNA``, as far as they are known.
    scenes, scene
        Names of all images in the file, and which of them this is, from 0.
    is_labels
        Whether the file says that the pixels are labels.
    is_rgb
        Whether the channels are the red, green and blue of one picture.
    reader, version
        The library that read it.
    """

    axes: str
    sizes: Mapping[str, int]
    dtype: str
    pixel_sizes: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    name: str = ""
    acquired: str = ""
    objective: Mapping[str, Any] = field(default_factory=dict)
    scenes: tuple[str, ...] = ("",)
    scene: int = 0
    is_labels: bool = False
    is_rgb: bool = False
    reader: str = ""
    version: str = ""

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Lengths of T, C, Z, Y, X."""
        t, c, z, y, x = (self.sizes[axis] for axis in AXES)
        return t, c, z, y, x

    def replace(self, **changes: Any) -> ImageFacts:
        """Return a copy with other values in some fields."""
        return dataclasses.replace(self, **changes)

    def document(self) -> dict[str, Any]:
        """Return the facts as JSON, under the names of the OME data model (schema 2016-06, elements Image and Pixels).

        Examples
        --------
        >>> facts = ImageFacts("YX", {"T": 1, "C": 1, "Z": 1, "Y": 5, "X": 7}, "uint8", {"X": 0.5}, {"X": "µm"})
        >>> [facts.document()[key] for key in ("SizeX", "SizeY", "Type", "PhysicalSizeX", "PhysicalSizeXUnit")]
        [7, 5, 'uint8', 0.5, 'µm']
        """
        found: dict[str, Any] = {f"Size{axis}": self.sizes[axis] for axis in "XYZCT"}
        found["Type"] = self.dtype
        for axis in ("X", "Y", "Z", "T"):
            if axis in self.pixel_sizes:
                key = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
                found[key], found[f"{key}Unit"] = self.pixel_sizes[axis], self.units[axis]
        if any(channel.name for channel in self.channels):
            found["ChannelNames"] = [channel.name for channel in self.channels]
        if any(channel.color for channel in self.channels):
            found["ChannelColors"] = [channel.color for channel in self.channels]
        if self.name:
            found["Name"] = self.name
        if self.acquired:
            found["AcquisitionDate"] = self.acquired
        if self.objective:
            found["Objective"] = dict(self.objective)
        if len(self.scenes) > 1:
            found["Scenes"] = list(self.scenes)
        return found | {"Reader": self.reader, "ReaderVersion": self.version}


def stated(sizes: Mapping[str, float], units: Mapping[str, str], axes: str) -> tuple[dict[str, float], dict[str, str]]:
    """Keep of pixel sizes those that make sense: of an axis that is there, finite, positive, with a unit."""
    kept = {axis: float(size) for axis, size in sizes.items() if axis in axes and units.get(axis)}
    kept = {axis: size for axis, size in kept.items() if math.isfinite(size) and size > 0}
    return kept, {axis: units[axis] for axis in kept}


class OpenImage:
    """An image whose pixels are read when they are needed.

    Attributes
    ----------
    facts
        What is known of it.
    levels
        The resolutions that the file holds as dask arrays, largest first; axes TCZYX, all five.
    """

    def __init__(self, facts: ImageFacts, levels: Sequence[Array]) -> None:
        self.facts = facts
        self.levels = tuple(levels)

    @functools.cached_property
    def data(self) -> DataArray:
        """The largest resolution as xarray, dimensions T, C, Z, Y, X.

        Names of channels are the coordinates of C; ``attrs`` hold ``pixel_sizes`` and ``units``.
        """
        import xarray as xr

        facts = self.facts
        names = [channel.name for channel in facts.channels]
        attrs = {"pixel_sizes": dict(facts.pixel_sizes), "units": dict(facts.units)}
        coords = {"C": names} if any(names) else {}
        return xr.DataArray(self.levels[0], dims=tuple(AXES), coords=coords, attrs=attrs, name=facts.name or None)
