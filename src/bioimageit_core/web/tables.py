"""Measurement tables: one of them, or all of a dataset as one long table beside the annotations."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from bioimageit_core.containers import Data, Experiment, ProcessedData, RawData
from bioimageit_core.core.exceptions import BioImageITError, DataServiceError, NotFoundError
from bioimageit_core.web.documents import text_of

if TYPE_CHECKING:
    from bioimageit_core.web.site import Site

__all__ = ["Column", "Measurements", "Table", "measurements", "read_rows"]

_MOST = 50_000  # rows of a long table
_MOST_COLUMNS = 500
Cell = str | float | int | None


class Column(BaseModel):
    """A column."""

    name: str
    type: Literal["number", "text"]


class Table(BaseModel):
    """Some rows of a table."""

    columns: list[str]
    rows: list[list[Cell]]
    next: str | None = None


class Measurements(BaseModel):
    """Rows of all tables of a dataset; `data_ids` names for each the raw data that it is about."""

    columns: list[Column]
    rows: list[list[Cell]]
    data_ids: list[str]
    truncated: bool


def read_rows(site: Site, data: Data) -> Iterator[list[str]]:
    """Give the rows of a table, the first with the names of its columns.

    Raises
    ------
    NotFoundError
        The data is no table.
    DataServiceError
        It cannot be read.
    """
    try:
        reader = site.request.formats.get(data.format).reader
    except BioImageITError:
        reader = ""
    if reader not in ("tablecsv", "tabletsv", "arraycsv", "numbercsv"):
        raise NotFoundError("table", data.name)
    try:
        with open(site.files.path(data), encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file, delimiter="\t" if reader == "tabletsv" else ","):
                yield row[:_MOST_COLUMNS]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataServiceError(f"{data.name!r} cannot be read as a table: {error}") from error


def measurements(
    site: Site, experiment: Experiment, dataset: str, columns: Sequence[str], group_by: Sequence[str]
) -> Measurements:
    """Put the tables of a dataset under each other, with the annotations of the data that each is about.

    Parameters
    ----------
    columns
        Of the tables; all for none.
    group_by
        Annotation keys; all for none.
    """
    keys = list(group_by) or [key for key in experiment.keys if isinstance(key, str)]
    long = _Long(keys, columns)
    origins = _Origins(site)
    for data in site.request.query(experiment, dataset):
        origin = origins.of(data)
        pairs = origin.key_value_pairs if origin is not None else {}
        about = site.id_of(origin if origin is not None else data, experiment.md_uri)
        try:
            rows = iter(read_rows(site, data))
            header = next(rows, [])
            long.add(header, rows, [text_of(pairs.get(key)) for key in keys], about, data.name)
        except NotFoundError:  # an image beside its measurements
            continue
        if long.is_full:
            break
    return long.table()


class _Long:
    """A table that grows downwards, and to the right where a table brings new columns."""

    def __init__(self, keys: Sequence[str], wanted: Sequence[str]) -> None:
        self._keys = list(keys)
        self._wanted = set(wanted)
        self._places: dict[str, int] = {}
        self._rows: list[dict[int, Cell]] = []
        self._facts: list[list[str]] = []
        self._ids: list[str] = []
        self.is_full = False

    def add(self, header: list[str], rows: Iterator[list[str]], facts: list[str], about: str, name: str) -> None:
        """Add the rows of a table."""
        places = [
            self._places.setdefault(column, len(self._places)) if not self._wanted or column in self._wanted else -1
            for column in header
        ]
        for row in rows:
            if len(self._rows) >= _MOST:
                self.is_full = True
                return
            self._rows.append({place: _cell(text) for place, text in zip(places, row, strict=False) if place >= 0})
            self._facts.append([name, *facts])
            self._ids.append(about)

    def table(self) -> Measurements:
        """Return what was added."""
        width = len(self._places)
        rows: list[list[Cell]] = [
            [*facts, *(row.get(place) for place in range(width))]
            for facts, row in zip(self._facts, self._rows, strict=True)
        ]
        names = ["data", *self._keys, *self._places]
        return Measurements(
            columns=[Column(name=name, type=_type(rows, place)) for place, name in enumerate(names)],
            rows=rows,
            data_ids=self._ids,
            truncated=self.is_full,
        )


class _Origins:
    """The raw data that results come from; each is read once."""

    def __init__(self, site: Site) -> None:
        self._request = site.request
        self._read: dict[str, RawData | None] = {}

    def of(self, data: Data) -> RawData | None:
        """Return the raw data that a data comes from."""
        if isinstance(data, RawData) or not isinstance(data, ProcessedData):
            return data if isinstance(data, RawData) else None
        key = data.inputs[0].uri if data.inputs else ""
        if key not in self._read:
            try:
                self._read[key] = self._request.get_origin(data)
            except BioImageITError:
                self._read[key] = None
        return self._read[key]


def _cell(text: str) -> Cell:
    try:
        number = float(text)
    except ValueError:
        return text or None
    if not math.isfinite(number) or "_" in text:
        return None if math.isnan(number) else text
    return int(number) if number.is_integer() and abs(number) < 2**53 and "." not in text else number


def _type(rows: list[list[Any]], place: int) -> Literal["number", "text"]:
    found = [row[place] for row in rows if row[place] not in (None, "")]
    return "number" if found and all(isinstance(value, int | float) for value in found) else "text"
