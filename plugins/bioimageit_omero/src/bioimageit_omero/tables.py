"""Tables: CSV files as they are, and OMERO.tables."""

from __future__ import annotations

import csv
import io
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError

from bioimageit_omero.ice import import_client
from bioimageit_omero.session import Session

__all__ = ["Columns", "is_table", "read_csv", "read_table", "write_table"]

Columns = dict[str, list[Any]]
"""A table: the values of each column by its name, in the order of the columns."""

_MIMETYPE = "OMERO.tables"
_ROWS = 10_000
_LONGEST = 2**24


def is_table(file: Any) -> bool:
    """Say whether an ``OriginalFile`` is an OMERO.table."""
    return file is not None and file.mimetype is not None and file.mimetype.val == _MIMETYPE


def read_csv(content: bytes) -> Columns:
    r"""Read a CSV file; a column whose every value is a number has numbers.

    Raises
    ------
    DataServiceError
        It is not text.

    Examples
    --------
    >>> read_csv(b"cell,area\na,1.5\nb,2\n")
    {'cell': ['a', 'b'], 'area': [1.5, 2.0]}
    """
    try:
        text = content.decode("utf-8-sig")
        dialect: Any = csv.excel
        if text.strip():
            first = text.splitlines()[0]
            dialect = csv.excel_tab if "\t" in first and "," not in first else csv.excel
        rows = [row for row in csv.reader(io.StringIO(text), dialect) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataServiceError(f"this table cannot be read: {error}") from error
    if not rows:
        return {}
    columns = {}
    for number, name in enumerate(rows[0]):
        columns[name] = _numbers([row[number] if number < len(row) else "" for row in rows[1:]])
    return columns


def _numbers(values: list[str]) -> list[Any]:
    for kind in (int, float):
        try:
            return [kind(value) for value in values]
        except ValueError:
            continue
    return list(values)


def write_table(session: Session, name: str, columns: Columns, group: int) -> int:
    """Make an OMERO.table and give the identity of its ``OriginalFile``.

    Raises
    ------
    DataServiceError
        The server has no tables, or refuses these.
    """
    lengths = {len(values) for values in columns.values()}
    if not columns or len(lengths) != 1:
        raise DataServiceError(f"the table {name!r} needs columns of one length")
    made = [_column(key, values) for key, values in columns.items()]

    def write(client: Any) -> int:
        context = client.getContext(group)
        resources = client.sf.sharedResources()
        if not resources.areTablesEnabled(context):
            raise DataServiceError("OMERO: this server keeps no tables")
        places = resources.repositories(context).descriptions
        table = resources.newTable(places[0].id.val if places else 0, f"bioimageit/{name}.h5", context)
        if table is None:
            raise DataServiceError("OMERO: the server could not make a table")
        try:
            table.initialize(made, context)
            for start in range(0, lengths.copy().pop(), _ROWS):
                for column, values in zip(made, columns.values(), strict=True):
                    column.values = [_fitting(column, v) for v in values[start : start + _ROWS]]
                table.addData(made, context)
            return int(table.getOriginalFile(context).id.val)
        finally:
            table.close(context)

    return session.call(write, is_write=True)


def _fitting(column: Any, value: Any) -> Any:
    return str(value) if type(column).__name__.startswith("StringColumn") else value


def _column(name: str, values: list[Any]) -> Any:
    grid = import_client().grid
    if all(isinstance(v, bool) for v in values):
        return grid.BoolColumn(name, "", [])
    if all(isinstance(v, int) and not isinstance(v, bool) and abs(v) < 2**63 for v in values):
        return grid.LongColumn(name, "", [])
    if all(isinstance(v, int | float) for v in values):
        return grid.DoubleColumn(name, "", [])
    longest = max((len(str(v).encode()) for v in values), default=1)
    if longest > _LONGEST:
        raise DataServiceError(f"a value of the column {name!r} has {longest} bytes, OMERO.tables keep {_LONGEST}")
    return grid.StringColumn(name, "", max(1, longest), [])


def read_table(session: Session, file: Any) -> Columns:
    """Read an OMERO.table."""

    def read(client: Any) -> Columns:
        context = client.getContext(-1)
        table = client.sf.sharedResources().openTable(file, context)
        if table is None:
            raise DataServiceError("OMERO: the server could not open the table")
        try:
            headers = table.getHeaders(context)
            columns: Columns = {column.name: [] for column in headers}
            total = table.getNumberOfRows(context)
            for start in range(0, total, _ROWS):
                part = table.read(list(range(len(headers))), start, min(start + _ROWS, total), context)
                for column in part.columns:
                    columns[column.name] += list(column.values)
            return columns
        finally:
            table.close(context)

    return session.call(read)
