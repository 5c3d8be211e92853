"""Files of tables: CSV and TSV (RFC 4180, UTF-8), Parquet, and XLSX to read; row by row, however long they are."""

from __future__ import annotations

import csv
import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.exchange.tables.cells import guarded, text_of, unguarded

__all__ = ["FORMATS", "TableError", "read_rows", "write_rows"]

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
FORMATS = (".csv", ".tsv", ".parquet")
"""What can be written; ``.txt`` (tabs) and ``.xlsx`` can be read too."""
_BATCH = 10_000  # rows of a row group
_LONGEST = 1 << 20  # characters of a cell

Row = Sequence[Any]


class TableError(DataServiceError):
    """A file that cannot be read as a table, or written as one.

    Attributes
    ----------
    line
        Where, from 1; 0 for the whole.
    """

    def __init__(self, path: str, reason: str, line: int = 0) -> None:
        super().__init__(path, reason, line)
        self.path = path
        self.reason = reason
        self.line = line

    def __str__(self) -> str:
        return f"{self.path}{f', line {self.line}' if self.line else ''}: {self.reason}"


def write_rows(path: str, columns: Sequence[str], rows: Iterable[Row], types: Sequence[str] = ()) -> int:
    """Write a table, all of it or nothing; return how many rows.

    Parameters
    ----------
    path
        Its extension says the format: ``.csv``, ``.tsv`` or ``.parquet``. A file that is there is replaced.
    types
        Of each column for Parquet: ``text``, ``integer`` or ``number``; all text by default.

    Raises
    ------
    TableError
        The format is unknown, or the file cannot be written.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension not in FORMATS:
        raise TableError(path, f"the name has to end with {', '.join(FORMATS)}")
    write = _write_parquet if extension == ".parquet" else _write_text(_DELIMITERS[extension])
    partial = ""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".table-")
        os.close(handle)
        count = write(partial, columns, rows, types or ["text"] * len(columns))
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, path)
    except OSError as error:
        raise TableError(path, f"cannot be written: {error.strerror or error}") from error
    except (ValueError, OverflowError) as error:
        raise TableError(path, f"cannot be written: {error}") from error
    finally:
        if partial and os.path.exists(partial):
            os.remove(partial)
    return count


def read_rows(path: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Read a table with a header: its columns, and every row as texts with the number of its line.

    Raises
    ------
    TableError
        It is no table; rows that do not fit raise when they are reached.
    """
    extension = os.path.splitext(path)[1].lower()
    readers: dict[str, Callable[[str], Iterator[tuple[int, list[str]]]]] = {
        ".parquet": _read_parquet,
        ".xlsx": _read_workbook,
        **{suffix: _read_text(delimiter) for suffix, delimiter in _DELIMITERS.items()},
    }
    if extension not in readers:
        raise TableError(path, f"the name has to end with {', '.join(readers)}")
    if not os.path.isfile(path):
        raise TableError(path, "is a folder, no table" if os.path.isdir(path) else "there is no such file")
    lines = _told(path, readers[extension](path))
    _, columns = next(lines, (0, []))
    columns = [column.strip() for column in columns]
    if not any(columns):
        raise TableError(path, "has no header")
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise TableError(path, f"two columns are named {twice[0]!r}", 1)
    return columns, _fitting(path, columns, lines)


def _told(path: str, lines: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        for number, line in lines:
            yield number, line
    except UnicodeDecodeError as error:
        raise TableError(path, "is no text in UTF-8; save it as 'CSV UTF-8'", number + 1) from error
    except csv.Error as error:
        raise TableError(path, str(error), number + 1) from error
    except OSError as error:
        raise TableError(path, f"cannot be read: {error.strerror or error}") from error


def _fitting(
    path: str, columns: Sequence[str], lines: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        if not any(cell.strip() for cell in line):
            continue
        if any(cell.strip() for cell in line[len(columns) :]):
            raise TableError(path, f"has {len(line)} cells, the header has {len(columns)}", number)
        yield number, line[: len(columns)] + [""] * (len(columns) - len(line))


# CSV and TSV


def _write_text(delimiter: str) -> Callable[[str, Sequence[str], Iterable[Row], Sequence[str]], int]:
    def write(path: str, columns: Sequence[str], rows: Iterable[Row], _types: Sequence[str]) -> int:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)  # with CRLF, so that a CR in a cell is quoted
            writer.writerow(map(guarded, columns))
            count = 0
            for row in rows:
                writer.writerow([guarded(text_of(value)) for value in row])
                count += 1
        return count

    return write


def _read_text(delimiter: str) -> Callable[[str], Iterator[tuple[int, list[str]]]]:
    def read(path: str) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(_LONGEST)
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            # where commas are decimal signs, spreadsheets part the cells of CSV by semicolons
            used = ";" if delimiter == "," and head.count(";") > head.count(",") else delimiter
            reader = csv.reader(itertools.chain([head], file), delimiter=used, strict=True)
            for line in reader:
                yield reader.line_num, [unguarded(cell) for cell in line]

    return read


# Parquet and XLSX


def _write_parquet(path: str, columns: Sequence[str], rows: Iterable[Row], types: Sequence[str]) -> int:
    pa, pq = _pyarrow(path)
    kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    casts: dict[str, Callable[[Any], Any]] = {"text": text_of, "integer": int, "number": float}
    schema = pa.schema([(column, kinds[kind]) for column, kind in zip(columns, types, strict=True)])
    remaining, count = iter(rows), 0
    with pq.ParquetWriter(path, schema) as writer:
        while batch := list(itertools.islice(remaining, _BATCH)):
            cells = [
                [None if value in (None, "") else casts[kind](value) for value in column]
                for kind, column in zip(types, zip(*batch, strict=True), strict=True)
            ]
            writer.write_batch(pa.record_batch(cells, schema=schema))
            count += len(batch)
    return count


def _read_parquet(path: str) -> Iterator[tuple[int, list[str]]]:
    pa, pq = _pyarrow(path)
    try:
        with pq.ParquetFile(path) as file:
            yield 1, [str(name) for name in file.schema_arrow.names]
            number = 1
            for batch in file.iter_batches(_BATCH):
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield number, [text_of(cell) for cell in cells]
    except pa.ArrowException as error:
        raise TableError(path, f"is no Parquet file that can be read: {error}") from error


def _pyarrow(path: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise TableError(path, "Parquet needs pyarrow: pip install 'bioimageit-core[tables]' gets it") from error
    return pyarrow, pyarrow.parquet


def _read_workbook(path: str) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of the first sheet; of formulas, the value that was last computed."""
    try:
        import openpyxl
    except ImportError as error:
        raise TableError(path, "XLSX needs openpyxl: pip install 'bioimageit-core[tables]' gets it") from error
    try:
        content = Path(path).read_bytes()
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
            yield number, [text_of(int(c) if isinstance(c, float) and c.is_integer() else c) for c in cells]
    except OSError:
        raise
    except Exception as error:
        raise TableError(path, f"is no XLSX workbook that can be read: {error}") from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
