"""OME-Zarr: read versions 0.4 and 0.5, write either.

The layout is that of the OME-NGFF specification (``multiscales`` with ``axes`` and ``coordinateTransformations``).
"""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .image import Array, Image, ImageError

__all__ = ["LONG_UNITS", "SHORT_UNITS", "read_zarr", "write_zarr"]

LONG_UNITS = {"µm": "micrometer", "nm": "nanometer", "mm": "millimeter", "cm": "centimeter", "m": "meter",
               "pm": "picometer", "Å": "angstrom", "in": "inch", "s": "second", "ms": "millisecond", "min": "minute",
               "h": "hour"}  # fmt: skip
SHORT_UNITS = {long: short for short, long in LONG_UNITS.items()}
_LEVELS = 5
_SMALLEST = 256


def read_zarr(path: Path) -> Image:
    """Read the largest resolution of an OME-Zarr image.

    Raises
    ------
    ImageError
        The directory is not an OME-Zarr image, or cannot be read.
    """
    import zarr

    from .reading import canonical, describe

    if not any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs")):
        raise ImageError(f"{path}: a directory, but not an OME-Zarr image")
    try:
        group = zarr.open_group(str(path), mode="r")
        attributes: dict[str, Any] = dict(group.attrs)
        attributes = attributes.get("ome", attributes)
        scale = attributes["multiscales"][0]
        level = scale["datasets"][0]
        array = group[level["path"]]
        data = np.asarray(array[...])  # type: ignore[index]
        facts = _facts(scale, level, attributes)
        axes = "".join(str(axis["name"] if isinstance(axis, dict) else axis) for axis in scale["axes"])
    except Exception as error:
        reason = f"{type(error).__name__} {next(iter(str(error).splitlines()), '')}"
        raise ImageError(f"{path}: not an OME-Zarr image that can be read: {reason}") from error
    data, axes = canonical(data, axes, str(path))
    return describe(data, axes, facts, str(path))


def _facts(scale: dict[str, Any], level: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    sizes: dict[str, float] = {}
    units: dict[str, str] = {}
    factors = np.ones(len(scale["axes"]))
    for transform in (*level.get("coordinateTransformations", ()), *scale.get("coordinateTransformations", ())):
        if transform.get("type") == "scale":
            factors = factors * np.asarray(transform["scale"], dtype=float)
    for axis, factor in zip(scale["axes"], factors, strict=True):
        if isinstance(axis, dict) and axis.get("unit") and axis.get("type") in ("space", "time"):
            name = str(axis["name"]).upper()
            sizes[name] = float(factor)
            units[name] = SHORT_UNITS.get(str(axis["unit"]), str(axis["unit"]))
    channels = [str(channel.get("label", "")) for channel in attributes.get("omero", {}).get("channels", ())]
    return {"sizes": sizes, "units": units, "channels": channels, "name": str(scale.get("name", ""))}


def write_zarr(path: Path, image: Image, version: str = "0.5") -> Path:
    """Write an OME-Zarr image with a pyramid of resolutions, all or nothing.

    Smaller resolutions take every second pixel, so that label images stay label images.

    Parameters
    ----------
    path
        The directory to write. An empty file at this place is replaced; anything else is an error.
    image
        What to write.
    version
        ``0.4`` (Zarr format 2) or ``0.5`` (Zarr format 3).
    """
    import zarr

    formats = {"0.4": 2, "0.5": 3}
    if version not in formats:
        raise ImageError(f"OME-Zarr version {version!r}: expected 0.4 or 0.5")
    if path.is_dir() or (path.exists() and path.stat().st_size > 0):
        raise ImageError(f"{path}: exists already")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zarr, on codecs that are not yet in its specification
            group = zarr.open_group(str(partial), mode="w", zarr_format=formats[version])  # type: ignore[arg-type]
            levels = _pyramid(image)
            for number, data in enumerate(levels):
                chunks = tuple(
                    min(512, n) if axis in "YX" else 1 for axis, n in zip(image.axes, data.shape, strict=True)
                )
                array = group.create_array(str(number), shape=data.shape, dtype=data.dtype, chunks=chunks)
                array[...] = data
            group.attrs.update(_metadata(image, len(levels), version))
        if path.exists():
            path.unlink()
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def _pyramid(image: Image) -> list[Array]:
    levels = [image.data]
    while len(levels) < _LEVELS and min(levels[-1].shape[-2:]) >= 2 * _SMALLEST:
        levels.append(levels[-1][..., ::2, ::2])
    return levels


def _metadata(image: Image, levels: int, version: str) -> dict[str, Any]:
    kinds = {"T": "time", "C": "channel"}
    axes: list[dict[str, str]] = []
    for axis in image.axes:
        entry = {"name": axis.lower(), "type": kinds.get(axis, "space")}
        if axis in image.pixel_sizes and axis in image.units:
            entry["unit"] = LONG_UNITS.get(image.units[axis], image.units[axis])
        axes.append(entry)
    datasets = []
    for number in range(levels):
        steps = [2.0**number if axis in "YX" else 1.0 for axis in image.axes]
        scale = [size * step for size, step in zip(image.spacing(image.axes), steps, strict=True)]
        datasets.append({"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    multiscale: dict[str, Any] = {"name": image.name, "axes": axes, "datasets": datasets}
    body: dict[str, Any] = {"multiscales": [multiscale]}
    if image.channels:
        body["omero"] = {"channels": [_channel(name, image.data.dtype) for name in image.channels]}
    if version == "0.4":
        multiscale["version"] = version
        return body
    return {"ome": {"version": version, **body}}


def _channel(name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    top = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    window = {"start": 0.0, "end": top, "min": 0.0, "max": top}
    return {"label": name, "color": "FFFFFF", "active": True, "window": window}
