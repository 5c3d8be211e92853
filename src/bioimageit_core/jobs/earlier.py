"""What earlier runs did already, so that it need not be done again."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Dataset, ProcessedData, Run, Tool
from bioimageit_core.core.paths import MD_SUFFIX
from bioimageit_core.jobs.record import FileRecord, RunRecord, read_record
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.contracts import ListsRuns

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["Earlier", "Result", "Work", "identity_of", "read_earlier", "runs_of"]

Identity = tuple[tuple[str, str], ...]


def identity_of(inputs: Iterable[tuple[str, str]]) -> Identity:
    """Give the identity of an item's inputs, from pairs of an input's name and the uuid of a data."""
    return tuple(sorted(inputs))


@dataclass(frozen=True)
class Work:
    """What makes two executions on the same data the same: tool, environment and parameters.

    Attributes
    ----------
    parameters
        All that are in use, with their defaults.
    given
        Those that the caller gave.
    """

    tool: Tool
    tool_sha256: str
    environment: str | None
    parameters: Mapping[str, Any]
    given: Mapping[str, Any]

    def differs_from(self, run: Run, record: RunRecord | None) -> str:
        """Say what another run did differently; empty if nothing.

        Where other software made the run, only its tool's address or name and its parameters can be compared.
        """
        if record is None:
            same_tool = run.process_uri == self.tool.uri or run.process_name in (self.tool.name, self.tool.fullname())
            if not same_tool:
                return "another tool"
            then = {parameter.name: str(parameter.value) for parameter in run.parameters}
            return _changed(then, {name: str(value) for name, value in self.given.items()})
        if record.tool.id != self.tool.id:
            return "another tool"
        if record.tool.version != self.tool.version or record.tool.sha256 != self.tool_sha256:
            return f"the tool changed since it was version {record.tool.version}"
        if record.environment != self.environment:
            return "the tool's environment changed"
        return _changed(record.parameters, self.parameters)


@dataclass(frozen=True)
class Result:
    """What an earlier execution made.

    Attributes
    ----------
    dataset
        Name of the dataset that it is in.
    outputs
        The data that it made.
    inputs
        What it was made from; without checksums where other software made the run.
    places
        ``md_uri`` of each data of that dataset, by uuid.
    """

    dataset: str
    outputs: Sequence[FileRecord]
    inputs: Sequence[FileRecord]
    key: str = ""
    places: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass
class Earlier:
    """The results of earlier runs that are still there, of the same work."""

    by_inputs: dict[Identity, Result] = field(default_factory=dict)
    by_key: dict[str, Result] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)
    gone: dict[Identity, str] = field(default_factory=dict)
    """What is not there any more of what was made from inputs."""

    def add(self, result: Result) -> None:
        """Take a result in; a later one of the same inputs stands for the earlier."""
        self.by_inputs[identity_of((file.name, file.uuid) for file in result.inputs)] = result
        if result.key:
            self.by_key[result.key] = result


def runs_of(data_service: DataService, dataset: Dataset) -> list[Run]:
    """List the runs of a dataset, oldest first as far as the service knows."""
    if isinstance(data_service, ListsRuns):
        return list(data_service.get_dataset_runs(dataset))
    uris = dict.fromkeys(data.run.md_uri for data in _processed(data_service, dataset) if data.run.md_uri)
    return [data_service.get_run(uri) for uri in uris]


def read_earlier(
    data_service: DataService,
    dataset: Dataset,
    work: Work,
    outputs: Sequence[str],
    *,
    same_dataset: bool = True,
    discard: Collection[str] = (),
) -> Earlier:
    """Read what earlier runs into a dataset made with the same work.

    Parameters
    ----------
    outputs
        Names of the outputs that an execution has to have made.
    same_dataset
        Whether `dataset` is the one that the new run writes to; only then runs without a record count.
    discard
        Outputs that are not wanted; an execution that did not keep others does not count.
    """
    earlier = Earlier()
    there = {entry.uuid: entry.md_uri for entry in dataset.uris}
    unrecorded: list[Run] = []
    files = _Files(data_service)
    for run in runs_of(data_service, dataset):
        record = read_record(run)
        if record is not None:
            earlier.names.update(file.data.lower() for item in record.items for file in item.outputs)
        difference = work.differs_from(run, record)
        if difference:
            if difference != "another tool":
                earlier.differences.append(difference)
            continue
        if record is None or record.state in ("running", ""):
            unrecorded.append(run)
        for item in record.items if record is not None else []:
            is_whole = all(file.uuid in there for file in item.outputs)
            if is_whole and (gone := files.gone(there[file.uuid] for file in item.outputs)):
                identity = identity_of((file.name, file.uuid) for file in item.inputs)
                earlier.gone[identity] = f"the file of output {gone!r} is not there any more"
                continue
            lacks = any(file.name not in discard for file in item.dropped)
            if item.state in ("done", "reused") and is_whole and not lacks:
                earlier.add(Result(dataset.name, item.outputs, item.inputs, item.key, there))
    if unrecorded and same_dataset:
        _add_by_documents(earlier, data_service, dataset, unrecorded, outputs)
    return earlier


class _Files:
    """Says whether the files of results are there, where a home keeps them on this machine."""

    def __init__(self, data_service: DataService) -> None:
        self._data_service = data_service
        self._stems: dict[str, set[str]] = {}

    def gone(self, md_uris: Iterable[str]) -> str:
        """Name the first data whose file is not there any more; ``''`` where all are."""
        for md_uri in md_uris:
            folder, name = os.path.split(md_uri)
            # a directory is looked at once; documents are read of those alone that have no file of their name in it
            if not os.path.isabs(folder) or name.removesuffix(MD_SUFFIX) in self._in(folder):
                continue
            data = self._data_service.get_processed_data(md_uri)
            if os.path.isabs(data.uri) and not os.path.exists(data.uri):
                return data.name
        return ""

    def _in(self, folder: str) -> set[str]:
        if folder not in self._stems:
            all_names = os.listdir(folder) if os.path.isdir(folder) else []
            names = [name for name in all_names if not name.endswith(MD_SUFFIX)]
            self._stems[folder] = {*names, *(os.path.splitext(name)[0] for name in names)}
        return self._stems[folder]


def _add_by_documents(
    earlier: Earlier, data_service: DataService, dataset: Dataset, runs: Sequence[Run], outputs: Sequence[str]
) -> None:
    """Add what the documents of the data themselves tell, where a run's record does not: it was cut off."""
    wanted = {run.uuid or run.md_uri for run in runs}
    found: dict[tuple[str, Identity], list[ProcessedData]] = {}
    for data in _processed(data_service, dataset):
        earlier.names.add(data.name.lower())
        run = data.run.uuid or data.run.md_uri
        if run in wanted:
            inputs = identity_of((i.name, i.uuid) for i in data.inputs)
            found.setdefault((run, inputs), []).append(data)
    for (_, inputs), made in found.items():
        if inputs not in earlier.by_inputs and set(outputs) <= {data.output.get("name", "") for data in made}:
            files = [FileRecord(data.output.get("name", ""), data.name, data.uuid) for data in made]
            earlier.add(Result(dataset.name, files, [FileRecord(name, "", uuid) for name, uuid in inputs]))


def _processed(data_service: DataService, dataset: Dataset) -> Iterator[ProcessedData]:
    return (data for data in iterate_data(data_service, dataset, is_raw=False) if isinstance(data, ProcessedData))


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    if not names:
        return ""
    name = names[0]
    return f"parameter {name!r} was {then.get(name, 'not given')!r} and is {now.get(name, 'not given')!r}"
