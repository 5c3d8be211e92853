"""Write images as OME-Zarr and OME-TIFF: pyramids, in chunks, compressed, all or nothing, never wholly in memory."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.images import ngff
from bioimageit_core.images.model import ImageFacts, OpenImage
from bioimageit_core.images.pyramid import bands, halved, level_shapes, storable, storable_dtype
from bioimageit_core.images.thumbnails import channel_colors, contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Told", "part_of", "write_ome_tiff", "write_ome_zarr", "write_ome_zarrs"]

Told = Callable[[float], None]
"""Hears which part of an image is written, from 0 to 1."""

_SIDE = 1024  # pixels of a chunk
_TILE = 512
_BIG = 2**32 - 2**25  # bytes from which a TIFF needs offsets of 64 bits


def write_ome_zarr(
    image: OpenImage,
    target: Path,
    version: str = "0.5",
    *,
    provenance: Mapping[str, Any] | None = None,
    told: Told | None = None,
) -> Path:
    """Write an image as an OME-Zarr directory with all its axes TCZYX, and check it.

    Parameters
    ----------
    target
        Where to; nothing may be there.
    provenance
        What is kept in its attributes under ``bioimageit``.

    Raises
    ------
    ConflictError
        Something is at `target`.
    ImageReadError
        The image cannot be read, or its pixels cannot be stored.
    """
    import zarr

    if os.path.lexists(target):
        raise ConflictError(f"{target}: something is there already")
    facts = image.facts.replace(dtype=str(storable_dtype(image.levels[0].dtype)))
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zarr, on codecs that are not yet in its specification
            group = zarr.open_group(str(partial), mode="w", zarr_format=ngff.zarr_format(version))
            levels = [_array(group, number, shape, facts) for number, shape in enumerate(level_shapes(facts.shape))]
            _fill(image, levels, facts.is_labels, told)
            windows = [] if facts.is_labels else _windows(levels[-1])
            colors = [_hex(color) for color in channel_colors(facts.channels, facts.sizes["C"])]
            said = ngff.image_metadata(facts, len(levels), version, windows, colors)
            group.attrs.update(ngff.attributes(version, said, provenance))
        ngff.check(partial)
        os.replace(partial, target)
    except OSError as error:
        raise DataServiceError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def write_ome_zarrs(
    images: Sequence[OpenImage], target: Path, version: str = "0.5", *, told: Told | None = None
) -> Path:
    """Write several images as one OME-Zarr directory, numbered from 0 (the layout ``bioformats2raw``).

    Raises
    ------
    ConflictError
        Something is at `target`.
    ImageReadError
        One of the images cannot be read, or its pixels cannot be stored.
    """
    import zarr

    if os.path.lexists(target):
        raise ConflictError(f"{target}: something is there already")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        group = zarr.open_group(str(partial), mode="w", zarr_format=ngff.zarr_format(version))
        group.attrs.update(ngff.attributes(version, {"bioformats2raw.layout": 3}))
        series = group.create_group("OME")
        series.attrs.update(ngff.attributes(version, {"series": [str(number) for number in range(len(images))]}))
        for number, image in enumerate(images):
            # which checks it; of the whole ome-zarr-models has no model in version 0.5
            write_ome_zarr(image, partial / str(number), version, told=part_of(told, number, len(images)))
        os.replace(partial, target)
    except OSError as error:
        raise DataServiceError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _array(group: Any, number: int, shape: tuple[int, ...], facts: ImageFacts) -> Any:
    chunks = (1, 1, 1, min(_SIDE, shape[-2]), min(_SIDE, shape[-1]))
    names = {} if group.metadata.zarr_format == 2 else {"dimension_names": list("tczyx")}
    keys = {"name": "v2", "separator": "/"} if group.metadata.zarr_format == 2 else None
    return group.create_array(
        str(number), shape=shape, dtype=facts.dtype, chunks=chunks, chunk_key_encoding=keys, **names
    )


def _fill(image: OpenImage, levels: list[Any], is_labels: bool, told: Told | None) -> None:
    """Write the largest resolution, then each of the others from the one before it, two chunks of rows at a time."""
    source = image.levels[0]
    pieces, done = source.shape[0] * source.shape[1] * source.shape[2], 0
    for place, pixels in bands(source, _SIDE):
        levels[0][place] = storable(pixels, image.facts.name or "image")
        if place[3].stop == source.shape[3]:
            done += 1
            if told is not None:
                told(done / pieces)
    for larger, smaller in itertools.pairwise(levels):
        _halve(larger, smaller, is_labels)


def _halve(larger: Any, smaller: Any, is_labels: bool) -> None:
    import numpy as np

    t, c, z, height, _ = smaller.shape
    for outer in np.ndindex(t, c, z):
        for start in range(0, height, _SIDE):
            stop = min(start + _SIDE, height)
            rows = larger[(*outer, slice(2 * start, 2 * stop), slice(None))]
            smaller[(*outer, slice(start, stop), slice(None))] = halved(np.asarray(rows), is_labels=is_labels)


def _windows(level: Any) -> list[tuple[float, float]]:
    """Return the contrast of each channel in the middle of a series and stack."""
    t, channels, z = level.shape[:3]
    found = [contrast(level[t // 2, channel, z // 2]) for channel in range(channels)]
    return [(low, high if high > low else low + 1) for low, high in found]


def write_ome_tiff(
    images: OpenImage | Sequence[OpenImage], target: Path, *, description: str = "", told: Told | None = None
) -> Path:
    """Write an image, or several as one file, as OME-TIFF: tiles, smaller resolutions as SubIFDs, lossless compression.

    Parameters
    ----------
    target
        Where to; nothing may be there.
    description
        Text that it carries (the element Description of each image).

    Raises
    ------
    ConflictError
        Something is at `target`.
    ImageReadError
        The image cannot be read, or its pixels cannot be stored.
    """
    import tifffile

    if os.path.lexists(target):
        raise ConflictError(f"{target}: something is there already")
    images = [images] if isinstance(images, OpenImage) else images
    size = sum(storable_dtype(each.levels[0].dtype).itemsize * math.prod(each.facts.shape) for each in images)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tifffile.TiffWriter(partial, bigtiff=size > _BIG // 2, ome=True) as tif:
            for number, image in enumerate(images):
                _write_series(tif, image, description, part_of(told, number, len(images)))
        os.replace(partial, target)
    except OSError as error:
        raise DataServiceError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def part_of(told: Told | None, number: int, count: int) -> Told | None:
    """Return who hears of one of several images that are written one after another."""
    return None if told is None else lambda part: told((number + part) / count)


def _write_series(tif: Any, image: OpenImage, description: str, told: Told | None) -> None:
    shapes = level_shapes(image.facts.shape)
    tiled = {"tile": (_TILE, _TILE)} if len(shapes) > 1 else {}
    dtype = storable_dtype(image.levels[0].dtype)
    common: dict[str, Any] = {"dtype": dtype, "photometric": "minisblack", "compression": "zlib", **tiled}
    for number, shape in enumerate(shapes):
        about: dict[str, Any] = {"subfiletype": 1, "metadata": None}
        if not number:
            about = {"subifds": len(shapes) - 1, "metadata": _tiff_metadata(image.facts, description)}
        heard = told if number == 0 else None
        tif.write(_pieces(image, number, bool(tiled), heard), shape=shape, **common, **about)
    if told is not None:
        told(1.0)  # the writer does not ask for a piece after the last


def _pieces(image: OpenImage, level: int, tiled: bool, told: Told | None) -> Iterator[NDArray[Any]]:
    """Give the planes of a resolution, or their tiles, in the order of a TIFF."""
    source = image.levels[0]
    planes = source.shape[0] * source.shape[1] * source.shape[2]
    for count, (_, pixels) in enumerate(bands(source, source.shape[3]), start=1):
        plane = storable(pixels, image.facts.name or "image")
        for _ in range(level):
            plane = halved(plane, is_labels=image.facts.is_labels)
        if not tiled:
            yield plane
        else:
            for y in range(0, plane.shape[0], _TILE):
                for x in range(0, plane.shape[1], _TILE):
                    yield plane[y : y + _TILE, x : x + _TILE].copy()
        if told is not None:
            told(count / planes)


def _tiff_metadata(facts: ImageFacts, description: str) -> dict[str, Any]:
    said: dict[str, Any] = {"axes": "TCZYX"}
    for axis, key in (("X", "PhysicalSizeX"), ("Y", "PhysicalSizeY"), ("Z", "PhysicalSizeZ"), ("T", "TimeIncrement")):
        if axis in facts.pixel_sizes:
            said[key], said[f"{key}Unit"] = facts.pixel_sizes[axis], facts.units[axis]
    if any(channel.name or channel.color for channel in facts.channels):
        said["Channel"] = {"Name": [channel.name for channel in facts.channels]}
        if all(channel.color for channel in facts.channels):
            said["Channel"]["Color"] = [_signed(channel.color) for channel in facts.channels]
    about = {"Name": facts.name, "AcquisitionDate": facts.acquired, "Description": description}
    return said | {key: value for key, value in about.items() if value}


def _signed(color: str) -> int:
    number = int(color, 16) << 8 | 0xFF
    return number - 2**32 if number >= 2**31 else number


def _hex(color: tuple[float, float, float]) -> str:
    return "".join(f"{round(255 * part):02X}" for part in color)
