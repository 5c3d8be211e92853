"""What a home cannot hold of an experiment: kept in a document attached to it, so that it comes back.

The document is a data like any other, in a dataset of its own with a run that says what made it. So there is one way
for all homes, whatever they are made of: all of them hold files. It is written when something is lost in a move, and
read by the next one, which moves what the records said and leaves the document behind.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bioimageit_core.containers import Container, Dataset, DatasetInfo, Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import DocumentError
from bioimageit_core.core.records import Document, container_of, document_of
from bioimageit_core.core.utils import format_date
from bioimageit_core.exchange.content import fetch
from bioimageit_core.exchange.facts import ABSENT, Difference, facts
from bioimageit_core.plugins.contracts import CreatesDataUri, DataService

__all__ = ["KEPT", "Keeper", "Kept", "own_datasets", "store_result"]

KEPT = "kept-by-transfer"
"""Name of the dataset whose data are such documents."""

_FORMAT, _VERSION = "bioimageit transfer", 1
_AT_ONCE = 1000  # records in one document
_LINKS = {"raw_dataset", "processed_datasets"}  # of an experiment: a home's own, made with its datasets

R = TypeVar("R", bound=Any)


@dataclass
class Kept:
    """What is kept of the records of an experiment, by their uuids; of one in a home that holds all, nothing.

    Attributes
    ----------
    references
        Where the files of data lay that were left where they lay.
    runs
        Documents of runs, of a home that cannot list them, by the uuid of their dataset.
    """

    changes: dict[str, list[Difference]] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    runs: dict[str, list[Document]] = field(default_factory=dict)

    @classmethod
    def read(cls, service: DataService, experiment: Experiment) -> Kept:
        """Read what an earlier transfer kept with an experiment.

        Raises
        ------
        DocumentError
            The document is there and cannot be understood.
        """
        kept = cls()
        for info in experiment.processed_datasets:
            if info.name == KEPT:
                for entry in service.get_dataset(info.url).uris:
                    kept._add(_load(service, entry.md_uri))
        return kept

    def _add(self, document: Document) -> None:
        for uuid, changes in document["records"].items():
            self.changes.setdefault(uuid, []).extend(
                Difference(tuple(each["path"]), each.get("was", ABSENT), each.get("now", ABSENT)) for each in changes
            )
        self.references.update(document["references"])
        for uuid, runs in document["runs"].items():
            self.runs.setdefault(uuid, []).extend(runs)

    def restore(self, record: R) -> R:
        """Give a record what its home could not hold; what was changed there since stays as it was changed."""
        changes = self.changes.get(record.uuid, [])
        if not changes:
            return record
        said, document = facts(record), document_of(record, lambda url: url)
        for change in changes:
            if _at(said, change.path) == change.now:
                _set(document, change.path, change.was)
        restored: R = container_of(type(record), document, record.md_uri, lambda url: url)
        if isinstance(restored, Dataset):  # the document has the order, the home has the places
            places = {item.uuid: item.md_uri for item in record.uris}
            restored.uris = [Container(places[item.uuid], item.uuid) for item in restored.uris if item.uuid in places]
        return restored


class Keeper:
    """Collects what a new home does not hold, and attaches it to the experiment there."""

    def __init__(self, service: DataService, md_uri: str) -> None:
        self._service = service
        self._md_uri = md_uri
        self._records: dict[str, list[Difference]] = {}
        self._references: dict[str, str] = {}
        self._runs: dict[str, list[Document]] = {}
        self.count = 0

    def keep(self, uuid: str, changes: Sequence[Difference]) -> None:
        """Keep what differs between a record and what became of it."""
        wanted = [change for change in changes if change.path[0] not in _LINKS]
        if wanted:
            self.count += 1
            self._records[uuid] = wanted
        if len(self._records) >= _AT_ONCE:
            self.write()

    def keep_reference(self, uuid: str, uri: str) -> None:
        """Keep where the file of a data lay that is a copy now."""
        self._references[uuid] = uri

    def keep_run(self, dataset: str, run: Run) -> None:
        """Keep a run of the dataset of that uuid, for a home that cannot list its runs."""
        self._runs.setdefault(dataset, []).append(facts(run))

    def write(self) -> None:
        """Attach what was collected; nothing, if nothing was."""
        records = {uuid: [_as_json(change) for change in changes] for uuid, changes in self._records.items()}
        what = {"records": records, "references": self._references, "runs": self._runs}
        if not any(what.values()):
            return
        document = {"format": _FORMAT, "version": _VERSION, **what}
        dataset = self._dataset()
        run = Run()
        run.set_process(_FORMAT, "")
        run = self._service.create_run(dataset, run)
        data = ProcessedData()
        data.set_output("kept", "what this home cannot hold")
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            path = os.path.join(room, "kept.raw")
            with open(path, "w", encoding="ascii") as file:
                json.dump(document, file, indent=1)
            data.set_info(f"kept {run.uuid[:8]}", _FORMAT, format_date("now"), "raw", path)
            store_result(self._service, dataset, run, data, path)
        self._records, self._references, self._runs = {}, {}, {}

    def _dataset(self) -> Dataset:
        experiment = self._service.get_experiment(self._md_uri)
        link = next((info for info in experiment.processed_datasets if info.name == KEPT), None)
        return self._service.get_dataset(link.url) if link else self._service.create_dataset(experiment, KEPT)


def store_result(service: DataService, dataset: Dataset, run: Run, data: ProcessedData, path: str) -> ProcessedData:
    """Store a processed data whose file is at `path`, which is where the service wants it afterwards."""
    if isinstance(service, CreatesDataUri):
        said = service.create_data_uri(dataset, run, data)
        uri = said if isinstance(said, str) else said.uri  # older services give the path itself
        shutil.move(path, uri)
        data.uri = uri
    return service.create_data(dataset, run, data)


def own_datasets(experiment: Experiment) -> Iterator[DatasetInfo]:
    """Give the datasets of an experiment without that of the kept."""
    yield experiment.raw_dataset
    yield from (info for info in experiment.processed_datasets if info.name != KEPT)


def _load(service: DataService, md_uri: str) -> Document:
    data = service.get_processed_data(md_uri)
    with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
        path = fetch(service, data, room)
        try:
            with open(path, encoding="ascii") as file:
                document: Document = json.load(file)
            if document["format"] != _FORMAT or document["version"] > _VERSION:
                raise ValueError(f"{document['format']} {document['version']}")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DocumentError(md_uri, f"is no document of what a home cannot hold: {error}") from error
    return document


def _as_json(change: Difference) -> dict[str, Any]:
    values = {"was": change.was, "now": change.now}
    return {"path": change.path, **{key: value for key, value in values.items() if value is not ABSENT}}


def _at(document: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return document


def _set(document: Any, path: Sequence[str | int], value: Any) -> None:
    holder = _at(document, path[:-1])
    if value is ABSENT:
        holder.pop(path[-1], None)
    elif isinstance(holder, dict | list):
        holder[path[-1]] = value  # type: ignore[index]
