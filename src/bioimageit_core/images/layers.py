"""Images as layers of napari: what it is told of them, without napari itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bioimageit_core.images.model import OpenImage
from bioimageit_core.images.thumbnails import channel_colors, contrast, speaks_of_labels

if TYPE_CHECKING:
    from dask.array import Array

__all__ = ["LayerData", "layers_of"]

LayerData = tuple[Any, dict[str, Any], str]
"""The pixels, the keywords and the kind of a layer, as napari's ``Layer.create`` takes them."""


def layers_of(image: OpenImage, name: str, words: str = "") -> list[LayerData]:
    """Return a layer for each channel, or one of labels or of a picture in colours; pixels stay lazy.

    Parameters
    ----------
    name
        What the layers are called.
    words
        What else is said of the image; words that speak of labels make an image of integers a layer of labels.

    Notes
    -----
    Layers have the axes T, Z, Y, X as far as they are longer than one, with pixel sizes and units, and all resolutions.
    """
    facts = image.facts
    axes = [axis for axis in "TZYX" if axis in "YX" or facts.sizes[axis] > 1]
    common: dict[str, Any] = {"scale": [facts.pixel_sizes.get(axis, 1.0) for axis in axes], "axis_labels": axes}
    # napari wants all units or none: lengths that nobody states are pixels
    common["units"] = [facts.units.get(axis, "pixel") for axis in axes]
    if facts.is_rgb and image.levels[0].dtype == "uint8":
        levels = [_stacked(level, axes) for level in image.levels]
        return [(_pixels(levels), common | {"name": name, "rgb": True}, "image")]
    kind = image.levels[0].dtype.kind
    if facts.is_labels or (kind in "iub" and facts.sizes["C"] == 1 and speaks_of_labels(f"{name} {words}")):
        levels = [_channel(level, 0, axes).astype("int32" if kind == "b" else level.dtype) for level in image.levels]
        return [(_pixels(levels), common | {"name": name}, "labels")]
    return [_layer(image, number, name, axes, common) for number in range(facts.sizes["C"])]


def _layer(image: OpenImage, number: int, name: str, axes: list[str], common: dict[str, Any]) -> LayerData:
    facts = image.facts
    said = facts.channels[number].name if facts.channels else ""
    several = facts.sizes["C"] > 1
    label = f"{name} {said or number}" if several else name
    color = channel_colors(facts.channels, facts.sizes["C"])[number]
    small = image.levels[-1]
    low, high = contrast(small[small.shape[0] // 2, number, small.shape[2] // 2].compute(scheduler="synchronous"))
    about = {
        "name": label,
        "blending": "additive" if several else "translucent",
        "colormap": [(0.0, 0.0, 0.0), color],
        "contrast_limits": (low, high if high > low else low + 1),
    }
    return (_pixels([_channel(level, number, axes) for level in image.levels]), common | about, "image")


def _channel(level: Array, number: int, axes: list[str]) -> Any:
    """Return one channel of an array TCZYX along some axes of T, Z, Y, X."""
    return level[(slice(None) if "T" in axes else 0, number, slice(None) if "Z" in axes else 0)]


def _stacked(level: Array, axes: list[str]) -> Any:
    """Return an array TCZYX along some axes of T, Z, Y, X, and then its colours."""
    import dask.array as da

    parts = [_channel(level, number, axes) for number in range(level.shape[1])]
    return da.stack(parts, axis=-1)  # type: ignore[no-untyped-call]


def _pixels(levels: list[Any]) -> Any:
    return levels if len(levels) > 1 else levels[0]
