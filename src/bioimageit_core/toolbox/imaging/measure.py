"""Measurements of the regions of a label image, in pixels and in physical units."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .image import Array, Image, ImageError, spatial_axes
from .tables import Row, Table

__all__ = ["measure_regions"]

_SHAPE_2D = ("perimeter", "eccentricity", "solidity", "axis_major_length", "axis_minor_length", "orientation")
_SHAPE_NAMES = ("perimeter_px", "eccentricity", "solidity", "major_axis_px", "minor_axis_px", "orientation_rad")
_INTENSITIES = ("mean", "std", "min", "max", "sum")


def measure_regions(labels: Image, intensity: Image | None = None, *, by: str = "volume") -> Table:
    """Measure each region of a label image.

    Parameters
    ----------
    labels
        Integers, 0 is background. Each time point (and channel, where labels have channels) is measured by itself.
    intensity
        Grey values on the same T, Z, Y and X; every channel is measured.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX; then each plane of a region is a row).

    Returns
    -------
    Table
        A row per region. ``label``; ``t``, ``c``, ``z`` where the labels have that axis and it is not measured as a
        whole; area or volume, equivalent diameter and centroid, in pixels (``…_px``) and, where the label or the
        intensity image says its pixel size, in its unit (``area_um2``, ``centroid_x_um``); the shape in 2-D; for each
        channel mean, standard deviation, least, greatest and sum of the intensities. Indices and centroids count from
        0, at pixel centres.
    """
    spatial = spatial_axes(labels, by)
    if intensity is not None:
        _refuse_misfit(labels, intensity)
    sized = labels if _unit(labels, spatial) or intensity is None else intensity
    lead = labels.axes[: len(labels.axes) - len(spatial)]
    rows: list[Row] = []
    for index in np.ndindex(*labels.data.shape[: len(lead)]):
        place = dict(zip(lead, index, strict=True))
        channels = _channels(intensity, place, spatial) if intensity is not None else {}
        where = {axis.lower(): number for axis, number in place.items()}
        rows += [
            {"label": row.pop("label"), **where, **row}
            for row in _regions(labels.data[index], channels, sized, spatial)
        ]
    columns = list(rows[0]) if rows else _columns(intensity, sized, spatial, lead)
    return Table(columns, rows)


def _regions(block: Array, channels: dict[str, Array], sized: Image, spatial: str) -> list[Row]:
    from skimage.measure import regionprops_table

    inside = np.nonzero(block)
    # numbered without gaps, because the sums cost memory up to the largest label
    values, numbers = np.unique(block[inside], return_inverse=True)
    if not values.size:
        return []
    columns: dict[str, Array] = {"label": values}
    columns |= _sizes(_moments(inside, numbers), sized, spatial)
    if spatial == "YX":
        dense = np.zeros(block.shape, dtype=np.int32)
        dense[inside] = numbers + 1
        shapes = regionprops_table(dense, properties=_SHAPE_2D)
        columns |= {name: shapes[key] for key, name in zip(_SHAPE_2D, _SHAPE_NAMES, strict=True)}
    for name, pixels in channels.items():
        found = _intensities(pixels[inside].astype(np.float64), numbers)
        columns |= {f"{kind}_{name}": found[kind] for kind in _INTENSITIES}
    return [{key: column[i].item() for key, column in columns.items()} for i in range(len(values))]


def _moments(inside: tuple[Array, ...], numbers: Array) -> dict[str, Array]:
    """Return the number of pixels and the centroid of each region, from the indices of its pixels."""
    count = np.bincount(numbers).astype(np.float64)
    centroids = {f"centroid-{i}": np.bincount(numbers, weights=index) / count for i, index in enumerate(inside)}
    return {"area": count, **centroids}


def _intensities(grey: Array, numbers: Array) -> dict[str, Array]:
    """Return the statistics of each region from the values of its pixels."""
    count, total = np.bincount(numbers), np.bincount(numbers, weights=grey)
    mean = total / count
    variance = np.bincount(numbers, weights=(grey - mean[numbers]) ** 2) / count
    least, greatest = np.full(len(count), np.inf), np.full(len(count), -np.inf)
    np.minimum.at(least, numbers, grey)
    np.maximum.at(greatest, numbers, grey)
    return {"mean": mean, "std": np.sqrt(variance), "min": least, "max": greatest, "sum": total}


def _sizes(found: dict[str, Array], sized: Image, spatial: str) -> dict[str, Array]:
    size, root = ("area", 2) if spatial == "YX" else ("volume", 3)
    factor = 4 / np.pi if root == 2 else 6 / np.pi
    count = found["area"]
    columns = {f"{size}_px": count, "equivalent_diameter_px": (factor * count) ** (1 / root)}
    columns |= {f"centroid_{axis.lower()}_px": found[f"centroid-{i}"] for i, axis in enumerate(spatial)}
    unit = _unit(sized, spatial)
    if unit:
        steps = sized.spacing(spatial)
        extent = count * np.prod(steps)
        columns[f"{size}_{unit}{root}"] = extent
        columns[f"equivalent_diameter_{unit}"] = (factor * extent) ** (1 / root)
        for i, axis in enumerate(spatial):
            columns[f"centroid_{axis.lower()}_{unit}"] = found[f"centroid-{i}"] * steps[i]
    return columns


def _unit(image: Image, spatial: str) -> str:
    """Return the unit that all spatial axes share, in ASCII; empty where they share none."""
    units = {image.units.get(axis, "") for axis in spatial if image.pixel_sizes.get(axis, 0) > 0}
    if len(units) != 1 or any(image.pixel_sizes.get(axis, 0) <= 0 for axis in spatial):
        return ""
    return re.sub(r"\W+", "", units.pop().replace("µ", "u").replace("Å", "angstrom"))


def _channels(intensity: Image, place: dict[str, int], spatial: str) -> dict[str, Array]:
    """Return the pixels of each channel at one place along the leading axes, by the name of its columns."""
    for axis in ("T", "Z"):
        if axis in place and axis not in spatial:
            intensity = intensity.take(axis, place[axis])
    if "C" not in intensity.axes:
        return {"intensity": intensity.data}
    names = _channel_names(intensity)
    if "C" in place:
        return {"intensity": intensity.take("C", place["C"]).data}
    return {f"intensity_{name}": intensity.take("C", i).data for i, name in enumerate(names)}


def _channel_names(intensity: Image) -> list[str]:
    names = [re.sub(r"\W+", "_", name).strip("_") for name in intensity.channels]
    if len(set(names)) != intensity.size("C") or not all(names):
        names = [f"c{i}" for i in range(intensity.size("C"))]
    return names


def _refuse_misfit(labels: Image, intensity: Image) -> None:
    axes = [*("TZYX"), *("C" if "C" in labels.axes else "")]
    differ = [f"{axis} {labels.size(axis)} and {intensity.size(axis)}" for axis in axes]
    differ = [text for axis, text in zip(axes, differ, strict=True) if labels.size(axis) != intensity.size(axis)]
    if differ:
        raise ImageError(f"the label image and the intensity image differ in size: {', '.join(differ)}")


def _columns(intensity: Image | None, sized: Image, spatial: str, lead: str) -> list[str]:
    """Name the columns where there is no region to take them from."""
    names: list[Any] = ["label", *lead.lower()]
    nothing = {"area": np.zeros(0), **{f"centroid-{i}": np.zeros(0) for i in range(len(spatial))}}
    names += _sizes(nothing, sized, spatial)
    if spatial == "YX":
        names += _SHAPE_NAMES
    if intensity is not None:
        place = dict.fromkeys(lead, 0)
        names += [f"{kind}_{name}" for name in _channels(intensity, place, spatial) for kind in _INTENSITIES]
    return names
