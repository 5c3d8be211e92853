"""Whether two files say the same: byte for byte, or in their numbers."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from bioimageit_core.jobs.digests import digest_path

__all__ = ["Comparison", "Outcome", "compare_files"]

Outcome = Literal["identical", "equal", "different"]

_IMAGES = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
_TABLES = {".csv": ",", ".tsv": "\t", ".tabular": "\t"}


@dataclass(frozen=True)
class Comparison:
    """How two files compare.

    Attributes
    ----------
    outcome
        ``identical``: the same bytes. ``equal``: the same shape and type, and all numbers within the tolerance.
        ``different``: anything else.
    detail
        Where they differ, for people.
    largest
        The largest difference of two numbers, where there are numbers to compare.
    """

    outcome: Outcome
    detail: str = ""
    largest: float | None = None


def compare_files(before: str, after: str, tolerance: float = 1e-6) -> Comparison:
    """Compare two files or directories by their content.

    Images are compared pixel by pixel, tables cell by cell, other files byte by byte.

    Parameters
    ----------
    tolerance
        How far two numbers may be apart, relative to the larger of 1 and the earlier number.

    Raises
    ------
    OSError
        One of them cannot be read.
    """
    if digest_path(before).sha256 == digest_path(after).sha256:
        return Comparison("identical")
    if os.path.isdir(before) != os.path.isdir(after):
        return Comparison("different", "one is a directory, the other a file")
    extension = os.path.splitext(before.rstrip("/"))[1].lower()
    try:
        if extension in _IMAGES:
            return _compare_images(before, after, tolerance)
        if extension == ".zarr":
            return _compare_zarr(before, after, tolerance)
    except ImportError as error:
        return Comparison("different", f"the bytes differ; to compare the pixels install {error.name}")
    except Exception as error:  # noqa: BLE001 - readers of broken files raise anything
        return Comparison("different", f"one of them cannot be read as {extension}: {error}")
    if extension in _TABLES:
        return _compare_tables(before, after, _TABLES[extension], tolerance)
    return _compare_bytes(before, after)


def _compare_images(before: str, after: str, tolerance: float) -> Comparison:
    import tifffile

    with tifffile.TiffFile(before) as one, tifffile.TiffFile(after) as two:
        axes = [series.axes for series in (one.series[0], two.series[0])]
        if axes[0] != axes[1]:
            return Comparison("different", f"axes were {axes[0]} and are {axes[1]}")
        return _compare_arrays(one.asarray(), two.asarray(), axes[0], tolerance)


def _compare_zarr(before: str, after: str, tolerance: float) -> Comparison:
    import zarr

    arrays = []
    for path in (before, after):
        node = zarr.open(path, mode="r")
        found = {"": node} if isinstance(node, zarr.Array) else dict(node.members(max_depth=None))
        arrays.append({name: item for name, item in found.items() if isinstance(item, zarr.Array)})
    if arrays[0].keys() != arrays[1].keys():
        return Comparison("different", f"arrays were {', '.join(arrays[0])} and are {', '.join(arrays[1])}")
    largest = 0.0
    for name in arrays[0]:
        compared = _compare_arrays(arrays[0][name][...], arrays[1][name][...], "", tolerance)
        if compared.outcome == "different":
            return Comparison("different", f"array {name or '/'}: {compared.detail}", compared.largest)
        largest = max(largest, compared.largest or 0.0)
    return Comparison("equal", _within(largest), largest)


def _compare_arrays(before: Any, after: Any, axes: str, tolerance: float) -> Comparison:
    import numpy as np

    if before.shape != after.shape or before.dtype != after.dtype:
        was, now = (f"{array.dtype} of shape {array.shape}" for array in (before, after))
        return Comparison("different", f"was {was}, is {now}")
    if before.dtype.kind not in "biufc":
        return Comparison("equal" if bool((before == after).all()) else "different", f"compared as {before.dtype}")
    kind = np.complex128 if before.dtype.kind == "c" else np.float64
    one, two = before.astype(kind), after.astype(kind)
    both_nan = np.isnan(one) & np.isnan(two)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        gap = np.where(both_nan | (one == two), 0.0, np.abs(one - two))
    gap = np.where(np.isnan(gap), np.inf, gap)
    beyond = gap > tolerance * np.maximum(1.0, np.where(np.isfinite(one), np.abs(one), 1.0))
    largest = float(gap.max()) if gap.size else 0.0
    count = int(beyond.sum())
    if not count:
        return Comparison("equal", _within(largest), largest)
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
    where = ", ".join(f"{axis}={i}" for axis, i in zip(axes, place, strict=False)) if axes else str(place)
    detail = f"{count} of {gap.size} pixels differ, most at {where}: {before[place]} then, {after[place]} now"
    return Comparison("different", detail, largest)


def _compare_tables(before: str, after: str, delimiter: str, tolerance: float) -> Comparison:
    largest = 0.0
    with (
        open(before, newline="", encoding="utf-8", errors="replace") as one,
        open(after, newline="", encoding="utf-8", errors="replace") as two,
    ):
        pairs = zip_longest(csv.reader(one, delimiter=delimiter), csv.reader(two, delimiter=delimiter))
        header: list[str] = []
        for number, (was, now) in enumerate(pairs, 1):
            if was is None or now is None:
                return Comparison("different", f"row {number} is only {'there now' if was is None else 'there then'}")
            if len(was) != len(now):
                return Comparison("different", f"row {number} had {len(was)} cells and has {len(now)}")
            header = header or was
            for column, (cell, other) in enumerate(zip(was, now, strict=True)):
                gap = _gap(cell, other)
                if gap > tolerance * max(1.0, abs(_number(cell) or 0.0)):
                    name = header[column] if column < len(header) else str(column + 1)
                    detail = f"row {number}, column {name!r}: {cell[:40]!r} then, {other[:40]!r} now"
                    return Comparison("different", detail, gap if gap != float("inf") else None)
                largest = max(largest, gap)
    return Comparison("equal", _within(largest), largest)


def _gap(cell: str, other: str) -> float:
    if cell.strip() == other.strip():
        return 0.0
    one, two = _number(cell), _number(other)
    if one is None or two is None:
        return float("inf")
    if one != one and two != two:  # both are no number
        return 0.0
    gap = abs(one - two)
    return float("inf") if gap != gap else gap


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _compare_bytes(before: str, after: str) -> Comparison:
    if os.path.isdir(before):
        return Comparison("different", "the files in the directory differ")
    position = 0
    with open(before, "rb") as one, open(after, "rb") as two:
        while True:
            was, now = one.read(1 << 16), two.read(1 << 16)
            if was != now:
                length = min(len(was), len(now))
                first = next((i for i in range(length) if was[i] != now[i]), length)
                sizes = f"{os.path.getsize(before)} bytes then, {os.path.getsize(after)} now"
                return Comparison("different", f"they differ from byte {position + first} on ({sizes})")
            position += len(was)


def _within(largest: float) -> str:
    return f"all numbers are within the tolerance; the largest difference is {largest:g}"
