"""Experiments as tables: one row for each data with its key-values, and one for each measured object."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.containers import Data, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.exchange.content import fetch, local_path
from bioimageit_core.exchange.image_facts import IMAGE_KEYS, told
from bioimageit_core.exchange.tables.cells import is_number
from bioimageit_core.jobs.selection import Lineage, dataset_of, iterate_data
from bioimageit_core.plugins.contracts import DataService, ListsRuns

__all__ = ["TABLES", "Table", "column_of", "data_table", "key_of", "measurement_table"]

TABLES = {"tablecsv": ",", "tabletsv": "\t"}
"""Formats that are tables with a header, and what parts their cells."""
_ABOUT = (
    "dataset",
    "name",
    "uuid",
    "type",
    "format",
    "author",
    "date",
    "output",
    "tool",
    "run",
    "origin",
    "origin_uuid",
)
_OBJECT = ("dataset", "name", "uuid", "output", "tool", "run", "origin", "origin_uuid", "row")
_PREFIX = "key:"
_IMAGE = "image:"
_INTEGER, _NUMBER, _TEXT = "integer", "number", "text"


@dataclass
class Table:
    """Columns, their types (``text``, ``integer``, ``number``), and rows that are made when they are asked for.

    Attributes
    ----------
    left_out
        Name of each data whose file could not be read, and why.
    """

    columns: list[str]
    types: list[str]
    rows: Iterator[list[Any]]
    left_out: dict[str, str] = field(default_factory=dict)


def column_of(key: str) -> str:
    """Name the column of an annotation key: the key, told apart where that is the name of a column of ours."""
    taken = {*_ABOUT, *_OBJECT}
    return f"{_PREFIX}{key}" if key in taken or key.startswith((_PREFIX, _IMAGE)) else key


def key_of(column: str) -> str:
    """Give the annotation key of a column; ``''`` where it is a column of ours.

    Examples
    --------
    >>> key_of(column_of("name")), key_of("Day"), key_of("uuid")
    ('name', 'Day', '')
    """
    if column.startswith(_PREFIX):
        return column.removeprefix(_PREFIX)
    return "" if column in _ABOUT or column in _OBJECT or column.startswith(_IMAGE) else column


def data_table(service: DataService, experiment: Experiment, datasets: Sequence[str] = ()) -> Table:
    """Give one row for each data of an experiment, with the key-values of the raw data that it comes from.

    Raw data also have what their images say of themselves, in columns ``image:PhysicalSizeX`` and so on; their dataset
    is read twice, first for these columns and their types.

    Parameters
    ----------
    datasets
        Which ones; all by default.
    """
    keys = list(experiment.keys)
    before = [*_ABOUT, *map(column_of, keys)]
    images = _image_columns(service, experiment, datasets)

    def rows() -> Iterator[list[Any]]:
        lineage = Lineage(service)
        for name, dataset, runs in _datasets(service, experiment, datasets):
            for data in iterate_data(service, dataset, name == experiment.raw_dataset.name):
                origin = _origin(lineage, data)
                pairs = origin.key_value_pairs if origin else {}
                said = data.metadata if isinstance(data, RawData) else {}
                about = [name, data.name, data.uuid, data.type, data.format, data.author, data.date]
                about += [*_provenance(data, runs), *_names_of(None if data is origin else origin)]
                yield [*about, *(pairs.get(key, "") for key in keys), *(told(said.get(key)) for key in images)]

    columns = [*before, *(f"{_IMAGE}{key}" for key in images)]
    return Table(columns, [_TEXT] * len(before) + list(images.values()), rows())


def measurement_table(service: DataService, experiment: Experiment, datasets: Sequence[str] = ()) -> Table:
    """Give one row for each row of every table of results, with the key-values of the raw data that it comes from.

    Columns are those of all tables; the files are read twice, first for the columns and their types, so that no more
    than one row is held.
    """
    measured: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for _, data, lines in _tables(service, experiment, datasets, left_out):
        try:
            for line in lines:
                for column, value in line.items():
                    measured[column] = _wider(measured.get(column, ""), value)
        except (csv.Error, UnicodeDecodeError, OSError) as error:
            left_out[data.name] = str(error)
    keys = list(experiment.keys)
    before = [*_OBJECT, *map(column_of, keys)]
    names = {column: column if column not in before else f"measured:{column}" for column in measured}

    def rows() -> Iterator[list[Any]]:
        lineage = Lineage(service)
        for (name, runs), data, lines in _tables(service, experiment, datasets, dict(left_out)):
            if data.name in left_out:
                continue
            origin = _origin(lineage, data)
            pairs = origin.key_value_pairs if origin else {}
            about = [name, data.name, data.uuid, *_provenance(data, runs)]
            about += _names_of(origin)
            values = [pairs.get(key, "") for key in keys]
            for number, line in enumerate(lines, 1):
                yield [*about, number, *values, *(line.get(column, "") for column in measured)]

    types = [_INTEGER if column == "row" else _TEXT for column in before]
    types += [kind or _TEXT for kind in measured.values()]
    return Table([*before, *names.values()], types, rows(), left_out)


def _datasets(service: DataService, experiment: Experiment, wanted: Sequence[str]) -> Iterator[tuple[str, Any, _Runs]]:
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    for name in wanted or [info.name for info in infos]:
        dataset = dataset_of(service, experiment, name)
        is_raw = name == experiment.raw_dataset.name
        runs = service.get_dataset_runs(dataset) if not is_raw and isinstance(service, ListsRuns) else []
        yield name, dataset, _Runs(service, runs)


def _tables(
    service: DataService, experiment: Experiment, datasets: Sequence[str], left_out: dict[str, str]
) -> Iterator[tuple[tuple[str, _Runs], ProcessedData, Iterator[dict[str, str]]]]:
    for name, dataset, runs in _datasets(service, experiment, datasets):
        if name == experiment.raw_dataset.name:
            continue
        for data in iterate_data(service, dataset, False):
            if data.format not in TABLES or not isinstance(data, ProcessedData):
                continue
            with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
                try:
                    path = local_path(service, data) or fetch(service, data, room)
                    file = open(path, encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below
                except (BioImageITError, OSError) as error:
                    left_out[data.name] = str(error)
                    continue
                with file:
                    yield (name, runs), data, _lines(file, TABLES[data.format])


def _lines(file: Any, delimiter: str) -> Iterator[dict[str, str]]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    columns = next(reader, [])
    for cells in reader:
        if cells:
            yield dict(zip(columns, cells, strict=False))


def _wider(kind: str, value: str) -> str:
    """Give the type that holds what a column had until now and one more value."""
    if not value or kind == _TEXT:
        return kind
    if not is_number(value):
        return _TEXT
    is_integer = value.lstrip("+-").isdigit() and len(value) < 19  # of 64 bits
    return _INTEGER if is_integer and kind in ("", _INTEGER) else _NUMBER


class _Runs:
    """The runs of a dataset: those that its home lists, and others when a data names them."""

    def __init__(self, service: DataService, listed: Sequence[Run]) -> None:
        self._service = service
        self._known: dict[str, Run | None] = {run.uuid: run for run in listed}

    def tool_of(self, data: ProcessedData) -> str:
        """Name the tool that made a data; empty where its run cannot be read."""
        uuid = data.run.uuid
        if uuid not in self._known:
            try:
                self._known[uuid] = self._service.get_run(data.run.md_uri)
            except BioImageITError:
                self._known[uuid] = None
        run = self._known[uuid]
        return run.process_name if run else ""


def _provenance(data: Data, runs: _Runs) -> list[str]:
    if not isinstance(data, ProcessedData):
        return ["", "", ""]
    return [data.output.get("name", ""), runs.tool_of(data), data.run.uuid]


def _origin(lineage: Lineage, data: Data) -> RawData | None:
    try:
        return lineage.origin(data)
    except NotFoundError:  # its origin was removed
        return None


def _names_of(origin: RawData | None) -> list[str]:
    return [origin.name, origin.uuid] if origin else ["", ""]


def _image_columns(service: DataService, experiment: Experiment, datasets: Sequence[str]) -> dict[str, str]:
    """Give the keys of which some raw data has a value, and the type that holds all values of each."""
    found: dict[str, str] = {}
    if not datasets or experiment.raw_dataset.name in datasets:
        dataset = dataset_of(service, experiment, experiment.raw_dataset.name)
        for data in iterate_data(service, dataset, True):
            said = data.metadata if isinstance(data, RawData) else {}
            for key in IMAGE_KEYS:
                found[key] = _wider(found.get(key, ""), told(said.get(key)))
    return {key: kind for key, kind in found.items() if kind}
