"""Read images of several formats; the reader is chosen by content, never by the file's name.

Galaxy stages inputs as ``dataset_N.dat``, so a suffix says nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .image import AXES, Array, Image, ImageError

__all__ = ["imagej_facts", "read_image", "read_labels", "refuse_truncated"]

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LENGTH_UNITS = {
    "um": "µm",
    "µm": "µm",
    "μm": "µm",
    "micron": "µm",
    "microns": "µm",
    "micrometer": "µm",
    "micrometre": "µm",
    "\\u00b5m": "µm",
    "nm": "nm",
    "nanometer": "nm",
    "nanometre": "nm",
    "mm": "mm",
    "millimeter": "mm",
    "cm": "cm",
    "centimeter": "cm",
    "m": "m",
    "meter": "m",
    "pm": "pm",
    "angstrom": "Å",
    "Å": "Å",
    "å": "Å",
    "inch": "in",
    "second": "s",
    "sec": "s",
    "s": "s",
    "millisecond": "ms",
    "msec": "ms",
    "ms": "ms",
    "minute": "min",
    "min": "min",
    "hour": "h",
    "h": "h",
}


def read_image(path: str | Path) -> Image:
    """Read an image with its axes, pixel sizes and channel names.

    Formats: OME-TIFF, ImageJ TIFF, plain TIFF, OME-Zarr 0.4 and 0.5 (a directory; its largest resolution), and what
    Pillow reads (PNG, JPEG, BMP). A plain stack of pages without names of axes is read as ZYX. The colours of an RGB
    image become channels; an opacity channel is left out.

    Raises
    ------
    ImageError
        The file is missing, not an image, truncated, or has axes that are not of TCZYX.
    """
    path = Path(path)
    if path.is_dir():
        from .zarr_store import read_zarr

        return read_zarr(path)
    try:
        with path.open("rb") as stream:
            magic = stream.read(8)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not magic:
        raise ImageError(f"{path}: the file is empty")
    if magic[:4] in _TIFF_MAGIC:
        return _read_tiff(path)
    return _read_picture(path)


def read_labels(path: str | Path) -> Image:
    """Read a label image: integers of at least 0, of which 0 is background.

    Raises
    ------
    ImageError
        It cannot be read, or holds something else than labels.
    """
    image = read_image(path)
    data = image.data
    if data.dtype == bool:
        return image.with_data(data.astype(np.uint8))
    if not np.issubdtype(data.dtype, np.integer):
        if not np.all(np.isfinite(data)) or not np.array_equal(data, np.round(data)):
            raise ImageError(f"{path}: not a label image: it holds fractions ({data.dtype})")
        data = data.astype(np.int64)
    if data.min() < 0:
        raise ImageError(f"{path}: not a label image: it holds negative values")
    return image.with_data(data)


def _read_tiff(path: Path) -> Image:
    import tifffile

    try:
        with _complaints("tifffile") as complaints, tifffile.TiffFile(path) as tif:
            if not tif.series:
                raise ImageError(f"{path}: the TIFF holds no image")
            refuse_truncated(path, tif)
            series = tif.series[0]
            data, axes = series.asarray(), series.axes
            facts = _tiff_facts(tif)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{path}: damaged or not a TIFF that can be read: {_first_line(error)}") from error
    if complaints:
        raise ImageError(f"{path}: damaged: {complaints[0]}")
    data, axes = canonical(data, axes, str(path))
    return describe(data, axes, facts, str(path))


def refuse_truncated(path: Path, tif: Any) -> None:
    """Refuse a file that ends before its pixels do: some readers fill what is missing with zeros."""
    size = os.path.getsize(path)
    found = len(tif.pages)
    for page in tif.series[0].pages:
        if page is None:
            raise ImageError(f"{path}: truncated: planes that its metadata announce are missing")
    for page in tif.pages:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            if offset + count > size:
                raise ImageError(f"{path}: truncated: the file has {size} bytes, its pixels end at {offset + count}")
    announced = int((tif.imagej_metadata or {}).get("images", 1))
    if announced > found:
        first = tif.pages[0]
        needed = announced * int(np.prod(first.shape)) * first.dtype.itemsize  # ImageJ: one page, then all pixels
        if found > 1 or not first.dataoffsets or first.dataoffsets[0] + needed > size:
            raise ImageError(f"{path}: truncated: {found} of {announced} planes are there")


def _tiff_facts(tif: Any) -> dict[str, Any]:
    import tifffile

    if tif.is_ome:
        return _ome_facts(tifffile.xml2dict(tif.ome_metadata))
    if tif.is_imagej:
        return imagej_facts(tif)
    return {}


def _ome_facts(document: dict[str, Any]) -> dict[str, Any]:
    """Take pixel sizes, units and channel names from an OME-XML document (schema 2016-06, element Pixels)."""
    image = _first(document.get("OME", {}).get("Image", {}))
    pixels = _first(image.get("Pixels", {}))
    sizes: dict[str, float] = {}
    units: dict[str, str] = {}
    for axis, key, default in (
        ("Z", "PhysicalSizeZ", "µm"),
        ("Y", "PhysicalSizeY", "µm"),
        ("X", "PhysicalSizeX", "µm"),
        ("T", "TimeIncrement", "s"),
    ):
        if key in pixels:
            sizes[axis] = float(pixels[key])
            units[axis] = str(pixels.get(f"{key}Unit", default))
    channels = pixels.get("Channel", [])
    channels = channels if isinstance(channels, list) else [channels]
    names = [str(channel.get("Name", "")) for channel in channels]
    return {"sizes": sizes, "units": units, "channels": names, "name": str(image.get("Name", ""))}


def imagej_facts(tif: Any) -> dict[str, Any]:
    """Take pixel sizes and units from what ImageJ writes: resolution tags, ``unit``, ``spacing``, ``finterval``."""
    metadata = tif.imagej_metadata or {}
    sizes: dict[str, float] = {}
    units: dict[str, str] = {}
    unit = _LENGTH_UNITS.get(str(metadata.get("unit", "")).strip().lower())
    if unit:
        for axis, tag in (("X", "XResolution"), ("Y", "YResolution")):
            entry = tif.pages[0].tags.get(tag)
            if entry is not None and entry.value[0]:
                sizes[axis] = entry.value[1] / entry.value[0]
                units[axis] = unit
        if metadata.get("spacing"):
            sizes["Z"] = abs(float(metadata["spacing"]))
            units["Z"] = unit
    if metadata.get("finterval"):
        sizes["T"] = float(metadata["finterval"])
        units["T"] = _LENGTH_UNITS.get(str(metadata.get("tunit", "s")).lower(), "s")
    labels = metadata.get("Labels", [])
    channels = [str(label) for label in labels] if len(labels) == metadata.get("channels", 1) else []
    return {"sizes": sizes, "units": units, "channels": channels}


def _read_picture(path: Path) -> Image:
    from PIL import Image as Picture

    try:
        with Picture.open(path) as picture:
            picture.load()
            palette = picture.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "PA")
            data = np.asarray(picture.convert("RGB") if palette else picture)
    except Exception as error:
        raise ImageError(f"{path}: not an image that can be read, or damaged: {_first_line(error)}") from error
    if data.dtype == bool:
        data = data.astype(np.uint8) * 255
    data, axes = canonical(data, "YXS"[: data.ndim], str(path))
    return describe(data, axes, {}, str(path))


def canonical(data: Array, axes: str, path: str) -> tuple[Array, str]:
    """Bring an array into the order TCZYX; samples become channels, nameless pages become Z."""
    names = axes.upper()
    if "S" in names:
        samples = names.index("S")
        if data.shape[samples] in (2, 4):  # grey and RGB with opacity
            data = np.take(data, range(data.shape[samples] - 1), axis=samples)
        if data.shape[samples] == 1:
            data, names = np.squeeze(data, samples), names.replace("S", "")
        elif "C" in names:
            channel = names.index("C")
            data = np.moveaxis(data, samples, channel + (samples > channel))
            names = names.replace("S", "")
            shape = list(data.shape)
            data = data.reshape([*shape[:channel], shape[channel] * shape[channel + 1], *shape[channel + 2 :]])
        else:
            names = names.replace("S", "C")
    for unknown in [axis for axis in names if axis not in AXES]:
        place = names.index(unknown)
        free = [axis for axis in "ZT" if axis not in names]
        if data.shape[place] == 1:
            data, names = np.squeeze(data, place), names.replace(unknown, "", 1)
        elif free:
            names = names.replace(unknown, free[0], 1)
        else:
            raise ImageError(f"{path}: axes {axes} are more than TCZYX")
    if len(set(names)) != len(names) or not {"Y", "X"} <= set(names):
        raise ImageError(f"{path}: axes {axes} are not a subset of TCZYX with Y and X")
    order = [axis for axis in AXES if axis in names]
    return np.ascontiguousarray(np.transpose(data, [names.index(axis) for axis in order])), "".join(order)


def describe(data: Array, axes: str, facts: dict[str, Any], path: str) -> Image:
    """Make an image of an array and what its file says of it; statements that make no sense are left out."""
    if data.size == 0:
        raise ImageError(f"{path}: the image has no pixels")
    if data.dtype.kind not in "biuf":
        raise ImageError(f"{path}: pixels of type {data.dtype} are not supported")
    sizes = {axis: size for axis, size in facts.get("sizes", {}).items() if axis in axes and np.isfinite(size)}
    sizes = {axis: size for axis, size in sizes.items() if size > 0}
    units = {axis: unit for axis, unit in facts.get("units", {}).items() if axis in sizes}
    channels = tuple(facts.get("channels", ()))
    expected = data.shape[axes.index("C")] if "C" in axes else 1
    if len(channels) != expected or not any(channels):
        channels = ()
    return Image(data, axes, sizes, units, channels, str(facts.get("name", "")))


@contextlib.contextmanager
def _complaints(name: str) -> Iterator[list[str]]:
    """Collect the errors that a library only logs."""
    logger = logging.getLogger(name)
    found: list[str] = []

    class _Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage().splitlines()[0])

    handler = _Collect(logging.ERROR)
    # others in this process may have silenced it: then it would complain to nobody
    propagate, level, disabled = logger.propagate, logger.level, logger.disabled
    logger.propagate, logger.disabled = False, False
    logger.setLevel(logging.ERROR)
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.propagate, logger.disabled = propagate, disabled
        logger.setLevel(level)


def _first(value: Any) -> dict[str, Any]:
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, dict) else {}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
