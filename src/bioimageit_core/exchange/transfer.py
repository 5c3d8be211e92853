"""Move an experiment between two homes with nothing lost: data, annotations, runs, lineage and identities.

Only the contract of data services is used, so any two services will do. Every record keeps its uuid; a transfer that
was interrupted finds by them what is there already, and goes on. Files are verified by their SHA-256 at both ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from bioimageit_core.containers import Container, Data, Dataset, DatasetInfo, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.observer import Observer
from bioimageit_core.exchange.content import digest, fetch
from bioimageit_core.exchange.facts import REFERENCE, differences, facts
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.contracts import CreatesDataUri, DataService, ListsRuns

__all__ = ["TransferReport", "transfer_experiment"]


@dataclass
class TransferReport:
    """What a transfer did, or with a dry run would do.

    Attributes
    ----------
    md_uri
        The experiment in its new home; empty after a dry run of one that is not there yet.
    moved, present
        How many data were moved, and how many were there already.
    size
        Bytes of the files that were moved.
    not_held
        What the new home does not hold as the old one did, in words; empty where all is equal.
    """

    md_uri: str = ""
    datasets: int = 0
    runs: int = 0
    moved: int = 0
    present: int = 0
    size: int = 0
    not_held: list[str] = field(default_factory=list)


def transfer_experiment(
    experiment: Experiment,
    source: DataService,
    target: DataService,
    destination: str,
    *,
    dry_run: bool = False,
    observers: Sequence[Observer] = (),
) -> TransferReport:
    """Copy an experiment with all that belongs to it; the source is not changed.

    Parameters
    ----------
    destination
        The workspace in the new home.

    Raises
    ------
    DataServiceError
        A record or file cannot be read or written, or a file arrived with another content. What was moved until then
        stays; run again, the transfer goes on there.
    """
    return _Transfer(experiment, source, target, destination, observers).run(dry_run)


class _Transfer:
    def __init__(
        self,
        experiment: Experiment,
        source: DataService,
        target: DataService,
        destination: str,
        observers: Sequence[Observer],
    ) -> None:
        self._source, self._target = source, target
        self._old = source.get_experiment(experiment.md_uri)
        self._destination = destination
        self._observers = observers
        self._report = TransferReport()
        self._places: dict[str, str] = {}  # uuid of a record: its md_uri in the new home
        self._total = 0

    def run(self, dry_run: bool) -> TransferReport:
        datasets = [
            (info, self._source.get_dataset(info.url))
            for info in (self._old.raw_dataset, *self._old.processed_datasets)
        ]
        self._total = sum(dataset.size() for _, dataset in datasets)
        self._report.datasets = len(datasets)
        new = self._find()
        if dry_run:
            return self._count(datasets, new)
        new = new or self._create()
        self._report.md_uri = new.md_uri
        made = [self._dataset(info, dataset, new) for info, dataset in datasets]
        self._raw(datasets[0][1], made[0], new)
        self._results(datasets[1:], made[1:])
        for (info, dataset), (link, _) in zip(datasets, made, strict=True):
            self._identify(info, dataset, link)
        self._finish(new, datasets, [link for link, _ in made])
        self._verify(new)
        return self._report

    # The experiment

    def _find(self) -> Experiment | None:
        for entry in self._target.get_workspace_experiments(self._destination):
            if entry["info"].uuid == self._old.uuid:
                return self._target.get_experiment(entry["md_uri"])
        return None

    def _count(self, datasets: list[tuple[DatasetInfo, Dataset]], new: Experiment | None) -> TransferReport:
        there = self._present(new) if new else {}
        self._report.md_uri = new.md_uri if new else ""
        for _, dataset in datasets:
            present = sum(item.uuid in there for item in dataset.uris)
            self._report.present += present
            self._report.moved += dataset.size() - present
            self._report.runs += len(self._runs(dataset))
        return self._report

    def _present(self, new: Experiment) -> dict[str, str]:
        places = {}
        for info in (new.raw_dataset, *new.processed_datasets):
            is_raw = info is new.raw_dataset
            for data in iterate_data(self._target, self._target.get_dataset(info.url), is_raw):
                places[data.uuid] = data.md_uri
        return places

    def _create(self) -> Experiment:
        old = self._old
        new = self._target.create_experiment(old.name, old.author, old.date, list(old.keys), self._destination)
        new.uuid = old.uuid  # at once, so that a transfer that is interrupted finds it again
        self._target.update_experiment(new)
        return self._target.get_experiment(new.md_uri)

    def _finish(self, new: Experiment, datasets: list[tuple[DatasetInfo, Dataset]], links: list[DatasetInfo]) -> None:
        stored = self._target.get_experiment(new.md_uri)
        uuids = {link.url: dataset.uuid for link, (_, dataset) in zip(links, datasets, strict=True)}
        for info in (stored.raw_dataset, *stored.processed_datasets):
            info.uuid = uuids.get(info.url, info.uuid)
        stored.name, stored.author, stored.date = self._old.name, self._old.author, self._old.date
        stored.keys, stored.extra = list(self._old.keys), dict(self._old.extra)
        self._target.update_experiment(stored)

    # Datasets and runs

    def _dataset(self, info: DatasetInfo, old: Dataset, new: Experiment) -> tuple[DatasetInfo, dict[str, str]]:
        """Find or make a dataset; return its link and what it holds: uuid and md_uri of each data."""
        is_raw = info is self._old.raw_dataset
        link = new.raw_dataset if is_raw else next((i for i in new.processed_datasets if i.name == info.name), None)
        if link is None:
            made = self._target.create_dataset(new, info.name)
            link = DatasetInfo(info.name, made.md_uri, made.uuid)
        dataset = self._target.get_dataset(link.url)
        if dataset.uuid != old.uuid:  # before its runs, which name it
            dataset.uuid = old.uuid
            self._target.update_dataset(dataset)
            dataset = self._target.get_dataset(link.url)
        there = {data.uuid: data.md_uri for data in iterate_data(self._target, dataset, is_raw)}
        self._places.update(there)
        if not is_raw:
            known = {run.uuid: run.md_uri for run in self._known_runs(dataset)}
            for run in self._runs(old):
                self._report.runs += 1
                self._places[run.uuid] = known.get(run.uuid) or self._run(dataset, run)
        return link, there

    def _known_runs(self, dataset: Dataset) -> list[Run]:
        return self._target.get_dataset_runs(dataset) if isinstance(self._target, ListsRuns) else []

    def _runs(self, dataset: Dataset) -> list[Run]:
        if isinstance(self._source, ListsRuns) and dataset.uuid != self._old.raw_dataset.uuid:
            return self._source.get_dataset_runs(dataset)
        return []

    def _run(self, dataset: Dataset, old: Run) -> str:
        run = Run("", old.uuid, old.process_name, old.process_uri, extra=dict(old.extra))
        run.parameters, run.inputs = list(old.parameters), list(old.inputs)
        return self._target.create_run(dataset, run).md_uri

    # Data

    def _raw(self, old: Dataset, made: tuple[DatasetInfo, dict[str, str]], new: Experiment) -> None:
        for data in iterate_data(self._source, old, True):
            if isinstance(data, RawData) and not self._is_there(data, made[1]):
                self._move(data, partial(self._import, data, new))

    def _import(self, old: RawData, new: Experiment, path: str) -> str:
        # under a name of its own first: two data of one name and content are two in the new home as well
        name = f"{old.name[:100]}~{old.uuid}"
        data = self._target.import_data(new, path, name, old.author, old.format, old.date, {})
        data.uuid, data.name = old.uuid, old.name
        data.metadata = dict(old.metadata)
        data.extra = {key: value for key, value in old.extra.items() if key != REFERENCE}
        vocabulary = set(self._old.keys)
        data.key_value_pairs = {k: v for k, v in old.key_value_pairs.items() if v != "" or k not in vocabulary}
        self._target.update_raw_data(data)
        if REFERENCE in old.extra:
            self._report.not_held.append(f"{old.name}: was left where it lay, and is a copy now")
        return data.md_uri

    def _results(
        self, datasets: list[tuple[DatasetInfo, Dataset]], made: list[tuple[DatasetInfo, dict[str, str]]]
    ) -> None:
        """Move processed data, those that others were made from first."""
        waiting = [
            (link, data)
            for (_, dataset), (link, there) in zip(datasets, made, strict=True)
            for data in iterate_data(self._source, dataset, False)
            if isinstance(data, ProcessedData) and not self._is_there(data, there)
        ]
        while waiting:
            pending = {data.uuid for _, data in waiting}
            ready = [item for item in waiting if not any(i.uuid in pending for i in item[1].inputs)] or waiting
            for link, data in ready:
                dataset = self._target.get_dataset(link.url)
                self._move(data, partial(self._store, data, dataset))
            done = {data.uuid for _, data in ready}
            waiting = [item for item in waiting if item[1].uuid not in done]

    def _store(self, old: ProcessedData, dataset: Dataset, path: str) -> str:
        data = ProcessedData("", old.uuid, extra=dict(old.extra))
        data.set_info(old.name, old.author, old.date, old.format, path)
        data.set_output(old.output.get("name", ""), old.output.get("label", ""))
        run = Run(self._places.get(old.run.uuid, ""), old.run.uuid)
        data.run = Container(run.md_uri, run.uuid)
        for item in old.inputs:
            data.add_input_(item.name, self._places.get(item.uuid, ""), item.uuid, item.type)
        if isinstance(self._target, CreatesDataUri):
            said = self._target.create_data_uri(dataset, run, data)
            uri = said if isinstance(said, str) else said.uri
            shutil.move(path, uri)
            data.uri = uri
        return self._target.create_data(dataset, run, data).md_uri

    def _is_there(self, data: Data, there: dict[str, str]) -> bool:
        if data.uuid not in there:
            return False
        self._report.present += 1
        self._tell(data)
        return True

    def _move(self, data: Data, put: Callable[[str], str]) -> None:
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            path = fetch(self._source, data, room)
            expected, size = digest(path)
            md_uri = put(path)
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            read = self._target.get_raw_data if isinstance(data, RawData) else self._target.get_processed_data
            arrived, _ = digest(fetch(self._target, read(md_uri), room))
        if arrived != expected:
            raise DataServiceError(f"{data.name!r} arrived with another content: SHA-256 {arrived}, was {expected}")
        self._places[data.uuid] = md_uri
        self._report.moved += 1
        self._report.size += size
        self._tell(data)

    def _tell(self, data: Data) -> None:
        percent = 100 * (self._report.moved + self._report.present) // max(self._total, 1)
        for observer in self._observers:
            observer.notify_progress(percent, f"transfer {data.name}")

    def _identify(self, info: DatasetInfo, old: Dataset, link: DatasetInfo) -> None:
        """Give a dataset the identity, the order and the unknown keys of the one it is."""
        dataset = self._target.get_dataset(link.url)
        dataset.uuid, dataset.name, dataset.extra = old.uuid, old.name or info.name, dict(old.extra)
        dataset.uris = [Container(self._places[i.uuid], i.uuid) for i in old.uris if i.uuid in self._places]
        self._target.update_dataset(dataset)

    # Proof

    def _verify(self, new: Experiment) -> None:
        """Compare every record in the new home with the old one."""
        found = self._target.get_experiment(new.md_uri)
        self._report.not_held += differences(facts(self._old), facts(found), f"experiment {self._old.name}")
        for info in (self._old.raw_dataset, *self._old.processed_datasets):
            old = self._source.get_dataset(info.url)
            link = next(
                i for i in (found.raw_dataset, *found.processed_datasets) if i.uuid == old.uuid or i.name == info.name
            )
            dataset = self._target.get_dataset(link.url)
            self._report.not_held += differences(facts(old), facts(dataset), f"dataset {info.name}")
            for before, after in self._pairs(info, old, dataset):
                self._report.not_held += differences(facts(before), facts(after), f"{info.name}/{before.name}")

    def _pairs(self, info: DatasetInfo, old: Dataset, new: Dataset) -> Iterator[tuple[Data, Data]]:
        is_raw = info is self._old.raw_dataset
        read = self._target.get_raw_data if is_raw else self._target.get_processed_data
        places = {item.uuid: item.md_uri for item in new.uris}
        for data in iterate_data(self._source, old, is_raw):
            if data.uuid not in places:
                raise NotFoundError(f"{data.name!r} of dataset {info.name!r}", new.md_uri)
            yield data, read(places[data.uuid])
