"""What a job will do, item by item and with reasons, before it does anything."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bioimageit_core.containers import IO_INPUT, Data, Dataset, Experiment, Job, Tool
from bioimageit_core.core.collector import paused_collector
from bioimageit_core.core.exceptions import (
    DataQueryError,
    InvalidNameError,
    NotFoundError,
    ToolsServiceError,
)
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.jobs.digests import Digests, ToolDigest, digest_tool
from bioimageit_core.jobs.earlier import Earlier, Result, Work, identity_of, read_earlier
from bioimageit_core.jobs.errors import JobError
from bioimageit_core.jobs.image_facts import asks_for_facts, image_facts
from bioimageit_core.jobs.naming import sort_key, stem_of, unique_name
from bioimageit_core.jobs.pairing import Selected, pair
from bioimageit_core.jobs.record import FileRecord
from bioimageit_core.jobs.selection import RAW_NAME, Lineage, dataset_of, select_data
from bioimageit_core.plugins.contracts import LocksEnvironment

if TYPE_CHECKING:
    from bioimageit_core.core.wrappers import OutputSpec
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["Plan", "PlannedItem", "input_files", "local_path", "plain_values", "plan_items", "plan_job"]

Inputs = Mapping[str, tuple[Data, ...]]
Action = Literal["run", "skip", "reuse"]


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One execution of the tool that is planned, or not needed.

    Attributes
    ----------
    name
        What people call it: the name of the first data that it is made from.
    stem
        What its results are named after.
    reason
        Why it is run, skipped or reused.
    result
        What an earlier run made, where it is skipped or reused.
    """

    name: str
    stem: str
    inputs: Inputs
    action: Action = "run"
    reason: str = ""
    result: Result | None = None


@dataclass
class Plan:
    """All that a job will do.

    Attributes
    ----------
    dataset
        The dataset for the results, if it is there already.
    misfits
        What the tool does not accept of its inputs; a job with any is refused before anything runs.
    with_facts
        Whether the wrapper asks what its images are.
    discard
        Outputs of the tool that are not kept.
    """

    job: Job
    experiment: Experiment
    tool: Tool
    work: Work
    tool_digest: ToolDigest
    dataset_name: str
    dataset: Dataset | None
    outputs: Sequence[OutputSpec]
    items: list[PlannedItem]
    earlier: Earlier
    elsewhere: list[Earlier] = field(default_factory=list)
    broadcast: list[str] = field(default_factory=list)
    with_facts: bool = False
    misfits: list[str] = field(default_factory=list)
    discard: frozenset[str] = frozenset()

    @property
    def to_do(self) -> int:
        """Count the items that are not skipped."""
        return sum(item.action != "skip" for item in self.items)

    def files_of(self, inputs: Inputs, paths: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
        """Give inputs as the tool's wrapper takes them."""
        return input_files(self.tool, inputs, paths, with_facts=self.with_facts)

    def check_inputs(self, inputs: Inputs) -> None:
        """Check what the wrapper says of its inputs.

        Raises
        ------
        ToolsServiceError
            They do not fit.
        """
        from bioimageit_core.core.wrappers import check_values

        check_values(self.tool, self.job.parameters, self.files_of(inputs))

    def counts(self) -> dict[str, int]:
        """Count the items of each action."""
        return dict(Counter(item.action for item in self.items))

    def reasons(self) -> list[tuple[str, str, int]]:
        """Give each action with its reason and the number of items that it is for, the commonest first."""
        counted = Counter((item.action, item.reason) for item in self.items)
        return [(action, reason, number) for (action, reason), number in counted.most_common()]


def plan_job(
    job: Job,
    *,
    data: DataService,
    runner: Any = None,
    reuse: bool = True,
    resume: bool = True,
    broadcast: Collection[str] = (),
    preflight: bool = True,
    discard: Collection[str] = (),
) -> Plan:
    """Plan a job; nothing is written.

    Parameters
    ----------
    runner
        Tells the digest of the tool's environment, if it locks environments.
    reuse
        Whether results of the same work on the same contents in other datasets of the experiment are taken over.
    resume
        Whether items that earlier runs of the same dataset did are skipped.
    broadcast
        Inputs whose one data goes with all items.
    preflight
        Whether to look whether the tool accepts each input.
    discard
        Outputs of the tool that are not kept.

    Raises
    ------
    DataQueryError
        A selection is empty, or its query cannot be understood.
    PairingError
        The selections cannot be paired.
    ToolsServiceError
        A parameter or input does not fit the tool.
    NotFoundError
        A dataset is not there.
    """
    from bioimageit_core.core.wrappers import check_values, output_specs
    from bioimageit_core.jobs.preflight import find_misfits, find_refused

    experiment, tool, dataset_name = _check_job(job)
    selections = _select(job, experiment, data)
    with paused_collector():
        groups = _group(tool, selections, broadcast, Lineage(data))
    with_facts = asks_for_facts(tool)
    files = input_files(tool, groups[0])
    values = plain_values(check_values(tool, job.parameters))
    outputs = output_specs(tool, job.parameters, files)
    dataset = _existing_dataset(data, experiment, dataset_name)
    tool_digest = digest_tool(tool)
    environment = runner.environment_digest(tool) if isinstance(runner, LocksEnvironment) else None
    work = Work(tool, tool_digest.sha256, environment, values, plain_values(job.parameters))
    kept = [output for output in outputs if output.name not in discard]
    required = [output.name for output in kept if not (output.is_discovered or output.is_collection)]
    earlier = read_earlier(data, dataset, work, required, discard=discard) if dataset is not None else Earlier()
    elsewhere = _elsewhere(data, experiment, dataset_name, work, discard) if reuse else []
    with paused_collector():
        items = plan_items(groups, earlier if resume else Earlier(), elsewhere, why_run=_why_run(earlier, resume))
    plan = Plan(
        job,
        experiment,
        tool,
        work,
        tool_digest,
        dataset_name,
        dataset,
        outputs,
        items,
        earlier,
        elsewhere,
        list(broadcast),
        with_facts,
        discard=frozenset(discard),
    )
    if preflight:
        plan.misfits = find_misfits(tool, [item.inputs for item in items if item.action == "run"])
        plan.misfits += find_refused(plan)
    return plan


def plan_items(
    groups: Iterable[Inputs],
    earlier: Earlier,
    elsewhere: Sequence[Earlier] = (),
    *,
    why_run: str = "new",
    digests: Digests | None = None,
) -> list[PlannedItem]:
    """Say of each group of inputs whether the tool is to be executed on it, and why."""
    taken: set[str] = set()
    items = []
    digests = digests or Digests()
    nothing_known = not earlier.by_inputs and not earlier.gone and not any(other.by_inputs for other in elsewhere)
    for inputs in groups:
        first = next(iter(inputs.values()))[0]
        stem = unique_name(stem_of(first), taken)
        taken.add(stem.lower())
        action, reason, result = (
            ("run", why_run, None) if nothing_known else _decide(inputs, earlier, elsewhere, why_run, digests)
        )
        items.append(PlannedItem(first.name, stem, inputs, action, reason, result))
    return items


def input_files(
    tool: Tool, inputs: Inputs, paths: Mapping[str, Sequence[str]] | None = None, *, with_facts: bool = False
) -> dict[str, Any]:
    """Give a tool's inputs as wrappers take them: one file, or all files of a merge tool's selection.

    Parameters
    ----------
    paths
        Local path of each data; without them their URIs stand for them.
    with_facts
        Whether to read what wrappers may ask of images.
    """
    files: dict[str, Any] = {}
    for name, several in inputs.items():
        where = (
            paths[name] if paths is not None else [local_path(data.uri) or data.uri or data.name for data in several]
        )
        listed = [
            InputFile(path, data.name, data.format, image_facts(path) if with_facts else {})
            for data, path in zip(several, where, strict=True)
        ]
        files[name] = listed if tool.type == "merge" else listed[0]
    return files


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values as JSON has them, so that they compare equal to those that were written and read again."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return plain


def local_path(uri: str) -> str:
    """Give the path of a local file or directory; empty where the URI is of another kind or nothing is there."""
    path = uri.removeprefix("file://")
    return os.path.abspath(path) if path and os.path.exists(path) else ""


def _decide(
    inputs: Inputs, earlier: Earlier, elsewhere: Sequence[Earlier], why_run: str, digests: Digests
) -> tuple[Action, str, Result | None]:
    identity = identity_of((name, data.uuid) for name, several in inputs.items() for data in several)
    result = earlier.by_inputs.get(identity)
    if result is not None:
        changed = _changed_input(inputs, result.inputs, digests)
        if not changed:
            return "skip", "done by an earlier run", result
        return "run", f"the content of {changed!r} changed", None
    for other in elsewhere:
        result = other.by_inputs.get(identity)
        if result is not None and not _changed_input(inputs, result.inputs, digests):
            return "reuse", f"dataset {result.dataset!r} has the result", result
    return "run", earlier.gone.get(identity, why_run), None


def _changed_input(inputs: Inputs, then: Sequence[FileRecord], digests: Digests) -> str:
    """Name the first data whose content is not what it was; a data that is not a local file counts as unchanged."""
    recorded = {(file.name, file.uuid): file for file in then}
    for name, several in inputs.items():
        for data in several:
            file = recorded.get((name, data.uuid))
            path = local_path(data.uri)
            if file is None or not file.sha256 or not path:
                continue
            status = os.stat(path)
            if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
                continue
            if digests.of(path).sha256 != file.sha256:
                return data.name
    return ""


def _check_job(job: Job) -> tuple[Experiment, Tool, str]:
    if job.experiment is None:
        raise JobError("the job has no experiment: call set_experiment")
    if job.tool is None:
        raise JobError("the job has no tool: call set_tool")
    if not job.inputs.inputs:
        raise JobError(f"the job has no input for tool {job.tool.fullname()}: call set_input")
    name = job.output_dataset_name or job.tool.id
    if name in (RAW_NAME, job.experiment.raw_dataset.name):
        raise InvalidNameError("dataset", name, "results go to a dataset of their own, not to the raw one")
    known = [parameter.name for parameter in job.tool.inputs if parameter.io == IO_INPUT or parameter.is_data]
    for given in job.inputs.inputs:
        if known and given.name not in known:
            raise ToolsServiceError(
                f"tool {job.tool.fullname()} has no input {given.name!r} (its inputs: {', '.join(known)})"
            )
    return job.experiment, job.tool, name


def _select(job: Job, experiment: Experiment, data: DataService) -> dict[str, list[Data]]:
    lineage = Lineage(data)
    datasets: dict[str, Dataset] = {}
    selections: dict[str, list[Data]] = {}
    for given in job.inputs.inputs:
        if given.dataset not in datasets:
            datasets[given.dataset] = _refreshed_dataset(data, experiment, given.dataset)
        found = select_data(data, datasets[given.dataset], given.query, given.origin_output_name, lineage=lineage)
        if not found:
            raise DataQueryError(_why_nothing(given.name, given.dataset, given.query, given.origin_output_name))
        selections.setdefault(given.name, []).extend(found)
    return selections


def _why_nothing(name: str, dataset: str, query: str, output: str) -> str:
    what = f"no data of dataset {dataset!r}"
    if output:
        what += f" that are output {output!r}"
    return f"input {name!r}: {what} match {query!r}" if query.strip() else f"input {name!r}: there are {what}"


def _refreshed_dataset(data: DataService, experiment: Experiment, name: str) -> Dataset:
    try:
        return dataset_of(data, experiment, name)
    except NotFoundError:
        _refresh(data, experiment)
        return dataset_of(data, experiment, name)


def _existing_dataset(data: DataService, experiment: Experiment, name: str) -> Dataset | None:
    if all(info.name != name for info in experiment.processed_datasets):
        _refresh(data, experiment)
    for info in experiment.processed_datasets:
        if info.name == name:
            return data.get_dataset(info.url)
    return None


def _refresh(data: DataService, experiment: Experiment) -> None:
    """Take in the datasets that others created since the container was read."""
    if experiment.md_uri:
        experiment.processed_datasets = data.get_experiment(experiment.md_uri).processed_datasets


def _group(
    tool: Tool, selections: Mapping[str, Sequence[Data]], broadcast: Collection[str], lineage: Lineage
) -> list[Inputs]:
    if tool.type == "merge":
        # in an order that follows from the data: a processed dataset has the order in which items happened to end
        return [{name: tuple(sorted(found, key=sort_key)) for name, found in selections.items()}]
    if len(selections) == 1:
        ((name, found),) = selections.items()
        return [{name: (data,)} for data in found]
    known = {name: [Selected(data, lineage.origin_key(data)) for data in found] for name, found in selections.items()}
    return [{name: (data,) for name, data in group.items()} for group in pair(known, broadcast)]


def _elsewhere(
    data: DataService, experiment: Experiment, own: str, work: Work, discard: Collection[str]
) -> list[Earlier]:
    found = []
    for info in experiment.processed_datasets:
        if info.name != own:
            dataset = data.get_dataset(info.url)
            earlier = read_earlier(data, dataset, work, (), same_dataset=False, discard=discard)
            if earlier.by_inputs:
                found.append(earlier)
    return found


def _why_run(earlier: Earlier, resume: bool) -> str:
    if not resume:
        return "asked to run again"
    if earlier.differences:
        return earlier.differences[-1]
    return "not done yet" if earlier.by_inputs else "new"
