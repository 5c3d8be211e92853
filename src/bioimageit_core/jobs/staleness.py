"""Whether results are current and, if not, because of what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bioimageit_core.containers import Data, Dataset, Experiment, Run, Tool
from bioimageit_core.core.exceptions import BioImageITError, DataQueryError
from bioimageit_core.core.query import parse_query
from bioimageit_core.jobs.digests import Digests, digest_tool
from bioimageit_core.jobs.earlier import runs_of
from bioimageit_core.jobs.plan import local_path, plain_values
from bioimageit_core.jobs.record import FileRecord, RunRecord, read_record
from bioimageit_core.jobs.selection import Lineage, dataset_of, select_data
from bioimageit_core.plugins.contracts import LocksEnvironment

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService, ToolsService

__all__ = ["Kept", "Reason", "current_tool", "dataset_status"]

Kind = Literal["input", "annotation", "parameter", "tool", "environment", "output", "unfinished", "unknown"]


@dataclass(frozen=True)
class Reason:
    """Why results are not current.

    Attributes
    ----------
    kind
        What changed: an ``input``'s content, or which inputs there are; an ``annotation`` that a query used; a
        ``parameter``; the ``tool``; its ``environment``; the ``output`` itself. ``unfinished`` where items were not
        done, ``unknown`` where other software made the results and recorded no checksums.
    subject
        Name of what changed.
    """

    kind: Kind
    subject: str
    text: str

    def __str__(self) -> str:
        return self.text


class Kept:
    """The data of an experiment by their uuid, read when they are asked for."""

    def __init__(self, data_service: DataService, experiment: Experiment) -> None:
        self._service = data_service
        self._places: dict[str, tuple[bool, str]] = {}
        for info in [experiment.raw_dataset, *experiment.processed_datasets]:
            is_raw = info is experiment.raw_dataset
            for entry in data_service.get_dataset(info.url).uris:
                self._places[entry.uuid] = (is_raw, entry.md_uri)

    def get(self, uuid: str) -> Data | None:
        """Read the data of a uuid; None if the experiment has none."""
        is_raw, md_uri = self._places.get(uuid, (True, ""))
        if not md_uri:
            return None
        try:
            return self._service.get_raw_data(md_uri) if is_raw else self._service.get_processed_data(md_uri)
        except BioImageITError:
            return None


def dataset_status(
    data: DataService, tools: ToolsService, experiment: Experiment, dataset: Dataset, *, runner: Any = None
) -> list[Reason]:
    """Say why a processed dataset is not what its runs would make today; nothing if it is.

    Parameters
    ----------
    runner
        Tells the digest of a tool's environment, if it locks environments.
    """
    experiment = data.get_experiment(experiment.md_uri) if experiment.md_uri else experiment
    check = _Check(data, tools, experiment, runner)
    return list(dict.fromkeys(check.dataset(dataset, frozenset())))


def current_tool(tools: ToolsService, run: Run) -> Tool | None:
    """Find the tool of a run as it is now: where its wrapper was, else by its name."""
    if local_path(run.process_uri):
        try:
            return tools.read_tool(run.process_uri)
        except BioImageITError:
            pass
    try:
        return tools.get_tool(run.process_name)
    except BioImageITError:
        return None


class _Check:
    def __init__(self, data: DataService, tools: ToolsService, experiment: Experiment, runner: Any) -> None:
        self.data = data
        self.tools = tools
        self.experiment = experiment
        self.runner = runner
        self.kept = Kept(data, experiment)
        self.lineage = Lineage(data)
        self.digests = Digests()

    def dataset(self, dataset: Dataset, above: frozenset[str]) -> Iterator[Reason]:
        runs = [(run, read_record(run)) for run in runs_of(self.data, dataset)]
        there = {entry.uuid for entry in dataset.uris}
        latest = next((record for _, record in reversed(runs) if record is not None), None)
        yield from _unfinished([record for _, record in runs if record is not None])
        sources: dict[str, None] = {}
        for run, record in runs:
            sources.update((given.dataset, None) for given in run.inputs)
            if record is None:
                text = f"run {run.process_name} was made by other software, which recorded no checksums"
                yield Reason("unknown", run.process_name, text)
                continue
            if not record.state:
                text = f"run {run.process_name} is kept as it was begun, without checksums: its home cannot update runs"
                yield Reason("unknown", run.process_name, text)
                continue
            files = [file for item in record.items for file in item.outputs if file.uuid in there]
            if not files:
                continue  # nothing of that run is left
            yield from self._tool(run, record)
            if latest is not None and record.tool.id == latest.tool.id:
                yield from _parameters(record.parameters, latest.parameters, "the latest run of this dataset used")
            yield from self._files("input", [file for item in record.items for file in item.inputs])
            yield from self._files("output", files)
        if runs:
            yield from self._selection(runs)
        for name in sources:
            yield from self._source(name, dataset, above)

    def _tool(self, run: Run, record: RunRecord) -> Iterator[Reason]:
        from bioimageit_core.core.wrappers import check_values

        tool = current_tool(self.tools, run)
        if tool is None:
            yield Reason("tool", run.process_name, f"tool {run.process_name} is not known any more")
            return
        digest = digest_tool(tool)
        if digest.sha256 != record.tool.sha256:
            then, now = record.tool.files, digest.files
            files = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
            version = (
                f" (version {record.tool.version}, now {tool.version})" if tool.version != record.tool.version else ""
            )
            yield Reason("tool", tool.id, f"tool {tool.id} changed{version}: {', '.join(files) or 'its command'}")
        if isinstance(self.runner, LocksEnvironment):
            environment = self.runner.environment_digest(tool)
            if environment != record.environment:
                yield Reason("environment", tool.id, f"the environment of tool {tool.id} changed")
        given = {parameter.name: parameter.value for parameter in run.parameters}
        try:
            values = plain_values(check_values(tool, given))
        except BioImageITError as error:
            yield Reason("parameter", tool.id, f"tool {tool.id} does not take its parameters any more: {error}")
        else:
            yield from _parameters(record.parameters, values, f"the default of tool {tool.id} is now")

    def _files(self, kind: Literal["input", "output"], files: list[FileRecord]) -> Iterator[Reason]:
        for file in {file.uuid: file for file in files}.values():
            data = self.kept.get(file.uuid)
            name = (data.name if data is not None else "") or file.data or file.uuid
            if data is None:
                yield Reason(kind, name, f"{kind} {name!r} is not there any more")
                continue
            path = local_path(data.uri)
            if not path and data.uri.startswith("/"):
                yield Reason(kind, name, f"the file of {kind} {name!r} is not there any more")
            elif path and file.sha256 and self._is_other(path, file):
                yield Reason(kind, name, f"the content of {kind} {name!r} changed")

    def _is_other(self, path: str, file: FileRecord) -> bool:
        import os

        status = os.stat(path)
        if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            return False
        return self.digests.of(path).sha256 != file.sha256

    def _selection(self, runs: list[tuple[Run, RunRecord | None]]) -> Iterator[Reason]:
        """Compare what the last run's queries select now with what the runs were made from."""
        used: dict[str, str] = {}
        for _, record in runs:
            for item in record.items if record is not None else []:
                used.update((file.uuid, file.data) for file in item.inputs)
        run, record = runs[-1]
        if record is None or not used:
            return
        now: dict[str, str] = {}
        keys: set[str] = set()
        for given in run.inputs:
            try:
                keys |= parse_query(given.query).keys()
                dataset = dataset_of(self.data, self.experiment, given.dataset)
                found = select_data(self.data, dataset, given.query, given.origin_output_name, lineage=self.lineage)
            except (BioImageITError, DataQueryError) as error:
                yield Reason("input", given.dataset, f"the selection of input {given.name!r} fails: {error}")
                return
            now.update((one.uuid, one.name) for one in found)
        asked = f"annotation {' or '.join(sorted(keys))}: " if keys else ""
        kind: Kind = "annotation" if keys else "input"
        for uuid, name in now.items():
            if uuid not in used:
                yield Reason(kind, name, f"{asked}{name!r} is selected now and was not")
        for uuid, name in used.items():
            if uuid not in now and self.kept.get(uuid) is not None:
                yield Reason(kind, name, f"{asked}{name!r} was selected and is not now")

    def _source(self, name: str, dataset: Dataset, above: frozenset[str]) -> Iterator[Reason]:
        if name == dataset.name or name in above:
            return
        for info in self.experiment.processed_datasets:
            if info.name == name:
                for reason in self.dataset(self.data.get_dataset(info.url), above | {dataset.name}):
                    if reason.kind != "unknown":
                        yield Reason(reason.kind, reason.subject, f"dataset {name!r} is not current: {reason.text}")


def _unfinished(records: list[RunRecord]) -> Iterator[Reason]:
    """Name the items that failed or were not begun, and that no later run did."""
    open_items: dict[str, str] = {}
    for record in records:
        for item in record.items:
            if item.state in ("failed", "cancelled"):
                open_items[item.name] = item.state
            else:
                open_items.pop(item.name, None)
    for name, state in open_items.items():
        yield Reason("unfinished", name, f"item {name!r} {'failed' if state == 'failed' else 'was cancelled'}")
    if records and records[-1].state == "running":
        yield Reason("unfinished", "run", "the last run is still running, or was cut off")


def _parameters(then: Mapping[str, Any], now: Mapping[str, Any], source: str) -> Iterator[Reason]:
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            was, is_now = then.get(name, "not given"), now.get(name, "not given")
            yield Reason("parameter", name, f"parameter {name!r} was {was!r}; {source} {is_now!r}")
