"""What a wrapper may ask of a file: the facts that Galaxy keeps as a dataset's metadata."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Mapping
from typing import Any

from bioimageit_core.core.wrappers.datatypes import datatype, datatype_of_file, is_kind_of

__all__ = ["number_of_values", "probe"]

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAX_LINES = 1_000_000


def probe(path: str, kind: str = "") -> tuple[dict[str, Any], str]:
    """Look into a file: what is known of it, and its exact datatype.

    Parameters
    ----------
    kind
        Its datatype or format; empty to go by its name.

    Returns
    -------
    tuple
        Facts by the names that wrappers use (``columns``, ``width``, ``axes``, ``store_root``, ...), as texts; and the
        name of the datatype. A file that cannot be read has no facts.
    """
    name = datatype_of_file(path, kind).name if kind else datatype_of_file(path).name
    if os.path.isdir(path):
        return {"store_root": os.path.basename(path.rstrip("/"))}, name if name != "data" else "directory"
    try:
        if name == "data" and _has_tiff_magic(path):
            name = "tiff"
        if is_kind_of(name, "tabular"):
            return _table(path, "," if is_kind_of(name, "csv") else "\t"), name
        if is_kind_of(name, "tiff") or (is_kind_of(name, "image") and _has_tiff_magic(path)):
            return _tiff(path, name)
        if name in ("png", "jpg", "jpeg", "bmp", "gif"):
            return _picture(path), name
        if is_kind_of(name, "text"):
            return _text(path), name
    except Exception:  # noqa: BLE001  (a file may be anything: what cannot be read has no facts)
        return {}, name
    return {}, name


def number_of_values(path: str) -> str:
    """Count the different values of an image's pixels (``num_unique_values``); empty where it cannot be read.

    All pixels are read: ask only where a wrapper asks.
    """
    try:
        if _has_tiff_magic(path):
            import numpy
            import tifffile

            return str(len(numpy.unique(tifffile.imread(path, series=0))))
        from PIL import Image

        with Image.open(path) as picture:
            return str(len(picture.getcolors(maxcolors=picture.width * picture.height) or []))
    except Exception:  # noqa: BLE001  (a file may be anything: what cannot be read has no values)
        return ""


def _has_tiff_magic(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in _TIFF_MAGIC


def _table(path: str, separator: str) -> dict[str, str]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(itertools.islice(csv.reader(file, delimiter=separator), _MAX_LINES))
    data = [row for row in rows if row and not row[0].startswith("#")]
    comments = len([row for row in rows if row and row[0].startswith("#")])
    width = max((len(row) for row in data[:1000]), default=0)
    types = [_column_type([row[index] for row in data[1:1000] if index < len(row)]) for index in range(width)]
    return {
        "columns": str(width),
        "column_names": ",".join(data[0]) if data else "",
        "column_types": ",".join(types),
        "data_lines": str(len(data)),
        "comment_lines": str(comments),
        "delimiter": separator,
    }


def _column_type(cells: list[str]) -> str:
    for name, convert in (("int", int), ("float", float)):
        try:
            for cell in cells:
                convert(cell)
        except ValueError:
            continue
        return name if cells else "str"
    return "str"


def _text(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return {"data_lines": str(sum(1 for _ in itertools.islice(file, _MAX_LINES)))}


def _tiff(path: str, name: str) -> tuple[dict[str, str], str]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        sizes: Mapping[str, int] = dict(zip(series.axes, series.shape, strict=True))
        name = "ome.tiff" if file.is_ome and name in ("tiff", "image") else name
        facts = {"axes": series.axes, "dtype": str(series.dtype)}
    kind = datatype(name).name
    return facts | {
        "width": str(sizes.get("X", 0)),
        "height": str(sizes.get("Y", 0)),
        "channels": str(sizes.get("C", sizes.get("S", 1))),
        "depth": str(sizes.get("Z", 1)),
        "frames": str(sizes.get("T", 1)),
    }, kind


def _picture(path: str) -> dict[str, str]:
    from PIL import Image

    with Image.open(path) as picture:
        width, height = picture.size
        channels = len(picture.getbands())
    return {
        "width": str(width),
        "height": str(height),
        "channels": str(channels),
        "depth": "1",
        "frames": "1",
        "axes": "YX" if channels == 1 else "YXC",
        "dtype": "uint8",
    }
