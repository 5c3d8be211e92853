"""Projections, channels, cropping and scaling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .image import AXES, Array, Image, ImageError

__all__ = ["PROJECTIONS", "crop", "merge_channels", "project", "reassign_axes", "rescale", "split_channels"]

PROJECTIONS: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "mean": np.mean,
    "sum": np.sum,
    "median": np.median,
    "std": np.std,
}


def project(image: Image, method: str = "max", axis: str = "Z") -> Image:
    """Project along T, C or Z; the axis goes.

    ``max`` and ``min`` keep the type; ``sum`` of integers is kept exactly in the smallest type that holds it, up to 32
    bits; ``mean``, ``median`` and ``std`` give float32. An image without the axis is its own projection.
    """
    if method not in PROJECTIONS:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(PROJECTIONS)})")
    if axis not in AXES[:3]:
        raise ImageError(f"cannot project along {axis!r}: expected T, C or Z")
    data = image.data if axis in image.axes else image.data[np.newaxis]
    place = image.axes.index(axis) if axis in image.axes else 0
    done = np.asarray(PROJECTIONS[method](data, axis=place))
    if method in ("mean", "median", "std"):
        done = done.astype(np.float32)
    if axis not in image.axes:
        return image.with_data(done)
    rest = image.take(axis, 0)
    return rest.replace(data=done, channels=() if axis == "C" else rest.channels)


def split_channels(image: Image) -> list[Image]:
    """Return each channel as an image without axis C, with the channel's name."""
    return [image.take("C", i) for i in range(image.size("C"))]


def merge_channels(images: Sequence[Image], names: Sequence[str] = ()) -> Image:
    """Join images of one size into one with a channel for each channel of theirs.

    Parameters
    ----------
    images
        In the order of the channels; the first gives the pixel sizes.
    names
        Name of each channel of the result; by default those that the images have, else none.

    Raises
    ------
    ImageError
        Sizes differ, or there are not as many names as channels.
    """
    if not images:
        raise ImageError("no image to merge")
    axes = "".join(axis for axis in AXES if axis in {"C", *(a for image in images for a in image.axes)})
    for image in images[1:]:
        differ = [a for a in axes if a != "C" and image.size(a) != images[0].size(a)]
        if differ:
            sizes = ", ".join(f"{a} {images[0].size(a)} and {image.size(a)}" for a in differ)
            raise ImageError(f"the images differ in size: {sizes}")
    parts = [_with_axes(image, axes) for image in images]
    data = np.concatenate(parts, axis=axes.index("C"))  # numpy finds the type that holds all
    known = tuple(name for image in images for name in (image.channels or ("",) * image.size("C")))
    count = data.shape[axes.index("C")]
    if names and len(names) != count:
        raise ImageError(f"{len(names)} names for {count} channels")
    channels = tuple(names) or (known if all(known) else tuple(n or f"channel {i}" for i, n in enumerate(known)))
    if not names and not any(known):
        channels = ()
    return images[0].replace(data=data, axes=axes, channels=channels)


def reassign_axes(image: Image, axes: str, *, channels: Sequence[str] = ()) -> Image:
    """Say what the axes of an image really are, for files that do not, or wrongly.

    Parameters
    ----------
    image
        For example a plain stack of pages, read as ZYX.
    axes
        The true names, in the order in which the file has them (``TYX``); the pixels are then brought into the order
        TCZYX.
    channels
        Names for the channels.

    Raises
    ------
    ImageError
        The number of axes differs, or a name is not of TCZYX.
    """
    axes = axes.upper()
    if len(axes) != image.data.ndim or len(set(axes)) != len(axes) or not set(axes) <= set(AXES):
        raise ImageError(f"axes {axes!r} do not fit an image of axes {image.axes}, shape {image.data.shape}")
    if not {"Y", "X"} <= set(axes):
        raise ImageError(f"axes {axes!r} lack Y or X")
    order = [axis for axis in AXES if axis in axes]
    data = np.ascontiguousarray(np.transpose(image.data, [axes.index(axis) for axis in order]))
    sizes = {axis: size for axis, size in image.pixel_sizes.items() if axis in axes}
    units = {axis: unit for axis, unit in image.units.items() if axis in axes}
    count = data.shape[order.index("C")] if "C" in order else 1
    names = tuple(channels) or (image.channels if len(image.channels) == count else ())
    return Image(data, "".join(order), sizes, units, names, image.name)


def crop(image: Image, ranges: dict[str, tuple[int, int]]) -> Image:
    """Cut out a part.

    Parameters
    ----------
    image
        Any.
    ranges
        First index and the one after the last, counted from 0, for each axis that is cut; an end of 0 or less counts
        from the end of the axis, as in ``(10, 0)`` for all from 10 on.

    Raises
    ------
    ImageError
        The image lacks an axis, or nothing would be left.
    """
    slices = [slice(None)] * image.data.ndim
    channels = image.channels
    for axis, (start, given) in ranges.items():
        size = image.size(axis)
        stop = given if given > 0 else size + given
        if not 0 <= start < stop <= size:
            raise ImageError(f"cannot cut {start} to {given} out of axis {axis}, which has {size}")
        if axis in image.axes:
            slices[image.axes.index(axis)] = slice(start, stop)
        if axis == "C":
            channels = channels[start:stop]
    return image.replace(data=np.ascontiguousarray(image.data[tuple(slices)]), channels=channels)


def rescale(image: Image, factors: dict[str, float], *, labels: bool = False) -> Image:
    """Change the number of pixels along Z, Y or X; the pixel sizes follow.

    Parameters
    ----------
    image
        Any; the type is kept.
    factors
        New by old number of pixels, per axis, > 0.
    labels
        Take the nearest pixel, so that labels stay labels; else interpolate linearly, smoothed before where it shrinks.
    """
    from skimage.transform import resize

    for axis, factor in factors.items():
        if axis not in "ZYX" or factor <= 0:
            raise ImageError(f"cannot scale axis {axis} by {factor}: expected Z, Y or X and more than 0")
    spatial = "".join(axis for axis in "ZYX" if axis in image.axes)
    old = image.data.shape[-len(spatial) :]
    new = tuple(max(1, round(n * factors.get(a, 1.0))) for a, n in zip(spatial, old, strict=True))
    lead = image.data.shape[: image.data.ndim - len(spatial)]
    result = np.empty(lead + new, dtype=image.data.dtype)
    shrinks = any(n < o for n, o in zip(new, old, strict=True))
    for index in np.ndindex(*lead):
        block = image.data[index]
        if labels:
            grid = [
                np.minimum(((np.arange(n) + 0.5) * o / n).astype(int), o - 1) for n, o in zip(new, old, strict=True)
            ]
            result[index] = block[np.ix_(*grid)]
            continue
        done = resize(block.astype(np.float64), new, order=1, mode="edge", anti_aliasing=shrinks, preserve_range=True)
        result[index] = np.round(done) if block.dtype.kind in "iu" else done
    ratios = dict(zip(spatial, (o / n for o, n in zip(old, new, strict=True)), strict=True))
    sizes = {axis: size * ratios.get(axis, 1.0) for axis, size in image.pixel_sizes.items()}
    return image.replace(data=result, pixel_sizes=sizes)


def _with_axes(image: Image, axes: str) -> Array:
    data = image.data
    for place, axis in enumerate(axes):
        if axis not in image.axes:
            data = np.expand_dims(data, place)
    return data
