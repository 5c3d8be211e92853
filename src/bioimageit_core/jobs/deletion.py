"""What goes when something is deleted: what was made from it, and what making it again would cost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioimageit_core.containers import Data, ProcessedData
from bioimageit_core.core.exceptions import BioImageITError, ConflictError
from bioimageit_core.jobs.record import read_record
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.abilities import ListsRuns

if TYPE_CHECKING:
    from bioimageit_core.containers import DatasetInfo, Experiment
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["DEPENDENTS", "Deletion", "Doomed", "plan_deletion"]

DEPENDENTS = ("refuse", "delete", "keep")
"""What to do with what was made from the deleted: refuse to delete, delete it too, or keep it without its origin."""


@dataclass(frozen=True)
class Doomed:
    """A data that goes, or that depends on one that goes."""

    name: str
    dataset: str
    md_uri: str
    uuid: str


@dataclass(frozen=True)
class Deletion:
    """What deleting something means.

    Attributes
    ----------
    what
        In words.
    is_experiment
        Whether all of it goes.
    datasets
        URIs of the datasets that go as a whole.
    data
        What was named, or is in those datasets.
    dependents
        What was made from it, by however many steps, and is not in `data`.
    results
        How many of both are results, which can be made again.
    seconds
        How long the tools took to make them.
    unknown
        Of how many of the results no record says so.
    """

    what: str
    datasets: tuple[str, ...] = ()
    data: tuple[Doomed, ...] = ()
    dependents: tuple[Doomed, ...] = ()
    results: int = 0
    seconds: float = 0.0
    unknown: int = 0
    is_experiment: bool = False


def plan_deletion(
    service: DataService, experiment: Experiment, what: str, datasets: Sequence[str], data: Sequence[str]
) -> Deletion:
    """Find what goes with data and datasets (their URIs) of an experiment, and what depends on them; nothing changes.

    Raises
    ------
    ConflictError
        The raw dataset is among them.
    """
    if experiment.raw_dataset.url in datasets:
        raise ConflictError(f"{experiment.raw_dataset.name!r} is the raw dataset; delete data in it, or the experiment")
    named = set(data)
    going: dict[str, Doomed] = {}
    children: dict[str, list[Doomed]] = {}
    is_result: set[str] = set()
    for info, each in _all_data(service, experiment):
        doomed = Doomed(each.name, info.name, each.md_uri, each.uuid)
        if info.url in datasets or each.md_uri in named:
            going[each.md_uri] = doomed
        if isinstance(each, ProcessedData):
            is_result.add(each.md_uri)
            for given in each.inputs:
                children.setdefault(given.uri, []).append(doomed)
    dependents = _dependents(going, children)
    results = {uri: doomed for uri, doomed in (going | dependents).items() if uri in is_result}
    seconds, known = _cost(service, experiment, {doomed.uuid for doomed in results.values()})
    return Deletion(
        what,
        tuple(datasets),
        tuple(going.values()),
        tuple(dependents.values()),
        len(results),
        round(seconds, 3),
        len(results) - known,
    )


def _all_data(service: DataService, experiment: Experiment) -> Iterator[tuple[DatasetInfo, Data]]:
    """Give all data that can be read; what cannot depends on nothing that one could tell."""
    for info in [experiment.raw_dataset, *experiment.processed_datasets]:
        dataset = service.get_dataset(info.url)
        for item in dataset.uris:
            one = type(dataset)(dataset.md_uri, dataset.uuid, dataset.name)
            one.uris = [item]
            try:
                yield from ((info, data) for data in iterate_data(service, one, info is experiment.raw_dataset))
            except BioImageITError:
                unreadable = Data(item.md_uri, item.uuid)
                unreadable.name = item.md_uri.rpartition("/")[2]
                yield info, unreadable


def _dependents(going: dict[str, Doomed], children: dict[str, list[Doomed]]) -> dict[str, Doomed]:
    found: dict[str, Doomed] = {}
    waiting = list(going)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child.md_uri not in going and child.md_uri not in found:
                found[child.md_uri] = child
                waiting.append(child.md_uri)
    return found


def _cost(service: DataService, experiment: Experiment, uuids: Collection[str]) -> tuple[float, int]:
    """Say how long the executions took that made these results, and of how many results a record tells that."""
    seconds = 0.0
    known: set[str] = set()
    if not uuids or not isinstance(service, ListsRuns):
        return seconds, 0
    for info in experiment.processed_datasets:
        for run in service.get_dataset_runs(service.get_dataset(info.url)):
            record = read_record(run)
            for item in record.items if record else ():
                made = {output.uuid for output in item.outputs} & set(uuids)
                if made - known and item.state == "done":
                    seconds += item.seconds
                    known |= made
    return seconds, len(known)
