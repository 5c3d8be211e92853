"""Execute a record again, elsewhere, and say whether the results come out the same."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Data, Dataset, Experiment, Run, Tool
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.jobs.compare import compare_files
from bioimageit_core.jobs.digests import digest_path, digest_tool
from bioimageit_core.jobs.direct import exec_tool
from bioimageit_core.jobs.earlier import runs_of
from bioimageit_core.jobs.errors import JobError
from bioimageit_core.jobs.pool import Stop, default_workers, work_through
from bioimageit_core.jobs.progress import Progress
from bioimageit_core.jobs.record import FileRecord, ItemRecord, RunRecord, read_record
from bioimageit_core.jobs.staging import Staging
from bioimageit_core.jobs.staleness import Kept, current_tool
from bioimageit_core.plugins.contracts import RunsCommands

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService, ToolsService

__all__ = ["Verdict", "replay_dataset"]


@dataclass(frozen=True)
class Verdict:
    """What became of one output.

    Attributes
    ----------
    item
        Name of the item that made it.
    output
        Name of the tool's output.
    data
        Name of the data.
    verdict
        ``identical``, ``equal`` (numerically, within the tolerance), ``different``, ``failed`` (the tool did), or
        ``impossible``: tool or inputs are not what they were, or not there.
    detail
        Where it differs, or why.
    largest
        The largest difference of two numbers.
    """

    item: str
    output: str
    data: str
    verdict: str
    detail: str = ""
    largest: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the result came out the same."""
        return self.verdict in ("identical", "equal")


def replay_dataset(
    data: DataService,
    tools: ToolsService,
    runner: Any,
    experiment: Experiment,
    dataset: Dataset,
    *,
    tolerance: float = 1e-6,
    work_dir: str = "",
    workers: int | None = None,
    observers: Iterable[Observer] = (),
    job_id: int = 0,
    stop: Stop | None = None,
) -> list[Verdict]:
    """Execute every recorded item of a dataset's runs again, and compare what comes out with what was stored.

    Nothing of the experiment is changed. Tools and inputs must have the checksums that were recorded: with others, what
    comes out proves nothing.

    Parameters
    ----------
    tolerance
        How far numbers may be apart to count as equal, relative to the larger of 1 and the recorded number.
    work_dir
        Where the new results are written, and stay; empty for a temporary directory, which is removed.

    Raises
    ------
    JobError
        No run of the dataset has a record.
    """
    stop = stop or Stop()
    experiment = data.get_experiment(experiment.md_uri) if experiment.md_uri else experiment
    with contextlib.ExitStack() as made:
        folder = work_dir or made.enter_context(tempfile.TemporaryDirectory(prefix="bioimageit-replay-"))
        os.makedirs(folder, exist_ok=True)
        replay = _Replay(data, tools, runner, experiment, folder, tolerance)
        tasks = replay.tasks(dataset)
        if not tasks:
            raise JobError(f"dataset {dataset.name!r} has no results whose execution was recorded")
        told = Progress(list(observers), job_id, len(tasks))
        verdicts: dict[int, list[Verdict]] = {}

        def heard(outcome: tuple[int, list[Verdict]]) -> None:
            number, found = outcome
            verdicts[number] = found
            told.item(ItemRecord(found[0].item, ", ".join(sorted({verdict.verdict for verdict in found}))))

        at_once = workers or (default_workers() if isinstance(runner, RunsCommands) else 1)
        work_through(enumerate(tasks), replay, at_once, stop, heard)
    return [verdict for number in sorted(verdicts) for verdict in verdicts[number]]


@dataclass(frozen=True)
class _Task:
    run: Run
    record: RunRecord
    item: ItemRecord
    tool: Tool | None
    doubt: str


class _Replay:
    """Executes recorded items; called from several threads at once."""

    def __init__(
        self,
        data: DataService,
        tools: ToolsService,
        runner: Any,
        experiment: Experiment,
        folder: str,
        tolerance: float,
    ) -> None:
        self.data = data
        self.tools = tools
        self.runner = runner
        self.folder = folder
        self.tolerance = tolerance
        self.kept = Kept(data, experiment)
        self.staging = Staging(data, Dataset(), Run(), folder)

    def tasks(self, dataset: Dataset) -> list[_Task]:
        """List what was executed and whose results are still in the dataset."""
        there = {entry.uuid for entry in dataset.uris}
        tasks = []
        for run in runs_of(self.data, dataset):
            record = read_record(run)
            if record is None:
                continue
            tool = current_tool(self.tools, run)
            doubt = self._doubt(tool, record)
            tasks += [
                _Task(run, record, item, tool, doubt)
                for item in record.items
                if item.state in ("done", "reused") and any(file.uuid in there for file in item.outputs)
            ]
        return tasks

    def _doubt(self, tool: Tool | None, record: RunRecord) -> str:
        if tool is None:
            return f"tool {record.tool.id} version {record.tool.version} is not known any more"
        if digest_tool(tool).sha256 != record.tool.sha256:
            return f"tool {record.tool.id} is not what it was (version {record.tool.version}, now {tool.version})"
        return ""

    def __call__(self, task: tuple[int, _Task]) -> tuple[int, list[Verdict]]:
        number, given = task
        item = given.item
        if given.doubt or given.tool is None:
            return number, _all(item, "impossible", given.doubt)
        folder = os.path.join(self.folder, str(number))
        try:
            inputs = self._inputs(given.tool, item)
        except (BioImageITError, OSError) as error:
            return number, _all(item, "impossible", str(error))
        try:
            wanted = self._wanted(given.tool, item, folder)
            values = {**given.record.parameters, **inputs, **wanted}
            written = exec_tool(given.tool, values, runner=self.runner)
            return number, self._compare(item, written)
        except (BioImageITError, OSError) as error:
            return number, _all(item, "failed", str(error))

    def _inputs(self, tool: Tool, item: ItemRecord) -> dict[str, Any]:
        files: dict[str, list[InputFile]] = {}
        for file in item.inputs:
            data, path = self._file(file)
            if file.sha256 and digest_path(path).sha256 != file.sha256:
                raise JobError(f"the content of input {file.data!r} is not what it was")
            files.setdefault(file.name, []).append(InputFile(path, data.name, data.format))
        return {name: found if tool.type == "merge" else found[0] for name, found in files.items()}

    def _file(self, file: FileRecord) -> tuple[Data, str]:
        data = self.kept.get(file.uuid)
        if data is None:
            raise JobError(f"{file.data or file.uuid!r} is not there any more")
        return data, self.staging.fetch(data)

    def _wanted(self, tool: Tool, item: ItemRecord, folder: str) -> dict[str, str]:
        """Say where each output is to lie: under the extension that it has in the store."""
        os.makedirs(folder, exist_ok=True)
        wanted = {output.name: os.path.join(folder, output.name) for output in tool.outputs}
        for file in item.outputs:
            _, path = self._file(file)
            wanted[file.name] = os.path.join(folder, f"{file.name}{os.path.splitext(path.rstrip('/'))[1]}")
        return wanted

    def _compare(self, item: ItemRecord, written: dict[str, list[str]]) -> list[Verdict]:
        verdicts = []
        left = {name: list(paths) for name, paths in written.items()}
        for file in item.outputs:
            candidates = left.get(file.name, [])
            if not candidates:
                verdicts.append(Verdict(item.name, file.name, file.data, "different", "it was not written this time"))
                continue
            after = next((path for path in candidates if digest_path(path).sha256 == file.sha256), candidates[0])
            candidates.remove(after)
            _, before = self._file(file)
            if file.sha256 and digest_path(before).sha256 != file.sha256:
                detail = "the stored file is not what was recorded"
                verdicts.append(Verdict(item.name, file.name, file.data, "impossible", detail))
                continue
            found = compare_files(before, after, self.tolerance)
            verdicts.append(Verdict(item.name, file.name, file.data, found.outcome, found.detail, found.largest))
        return verdicts


def _all(item: ItemRecord, verdict: str, detail: str) -> list[Verdict]:
    return [Verdict(item.name, file.name, file.data, verdict, detail) for file in item.outputs]
