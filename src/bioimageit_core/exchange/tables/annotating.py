"""Annotate raw data from a table: first the differences, then, if they are wanted, the writing.

A row is about the data whose uuid stands in the column ``uuid``, else about the one whose name stands in the column
``name`` (or another that is named). Spaces around names and values do not count. An empty cell says nothing, unless
empty cells are to remove values. Rows of results, as tables of all data have, are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.containers import Dataset, Experiment, RawData
from bioimageit_core.core.annotate import stem_of
from bioimageit_core.exchange.tables.cells import text_of
from bioimageit_core.exchange.tables.files import TableError, read_rows
from bioimageit_core.exchange.tables.rows import Table, column_of, key_of
from bioimageit_core.jobs.selection import dataset_of, iterate_data
from bioimageit_core.plugins.contracts import AnnotatesData, DataService

__all__ = ["Comparison", "Difference", "annotation_table", "compare_table", "write_differences"]


@dataclass(frozen=True)
class Difference:
    """A value that the table says otherwise; `before` is empty where there was none, `after` where it is to go."""

    md_uri: str
    name: str
    key: str
    before: str
    after: str

    @property
    def kind(self) -> str:
        """``added``, ``changed`` or ``removed``."""
        if not self.after:
            return "removed"
        return "changed" if self.before else "added"


@dataclass
class Comparison:
    """What a table says that the experiment does not, and what could not be told.

    Attributes
    ----------
    matched
        Rows that are about a data.
    new_keys
        Keys that join the experiment's vocabulary.
    unmatched_rows
        Rows that are about no data, or about several, and why; with their lines.
    unmatched_data
        Names of the data that no row is about.
    duplicate_rows
        Rows about a data that an earlier row is about; they are not used.
    unused_columns
        Columns that are no annotations.
    """

    changes: list[Difference] = field(default_factory=list)
    matched: int = 0
    new_keys: list[str] = field(default_factory=list)
    unmatched_rows: list[str] = field(default_factory=list)
    unmatched_data: list[str] = field(default_factory=list)
    duplicate_rows: list[str] = field(default_factory=list)
    unused_columns: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every row was used."""
        return not (self.unmatched_rows or self.duplicate_rows)


def annotation_table(service: DataService, experiment: Experiment) -> Table:
    """Give one row for each raw data: name, uuid and its annotations."""
    dataset, keys = _raw(service, experiment), list(experiment.keys)

    def rows() -> Iterator[list[Any]]:
        for data in iterate_data(service, dataset, True):
            pairs = data.key_value_pairs if isinstance(data, RawData) else {}
            yield [data.name, data.uuid, *(pairs.get(key, "") for key in keys)]

    columns = ["name", "uuid", *map(column_of, keys)]
    return Table(columns, ["text"] * len(columns), rows())


def compare_table(
    service: DataService, experiment: Experiment, path: str, *, match: str = "", remove_empty: bool = False
) -> Comparison:
    """Say how the annotations of an experiment differ from what a table says; nothing is written.

    Parameters
    ----------
    path
        CSV, TSV, Parquet or XLSX, with a header.
    match
        The column that names data; by default ``uuid`` and ``name``.
    remove_empty
        Let empty cells remove values.

    Raises
    ------
    TableError
        It is no table, or has no column to match by.
    """
    columns, rows = read_rows(path)
    sheet = _Sheet(path, columns, match)
    data = [each for each in iterate_data(service, _raw(service, experiment), True) if isinstance(each, RawData)]
    found = Comparison(unused_columns=sheet.unused)
    found.new_keys = [key for key in sheet.keys if key not in experiment.keys]
    known, used = _Index(data), dict[int, int]()
    for line, cells in rows:
        if sheet.is_result(cells):
            continue
        said = sheet.named(cells)
        candidates = known.find(*sheet.identity(cells))
        if len(candidates) != 1:
            why = f"{len(candidates)} data are named so; give their uuid" if candidates else "no data is named so"
            found.unmatched_rows.append(f"line {line}: {said!r}: {why}")
        elif (number := candidates[0]) in used:
            found.duplicate_rows.append(f"line {line}: {said!r}: line {used[number]} is about it already")
        else:
            used[number] = line
            found.changes += _differences(data[number], sheet.values(cells), remove_empty)
    found.matched = len(used)
    found.unmatched_data = [each.name for number, each in enumerate(data) if number not in used]
    return found


def write_differences(service: DataService, experiment: Experiment, found: Comparison) -> None:
    """Write what `compare_table` found: one change that can be undone, where the service can do that.

    Raises
    ------
    DataServiceError
        The service cannot write.
    """
    by_data: dict[str, dict[str, str | None]] = {}
    for change in found.changes:
        by_data.setdefault(change.md_uri, {})[change.key] = change.after or None
    written = {change.key for change in found.changes}
    new_keys = [key for key in found.new_keys if key in written]
    if new_keys:
        stored = service.get_experiment(experiment.md_uri)
        for key in new_keys:
            stored.set_key(key)
            experiment.set_key(key)
        service.update_experiment(stored)
    if by_data and isinstance(service, AnnotatesData):
        service.annotate_data(_raw(service, experiment), by_data)
        return
    for md_uri, values in by_data.items():
        data = service.get_raw_data(md_uri)
        kept = {**data.key_value_pairs, **values}
        data.key_value_pairs = {key: value for key, value in kept.items() if value is not None}
        service.update_raw_data(data)


def _raw(service: DataService, experiment: Experiment) -> Dataset:
    return dataset_of(service, experiment, experiment.raw_dataset.name or "data")


def _differences(data: RawData, values: dict[str, str], remove_empty: bool) -> Iterator[Difference]:
    for key, value in values.items():
        before = text_of(data.key_value_pairs.get(key))
        if value != before.strip() and (value or remove_empty):
            yield Difference(data.md_uri, data.name, key, before, value)


class _Sheet:
    """Which columns of a table name data, and which are annotations."""

    def __init__(self, path: str, columns: Sequence[str], match: str) -> None:
        if match and match not in columns:
            raise TableError(path, f"has no column {match!r} (it has: {', '.join(columns)})", 1)
        self._at = {column: number for number, column in enumerate(columns) if column}
        self._name = match or "name"
        if self._name not in self._at and "uuid" not in self._at:
            raise TableError(path, "has no column 'name' or 'uuid'; say which column names the data", 1)
        self._by_uuid = not match
        self._keys = {key_of(column): at for column, at in self._at.items() if column != match and key_of(column)}
        self.keys = list(self._keys)
        ours = {"name", "uuid"}
        self.unused = [c for c in self._at if not key_of(c) and c not in ours and c != match]

    def identity(self, cells: Sequence[str]) -> tuple[str, str]:
        """Give uuid and name that a row is about."""
        uuid = self._cell(cells, "uuid") if self._by_uuid else ""
        return uuid, self._cell(cells, self._name)

    def named(self, cells: Sequence[str]) -> str:
        """Say whom a row is about, for people."""
        uuid, name = self.identity(cells)
        return name or uuid

    def is_result(self, cells: Sequence[str]) -> bool:
        """Say whether a row is about a result, which has no annotations of its own."""
        return {"type", "uuid", "dataset"} <= set(self._at) and self._cell(cells, "type") == "processed"

    def values(self, cells: Sequence[str]) -> dict[str, str]:
        """Give the annotations of a row."""
        return {key: cells[at].strip() for key, at in self._keys.items()}

    def _cell(self, cells: Sequence[str], column: str) -> str:
        return cells[self._at[column]].strip() if column in self._at else ""


class _Index:
    """Data by uuid, by name, and by name without extension."""

    def __init__(self, data: Sequence[RawData]) -> None:
        self._uuids = {each.uuid: [number] for number, each in enumerate(data)}
        self._names: dict[str, list[int]] = {}
        self._stems: dict[str, list[int]] = {}
        for number, each in enumerate(data):
            self._names.setdefault(each.name.strip(), []).append(number)
            self._stems.setdefault(stem_of(each.name.strip()), []).append(number)

    def find(self, uuid: str, name: str) -> list[int]:
        """Give the numbers of the data that a row may be about; a uuid goes before a name."""
        if uuid:
            return self._uuids.get(uuid, [])
        return self._names.get(name) or self._stems.get(name) or []
