"""Move an experiment between two homes with nothing lost: data, annotations, runs, lineage and identities.

Only the contract of data services is used, so any two services will do. Every record keeps its uuid; a transfer that
was interrupted finds by them what is there already, and goes on. Files are verified by their SHA-256 at both ends,
every record is read back and compared, and what the new home does not hold is kept there in a document (see `kept`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bioimageit_core.containers import Data, Dataset, DatasetInfo, Experiment, ProcessedData, Run
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.records import container_of
from bioimageit_core.exchange.arrival import Arrival
from bioimageit_core.exchange.begun import Begun
from bioimageit_core.exchange.content import change_of
from bioimageit_core.exchange.facts import REFERENCE, differences, facts
from bioimageit_core.exchange.kept import KEPT, Keeper, Kept, own_datasets
from bioimageit_core.exchange.loads import Fetched, loads
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.contracts import DataService, ListsRuns

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
        What the new home does not hold as the old one did, in words; empty where all is equal. It is kept there in a
        document and comes back with the next move.
    differing
        What was there already and is not as in the source, in words: somebody changed one of them since.
    changed
        Files that are not what the source has stored, in words: a disk or somebody changed them.
    """

    md_uri: str = ""
    datasets: int = 0
    runs: int = 0
    moved: int = 0
    present: int = 0
    size: int = 0
    not_held: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


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
    transfer = _Transfer(experiment, source, target, destination, observers)
    return transfer.count() if dry_run else transfer.run()


@dataclass
class _Moving:
    """A dataset in both homes."""

    old: Dataset
    link: DatasetInfo
    is_raw: bool


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
        found = source.get_experiment(experiment.md_uri)
        self._kept = Kept.read(source, found)
        self._old = self._kept.restore(found)
        self._datasets = [_plain(source.get_dataset(info.url)) for info in own_datasets(self._old)]
        for info, dataset in zip(own_datasets(self._old), self._datasets, strict=True):
            info.name = self._kept.restore(dataset).name or info.name
        self._destination = destination
        self._observers = observers
        self._total = sum(dataset.size() for dataset in self._datasets)
        self._report = TransferReport(datasets=len(self._datasets))
        self._arrival = Arrival(target, self._old.keys)

    def count(self) -> TransferReport:
        """Say what would be done."""
        new = self._arrival.find(self._old, self._destination)
        if new:
            self._report.md_uri = new.md_uri
            for info in own_datasets(new):
                self._look(self._target.get_dataset(info.url), is_raw=info is new.raw_dataset)
        for dataset in self._datasets:
            present = sum(item.uuid in self._arrival.places for item in dataset.uris)
            self._report.present += present
            self._report.moved += dataset.size() - present
            self._report.runs += len(self._runs(dataset))
        return self._report

    def run(self) -> TransferReport:
        """Move."""
        new = self._arrival.experiment(self._old, self._destination)
        self._report.md_uri = new.md_uri
        self._new = new
        self._begun, self._keeper = Begun(new.md_uri), Keeper(self._target, new.md_uri)
        try:
            moving = self._prepare(new)
            self._move(self._items(moving[0]), moving[0])
            self._results(moving[1:])
            if hasattr(self._target, "flush"):  # whole for other software, and no longer held in memory
                self._target.flush()
            for each in moving:
                self._identify(each)
            self._finish(new, moving)
        finally:
            self._keeper.write()
        self._begun.end()
        return self._report

    # Datasets and runs

    def _prepare(self, new: Experiment) -> list[_Moving]:
        """Find or make the datasets and their runs, and look which data are there."""
        known = {}
        for info in own_datasets(new):
            dataset = self._target.get_dataset(info.url)
            known[dataset.uuid] = known[info.name] = info
            self._look(dataset, is_raw=info is new.raw_dataset)
        moving = []
        for info, old in zip(own_datasets(self._old), self._datasets, strict=True):
            is_raw = info is self._old.raw_dataset
            link = new.raw_dataset if is_raw else known.get(old.uuid) or known.get(info.name)
            link = link or self._arrival.dataset(new, info.name, old.uuid)
            moving.append(_Moving(old, link, is_raw))
            dataset = self._target.get_dataset(link.url)
            if dataset.uuid != old.uuid:  # before its runs, which name it
                dataset.uuid = old.uuid
                self._target.update_dataset(dataset)
                dataset = self._target.get_dataset(link.url)
            self._move_runs(old, dataset)
        return moving

    def _look(self, dataset: Dataset, *, is_raw: bool) -> None:
        """Find out which data of a dataset are there; a list may still have the uuids of before they got theirs."""
        wanted = {item.uuid for old in self._datasets for item in old.uris}
        for entry in dataset.uris:
            uuid = entry.uuid
            if uuid not in wanted:
                read = self._target.get_raw_data if is_raw else self._target.get_processed_data
                uuid = read(entry.md_uri).uuid
            self._arrival.places[uuid] = entry.md_uri

    def _runs(self, dataset: Dataset) -> list[Run]:
        if dataset.uuid == self._old.raw_dataset.uuid:
            return []
        if isinstance(self._source, ListsRuns):
            return [self._kept.restore(run) for run in self._source.get_dataset_runs(dataset)]
        found = {run["uuid"]: container_of(Run, run, "", str) for run in self._kept.runs.get(dataset.uuid, [])}
        for data in iterate_data(self._source, dataset, False):
            if isinstance(data, ProcessedData) and data.run.uuid not in found:
                found[data.run.uuid] = self._source.get_run(data.run.md_uri)
        return list(found.values())

    def _move_runs(self, old: Dataset, dataset: Dataset) -> None:
        runs = self._runs(old)
        lists_runs = isinstance(self._target, ListsRuns)
        if runs and isinstance(self._target, ListsRuns):
            self._arrival.places.update((run.uuid, run.md_uri) for run in self._target.get_dataset_runs(dataset))
        for run in runs:
            self._report.runs += 1
            if run.uuid not in self._arrival.places:
                self._begun.add(run.uuid)
                self._compare(run, self._arrival.run(dataset, run), f"run {run.process_name}", run.uuid)
                if not lists_runs:
                    self._keeper.keep_run(old.uuid, run)

    def _identify(self, moving: _Moving) -> None:
        old = self._kept.restore(moving.old)
        name = old.name or moving.link.name
        made = self._target.get_dataset(moving.link.url)
        if not _says_the_same(made, old):  # else a list that may be long need not be written
            self._compare(old, self._arrival.identify(made, old, name), f"dataset {name}", old.uuid)

    def _finish(self, new: Experiment, moving: list[_Moving]) -> None:
        stored = self._target.get_experiment(new.md_uri)
        uuids = {each.link.url: each.old.uuid for each in moving}
        for info in own_datasets(stored):
            info.uuid = uuids.get(info.url, info.uuid)
        self._arrival.describe(stored, self._old)
        found = self._target.get_experiment(new.md_uri)
        for each in (found, self._old):
            each.processed_datasets = [info for info in each.processed_datasets if info.name != KEPT]
        self._compare(self._old, found, f"experiment {self._old.name}", self._old.uuid)

    # Data

    def _items(self, moving: _Moving) -> Iterator[Data]:
        """Give the data of a dataset that are still to be moved."""
        for entry, data in zip(moving.old.uris, iterate_data(self._source, moving.old, moving.is_raw), strict=True):
            entry.md_uri = ""  # read, and of no more use: a list may be long
            old = self._kept.restore(data)
            if old.uuid not in self._arrival.places:
                yield old
                continue
            found = self._arrival.read(old.uuid, is_raw=moving.is_raw)
            self._report.present += 1
            where = f"{moving.link.name}/{old.name}"
            if old.uuid in self._begun:
                self._compare(old, found, where, old.uuid)
            else:
                self._report.differing += [f"{where}: {each}" for each in differences(facts(old), facts(found))]
            self._tell(old)

    def _results(self, datasets: list[_Moving]) -> None:
        """Move processed data, those that others were made from first."""
        early: list[tuple[_Moving, list[Data]]] = [(moving, []) for moving in datasets]
        for moving, later in early:
            self._move(self._ready(self._items(moving), later), moving)
        while early := [(moving, waiting) for moving, waiting in early if waiting]:
            count, before = sum(len(waiting) for _, waiting in early), early
            early = [(moving, []) for moving, _ in before]
            for (moving, waiting), (_, later) in zip(before, early, strict=True):
                self._move(self._ready(waiting, later), moving)
            if sum(len(later) for _, later in early) == count:  # made from what is not in this experiment
                self._move([early[0][1].pop(0)], early[0][0])

    def _ready(self, data: Iterable[Data], later: list[Data]) -> Iterator[Data]:
        """Give the data whose inputs are there; the others are put aside."""
        for each in data:
            inputs = each.inputs if isinstance(each, ProcessedData) else []
            if all(item.uuid in self._arrival.places for item in inputs):
                yield each
            else:
                later.append(each)

    def _move(self, data: Iterable[Data], moving: _Moving) -> None:
        dataset = Dataset(moving.link.url, moving.old.uuid, moving.link.name)
        with contextlib.closing(loads(self._source, data, in_place=self._arrival.receives)) as fetched:
            for load in fetched:
                lay_at = {each.data.uuid: self._lay_at(each.data) for each in load}
                self._begun.add(*lay_at)
                for each, arrived in self._arrival.put(load, dataset, self._new, lay_at):
                    self._moved(each, arrived, moving, lay_at[each.data.uuid])

    def _lay_at(self, data: Data) -> str:
        return data.uri if REFERENCE in data.extra else self._kept.references.get(data.uuid, "")

    def _moved(self, fetched: Fetched, arrived: Data, moving: _Moving, lay_at: str) -> None:
        data = fetched.data
        if lay_at and REFERENCE not in arrived.extra:
            self._keeper.keep_reference(data.uuid, lay_at)
            self._report.not_held.append(f"{data.name}: was left where it lay, and is a copy now")
        if told := change_of(self._source, data, fetched.sha256):
            self._report.changed.append(f"{moving.link.name}/{told}")
        self._compare(data, arrived, f"{moving.link.name}/{data.name}", data.uuid)
        self._report.moved += 1
        self._report.size += fetched.size
        self._tell(data)

    def _compare(self, old: Experiment | Dataset | Data | Run, new: object, where: str, uuid: str) -> None:
        found = differences(facts(old), facts(new))  # type: ignore[arg-type]
        if found:
            self._keeper.keep(uuid, found)
            self._report.not_held += [f"{where}: {each}" for each in found]

    def _tell(self, data: Data) -> None:
        percent = 100 * (self._report.moved + self._report.present) // max(self._total, 1)
        for observer in self._observers:
            observer.notify_progress(percent, f"transfer {data.name}")


def _plain(dataset: Dataset) -> Dataset:
    """Copy a dataset without what its service remembers with it: lists are long, and several are held."""
    return Dataset(dataset.md_uri, dataset.uuid, dataset.name, dataset.uris, dict(dataset.extra))


def _says_the_same(dataset: Dataset, old: Dataset) -> bool:
    about, before = (dataset.uuid, dataset.name, dataset.extra), (old.uuid, old.name, old.extra)
    return about == before and [item.uuid for item in dataset.uris] == [item.uuid for item in old.uris]
