"""An array with its axes, pixel sizes and channel names, and how functions are mapped over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AXES", "Image", "ImageError", "map_spatial", "relative_spacing", "spatial_axes", "widths"]

AXES = "TCZYX"
"""Names and order of the axes: those of the OME data model, time point, channel, depth, row, column."""

Array = NDArray[Any]


class ImageError(ValueError):
    """An image that cannot be read, or that does not fit what is asked of it."""


@dataclass(frozen=True)
class Image:
    """An image; every function of this package takes and returns such values.

    Attributes
    ----------
    data
        The pixels, one dimension per axis.
    axes
        A subset of ``TCZYX`` in that order, with Y and X.
    pixel_sizes
        Distance of two neighbours along an axis (Z, Y, X), or the time between two frames (T), where it is known.
    units
        Unit of each entry of `pixel_sizes`, in the spelling of the OME data model (``µm``, ``s``).
    channels
        Name of each channel, or empty where they have none.
    name
        What the file calls the image.
    """

    data: Array
    axes: str
    pixel_sizes: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if self.axes != "".join(axis for axis in AXES if axis in self.axes) or not self.axes.endswith("YX"):
            raise ImageError(f"axes {self.axes!r}: expected Y and X and any of T, C, Z, in the order TCZYX")
        if self.data.ndim != len(self.axes):
            raise ImageError(f"{self.data.ndim} dimensions do not fit axes {self.axes}")
        if self.data.size == 0:
            raise ImageError(f"the image has no pixels (shape {self.data.shape})")
        if self.channels and len(self.channels) != self.size("C"):
            raise ImageError(f"{len(self.channels)} channel names for {self.size('C')} channels")

    def size(self, axis: str) -> int:
        """Return the length of an axis, 1 where the image lacks it."""
        return int(self.data.shape[self.axes.index(axis)]) if axis in self.axes else 1

    def replace(self, **changes: Any) -> Image:
        """Return a copy with other values in some fields."""
        return dataclasses.replace(self, **changes)

    def with_data(self, data: Array) -> Image:
        """Return the same image with other pixels along the same axes."""
        return self.replace(data=data)

    def take(self, axis: str, index: int) -> Image:
        """Return the image at one place of an axis, without that axis."""
        if axis not in self.axes:
            if index == 0:
                return self
            raise ImageError(f"no index {index}: the image has no axis {axis} (axes {self.axes})")
        if not 0 <= index < self.size(axis):
            raise ImageError(f"no index {index} on axis {axis}: it has {self.size(axis)} (counted from 0)")
        channels = self.channels
        if axis == "C":
            channels = channels[index : index + 1]
        return self.replace(
            data=np.take(self.data, index, axis=self.axes.index(axis)),
            axes=self.axes.replace(axis, ""),
            pixel_sizes={key: value for key, value in self.pixel_sizes.items() if key != axis},
            units={key: value for key, value in self.units.items() if key != axis},
            channels=channels,
        )

    def channel_index(self, channel: str | int) -> int:
        """Find a channel by its name, or by its number counted from 0.

        Raises
        ------
        ImageError
            There is no such channel; the message lists those there are.
        """
        text = str(channel).strip()
        if text in self.channels:
            return self.channels.index(text)
        if text.isdecimal() and int(text) < self.size("C"):
            return int(text)
        known = ", ".join(self.channels) or "without names"
        raise ImageError(f"no channel {text!r}: the image has {self.size('C')} ({known}), counted from 0")

    def channel(self, channel: str | int) -> Image:
        """Return one channel as an image without axis C."""
        return self.take("C", self.channel_index(channel))

    def spacing(self, axes: str) -> tuple[float, ...]:
        """Return the pixel size along each of some axes, 1.0 where it is not known."""
        return tuple(float(self.pixel_sizes.get(axis, 1.0)) for axis in axes)


def spatial_axes(image: Image, by: str = "volume") -> str:
    """Say which axes a function sees at once: ``ZYX`` for volumes where there is a Z, else ``YX``."""
    if by not in ("volume", "plane"):
        raise ImageError(f"{by!r}: expected 'volume' or 'plane'")
    return "ZYX" if by == "volume" and image.size("Z") > 1 else "YX"


def blocks(image: Image, spatial: str) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield the index along the leading axes, and the block of the spatial axes at it."""
    lead = image.data.shape[: image.data.ndim - len(spatial)]
    for index in np.ndindex(*lead):
        yield index, image.data[index]


def map_spatial(image: Image, function: Callable[[Array], Array], by: str = "volume") -> Image:
    """Apply a function to each volume (ZYX) or plane (YX) of each time point and channel.

    The function keeps the shape of what it gets; all else of the image is kept.
    """
    spatial = spatial_axes(image, by)
    result: Array | None = None
    for index, block in blocks(image, spatial):
        done = function(block)
        if result is None:
            result = np.empty(image.data.shape, dtype=done.dtype)
        result[index] = done
    assert result is not None  # noqa: S101  an Image has pixels
    return image.with_data(result)


def relative_spacing(image: Image, axes: str) -> tuple[float, ...]:
    """Return the pixel sizes along some axes, relative to that of X; 1.0 where they cannot be compared.

    Examples
    --------
    >>> stack = Image(np.zeros((3, 4, 5)), "ZYX", {"Z": 0.5, "Y": 0.1, "X": 0.1}, {"Z": "µm", "Y": "µm", "X": "µm"})
    >>> relative_spacing(stack, "ZYX")
    (5.0, 1.0, 1.0)
    """
    known = all(image.pixel_sizes.get(axis, 0) > 0 for axis in {*axes, "X"})
    if not known or len({image.units.get(axis) for axis in axes}) > 1:
        return (1.0,) * len(axes)
    return tuple(round(size / image.pixel_sizes["X"], 9) for size in image.spacing(axes))


def widths(image: Image, width: float, unit: str, axes: str) -> tuple[float, ...]:
    """Express a width in pixels along each of some axes.

    Parameters
    ----------
    image
        The image whose pixel sizes count.
    width
        The width, in pixels or in the unit of the image's pixel sizes.
    unit
        ``pixel``: the width is in pixels, the same along each axis; ``physical``: it is in the image's unit.
    axes
        Which axes.

    Raises
    ------
    ImageError
        A physical width is asked for and the image does not say its pixel size.
    """
    if unit == "pixel":
        return (width,) * len(axes)
    lacking = [axis for axis in axes if image.pixel_sizes.get(axis, 0) <= 0]
    if lacking:
        raise ImageError(f"no pixel size along {', '.join(lacking)}: give the width in pixels")
    return tuple(width / size for size in image.spacing(axes))
