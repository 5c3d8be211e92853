"""An OME-Zarr 0.4 (https://ngff.openmicroscopy.org/0.4) that is computed when a part of it is asked for.

Zarr version 2: ``.zgroup``, ``.zattrs`` and for each level ``{level}/.zarray`` and its chunks ``{level}/t/c/z/y/x``.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import NotFoundError

if TYPE_CHECKING:
    from bioimageit_core.web.viewing.facts import Look
    from bioimageit_core.web.viewing.sources import ImageSource

__all__ = ["CHUNK", "document", "levels_of"]

CHUNK = 512  # pixels of a chunk's side
_SMALLEST = 256  # no level is made of a smaller one
_BAND = 64 * 2**20  # bytes that are read at once for a smaller level
_PLACE = re.compile(r"(\d{1,2})/(\.zarray|\.zattrs|[\d/]{1,80})")


def levels_of(look: Look) -> int:
    """Count the levels of the pyramid; each has half the pixels of the one before in Y and X."""
    longer, levels = max(look.shape[-2:]), 1
    while longer > 2 * _SMALLEST and levels < 12:
        longer = -(-longer // 2)
        levels += 1
    return levels


def document(source: ImageSource, path: str, name: str) -> tuple[bytes, str]:
    """Return a part of the Zarr, with its media type.

    Raises
    ------
    NotFoundError
        The Zarr has no such part.
    """
    look = source.look
    if path == ".zgroup":
        return _json({"zarr_format": 2})
    if path == ".zattrs":
        return _json(_attributes(look, name))
    match = _PLACE.fullmatch(path)
    if match is None or int(match[1]) >= levels_of(look):
        raise NotFoundError("part of the image", path[:100])
    level = int(match[1])
    if match[2] == ".zarray":
        return _json(_array(look, level))
    if match[2] == ".zattrs":
        return _json({"_ARRAY_DIMENSIONS": list(look.axes.lower())})
    return _chunk(source, level, match[2]), "application/octet-stream"


def _attributes(look: Look, name: str) -> dict[str, Any]:
    kinds = {"T": "time", "C": "channel"}
    axes = []
    for axis in look.axes:
        said = {"name": axis.lower(), "type": kinds.get(axis, "space")}
        if axis in look.pixel_sizes:
            said["unit"] = look.pixel_sizes[axis][1]
        axes.append(said)
    datasets = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": _scale(look, level)}]}
        for level in range(levels_of(look))
    ]
    channels = [
        {
            "label": channel["name"],
            "color": channel["color"],
            "active": True,
            **({"window": _window(channel["window"])} if channel["window"] else {}),
        }
        for channel in look.channels
    ]
    return {
        "multiscales": [{"version": "0.4", "name": name, "axes": axes, "datasets": datasets}],
        "omero": {"channels": channels},
        **({"image-label": {"version": "0.4"}} if look.is_labels else {}),
    }


def _window(limits: tuple[float, float]) -> dict[str, float]:
    return {"start": limits[0], "end": limits[1], "min": limits[0], "max": limits[1]}


def _scale(look: Look, level: int) -> list[float]:
    return [look.pixel_sizes.get(axis, (1.0, ""))[0] * (2.0**level if axis in "YX" else 1.0) for axis in look.axes]


def _shape(look: Look, level: int) -> tuple[int, ...]:
    *others, height, width = look.shape
    return (*others, -(-height // 2**level), -(-width // 2**level))


def _chunks(look: Look) -> tuple[int, ...]:
    return (*(1 for _ in look.shape[:-2]), CHUNK, CHUNK)


def _array(look: Look, level: int) -> dict[str, Any]:
    import numpy

    from bioimageit_core.images.pyramid import storable_dtype

    return {
        "zarr_format": 2,
        "shape": list(_shape(look, level)),
        "chunks": list(_chunks(look)),
        "dtype": storable_dtype(numpy.dtype(look.dtype)).newbyteorder("<").str,
        "compressor": {"id": "zlib", "level": 1},
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "dimension_separator": "/",
    }


def _chunk(source: ImageSource, level: int, place: str) -> bytes:
    import numpy

    from bioimageit_core.images.pyramid import storable

    look, chunks = source.look, _chunks(source.look)
    shape, numbers = _shape(look, level), [int(part) for part in place.split("/") if part]
    if len(numbers) != len(shape) or any(n * c >= s for n, c, s in zip(numbers, chunks, shape, strict=True)):
        raise NotFoundError("chunk", place)
    stored = source.halvings(level)
    factor = 2 ** (level - stored)
    lengths = _shape(look, stored)
    where = []
    for axis, number, chunk, length in zip(look.axes, numbers, chunks, lengths, strict=True):
        step = factor if axis in "YX" else 1
        where.append(slice(number * chunk * step, min((number + 1) * chunk * step, length)))
    rows = _BAND // max(1, (where[-1].stop - where[-1].start) * numpy.dtype(look.dtype).itemsize)
    bands = [
        _reduced(numpy.asarray(source.read((*where[:-2], band, where[-1]), stored)), factor, is_labels=look.is_labels)
        for band in _bands(where[-2], max(CHUNK, rows) // factor * factor or factor)
    ]
    part = numpy.concatenate(bands, axis=-2)
    whole = numpy.zeros(chunks, numpy.dtype(_array(look, level)["dtype"]))
    whole[tuple(slice(0, length) for length in part.shape)] = storable(part)
    return zlib.compress(whole.tobytes(), 1)


def _bands(rows: slice, step: int) -> Iterator[slice]:
    """Cut rows so that none of many is held longer than needed: the whole of a plane may be larger than memory."""
    for start in range(rows.start, rows.stop, step):
        yield slice(start, min(start + step, rows.stop))


def _reduced(part: Any, factor: int, *, is_labels: bool) -> Any:
    """Reduce Y and X, the last axes: labels by taking every n-th, intensities by the mean of each square."""
    import numpy

    if factor == 1:
        return part
    if is_labels or part.dtype.kind == "b":
        return part[..., ::factor, ::factor]
    height, width = part.shape[-2:]
    sums = numpy.add.reduceat(part, numpy.arange(0, height, factor), axis=-2, dtype=numpy.float64)
    sums = numpy.add.reduceat(sums, numpy.arange(0, width, factor), axis=-1)
    counts = numpy.multiply.outer(_lengths(height, factor), _lengths(width, factor))
    means = sums / counts
    return (numpy.rint(means) if part.dtype.kind in "iu" else means).astype(part.dtype)


def _lengths(length: int, factor: int) -> Any:
    import numpy

    return numpy.diff(numpy.append(numpy.arange(0, length, factor), length))


def _json(document: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps(document).encode(), "application/json"
