"""Tables as CSV: read, write, join one below the other, and summarise."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .image import ImageError
from .writing import write_atomically

__all__ = ["SUMMARY_COLUMNS", "Table", "merge_tables", "read_table", "summarise", "write_table"]

Row = dict[str, Any]
SUMMARY_COLUMNS = ("column", "count", "missing", "mean", "std", "min", "q25", "median", "q75", "max", "sum")


class Table(list[Row]):
    """Rows that all have the same columns; the columns are known even where there is no row."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__({column: row.get(column, "") for column in columns} for row in rows)
        self.columns = tuple(columns)


def read_table(path: str | Path) -> Table:
    """Read a CSV or TSV file with a header.

    Raises
    ------
    ImageError
        It is missing, has no header, or a line has another number of fields than the header.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ImageError(f"{path}: not a text in UTF-8") from error
    head = text.split("\n", 1)[0]
    delimiter = max(",\t;", key=head.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if line]
    except csv.Error as error:
        raise ImageError(f"{path}: not a table: {error}") from error
    if not lines or "\0" in text:
        raise ImageError(f"{path}: not a table: {'it holds NUL' if lines else 'it is empty'}")
    columns = lines[0]
    if len(set(columns)) != len(columns):
        raise ImageError(f"{path}: two columns of one name in its header")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(columns):
            raise ImageError(f"{path}: line {number} has {len(line)} fields, the header has {len(columns)}")
    return Table(columns, [dict(zip(columns, line, strict=True)) for line in lines[1:]])


def write_table(path: str | Path, table: Table) -> Path:
    """Write a CSV file, all or nothing: UTF-8, comma, a header; numbers with up to seven digits."""

    def write(target: Path) -> None:
        with target.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(table.columns)
            writer.writerows([[_cell(row[column]) for column in table.columns] for row in table])

    return write_atomically(Path(path), write)


def merge_tables(tables: Sequence[Table], names: Sequence[str], *, source: str = "source") -> Table:
    """Put tables one below the other, with a first column that says where each row comes from.

    Columns that a table lacks stay empty.
    """
    if len(tables) != len(names):
        raise ImageError(f"{len(names)} names for {len(tables)} tables")
    columns = list(dict.fromkeys(column for table in tables for column in table.columns))
    if source in columns:
        raise ImageError(f"a table has a column {source!r} already: choose another name for the source")
    rows = [{source: name, **row} for table, name in zip(tables, names, strict=True) for row in table]
    return Table([source, *columns], rows)


def summarise(table: Table, *, group_by: str = "") -> Table:
    """Describe each column of numbers: count, mean, standard deviation, quartiles, extremes and sum.

    Parameters
    ----------
    table
        Values may be text. Columns that hold something else than numbers are left out.
    group_by
        Name of a column; each of its values gets rows of its own. Empty: one group.

    Returns
    -------
    Table
        One row per group and column; `std` is that of a sample (n - 1).
    """
    if group_by and group_by not in table.columns:
        raise ImageError(f"no column {group_by!r} to group by (there are {', '.join(table.columns)})")
    groups: dict[str, list[Row]] = {}
    for row in table:
        groups.setdefault(str(row[group_by]) if group_by else "", []).append(row)
    numeric = [column for column in table.columns if column != group_by and _is_numeric(table, column)]
    rows = [
        {**({group_by: group} if group_by else {}), **_describe(column, [row[column] for row in members])}
        for group, members in groups.items()
        for column in numeric
    ]
    return Table([*([group_by] if group_by else []), *SUMMARY_COLUMNS], rows)


def _describe(column: str, cells: list[Any]) -> Row:
    values = [value for value in map(_number, cells) if value is not None]
    facts: Row = {"column": column, "count": len(values), "missing": len(cells) - len(values)}
    if not values:
        return facts
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {
        **facts,
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else "",
        "min": min(values),
        "q25": quartiles[0],
        "median": quartiles[1],
        "q75": quartiles[2],
        "max": max(values),
        "sum": math.fsum(values),
    }


def _is_numeric(table: Table, column: str) -> bool:
    cells = [row[column] for row in table if str(row[column]).strip() not in ("", "nan", "NaN")]
    return bool(cells) and all(_number(cell) is not None for cell in cells)


def _number(cell: Any) -> float | None:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _cell(value: Any) -> str:
    if isinstance(value, float) or (hasattr(value, "dtype") and value.dtype.kind == "f"):
        return "" if math.isnan(value) else format(float(value), ".7g")
    return str(value)
