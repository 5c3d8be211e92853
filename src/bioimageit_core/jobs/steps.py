"""From a pipeline to the jobs that it stands for: sweeps laid out, order found, everything checked; nothing is run."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Experiment, Pipeline, PipelineStep, Tool
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.jobs.errors import JobError
from bioimageit_core.jobs.selection import RAW_NAME

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import ToolsService

__all__ = ["PipelineError", "PlannedStep", "plan_steps"]

SWEEP = "sweep"
_MOST_VARIANTS = 1000

Variant = tuple[tuple[str, Any], ...]


class PipelineError(JobError):
    """A pipeline that cannot be run; nothing of it was.

    Attributes
    ----------
    problems
        All that is wrong with it.
    """

    def __init__(self, pipeline: str, problems: Sequence[str]) -> None:
        super().__init__(pipeline, tuple(problems))
        self.pipeline = pipeline
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return f"pipeline {self.pipeline!r}: {'; '.join(self.problems)}"


@dataclass(frozen=True)
class PlannedStep:
    """One job of a pipeline.

    Attributes
    ----------
    name
        Of the step, and of the variant of a sweep.
    dataset
        Name of the dataset that gets its results.
    inputs
        Input, dataset, query and output of each selection.
    after
        Names of the planned steps whose results it reads.
    variant
        The values of the sweeps that it is one variant of.
    discard
        Outputs of the tool that are not kept.
    """

    name: str
    step: str
    tool: Tool
    dataset: str
    inputs: tuple[tuple[str, str, str, str], ...]
    parameters: Mapping[str, Any]
    after: tuple[str, ...] = ()
    variant: Mapping[str, Any] = field(default_factory=dict)
    discard: tuple[str, ...] = ()


def plan_steps(experiment: Experiment, pipeline: Pipeline, tools: ToolsService) -> list[PlannedStep]:
    """Lay a pipeline out: each step once for each combination of swept parameters, after the steps that it reads from.

    An input's dataset is one of the experiment, or what another step makes, by the step's name or that of its dataset.
    An output that is not to be saved is kept all the same if another step reads it: results are made from it.
    A parameter is swept if its value is ``{'sweep': [...]}``; the steps that read from it are swept with it.

    Raises
    ------
    PipelineError
        Names everything that is wrong: unknown tools, datasets, inputs, outputs or parameters, steps that wait for each
        other, two steps that write to one dataset.
    """
    problems: list[str] = []
    if not pipeline.steps:
        raise PipelineError(pipeline.name, ["it has no steps"])
    makers = _makers(pipeline.steps, problems)
    read_tools = _read_tools(pipeline.steps, tools, problems)
    needed = {step.name: _needed(step, experiment, makers, problems) for step in pipeline.steps}
    for step in pipeline.steps:
        if step.name in read_tools:
            problems.extend(_misfits(step, read_tools, makers))
    try:
        order = list(graphlib.TopologicalSorter(needed).static_order())
    except graphlib.CycleError as error:
        problems.append(f"steps wait for each other: {' -> '.join(reversed(error.args[1]))}")
        order = []
    if problems:
        raise PipelineError(pipeline.name, list(dict.fromkeys(problems)))
    return _lay_out(pipeline, order, needed, makers, read_tools)


def _makers(steps: Sequence[PipelineStep], problems: list[str]) -> dict[str, PipelineStep]:
    """Give the step that makes what an input calls by the name of a dataset or step."""
    names = [step.name for step in steps]
    datasets = [_dataset_of(step) for step in steps]
    problems += [f"two steps are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    problems += [f"two steps write to dataset {d!r}" for d in sorted({d for d in datasets if datasets.count(d) > 1})]
    by_name = {step.name: step for step in steps if step.name}
    return {**by_name, **{_dataset_of(step): step for step in steps}}


def _dataset_of(step: PipelineStep) -> str:
    return step.output_dataset_name or step.name


def _read_tools(steps: Sequence[PipelineStep], tools: ToolsService, problems: list[str]) -> dict[str, Tool]:
    found = {}
    for step in steps:
        try:
            found[step.name] = tools.get_tool(step.tool)
        except BioImageITError as error:
            problems.append(f"step {step.name!r}: {error}")
    return found


def _needed(
    step: PipelineStep, experiment: Experiment, makers: Mapping[str, PipelineStep], problems: list[str]
) -> set[str]:
    there = {RAW_NAME, experiment.raw_dataset.name, *(info.name for info in experiment.processed_datasets)}
    needed = set()
    if not step.inputs:
        problems.append(f"step {step.name!r} has no input")
    if _dataset_of(step) in (RAW_NAME, experiment.raw_dataset.name, ""):
        problems.append(f"step {step.name!r} needs a dataset of its own for its results")
    for given in step.inputs:
        if given.dataset in makers:
            needed.add(makers[given.dataset].name)
        elif given.dataset not in there:
            known = ", ".join(sorted({*there, *makers}))
            problems.append(
                f"step {step.name!r}: input {given.name!r}: there is no dataset or step {given.dataset!r} "
                f"(there are: {known})"
            )
    return needed


def _misfits(step: PipelineStep, tools: Mapping[str, Tool], makers: Mapping[str, PipelineStep]) -> list[str]:
    from bioimageit_core.core.wrappers import check_values

    problems = []
    tool = tools[step.name]
    outputs = [output.name for output in tool.outputs]
    for named in step.outputs:
        if named.name not in outputs:
            said = ", ".join(outputs) or "none"
            problems.append(f"step {step.name!r}: {step.tool} has no output {named.name!r} (it has: {said})")
    if outputs and set(outputs) <= {output.name for output in step.outputs if not output.save} - _read_of(step, makers):
        problems.append(f"step {step.name!r}: none of its outputs is saved, and no step reads one")
    names = [parameter.name for parameter in tool.inputs if parameter.is_data]
    for given in step.inputs:
        if given.name not in names:
            problems.append(f"step {step.name!r}: {step.tool} has no input {given.name!r} (it has: {', '.join(names)})")
        maker = makers.get(given.dataset)
        made = [output.name for output in tools[maker.name].outputs] if maker and maker.name in tools else []
        if given.origin_output_name and made and given.origin_output_name not in made:
            problems.append(
                f"step {step.name!r}: input {given.name!r}: step {given.dataset!r} has no output "
                f"{given.origin_output_name!r} (it has: {', '.join(made)})"
            )
    for values in _combinations(_sweeps(step), f"step {step.name!r}", problems):
        given_values = {p.name: p.value for p in step.parameters} | {name: value for (_, name), value in values.items()}
        try:
            check_values(tool, given_values)
        except BioImageITError as error:
            problems.append(f"step {step.name!r}: {error}")
            break
    return problems


def _read_of(step: PipelineStep, makers: Mapping[str, PipelineStep]) -> set[str]:
    """Name the outputs of a step that other steps read."""
    read: set[str] = set()
    for other in {id(each): each for each in makers.values()}.values():
        for given in other.inputs:
            if makers.get(given.dataset) is step:
                every = {output.name for output in step.outputs}
                read |= {given.origin_output_name} if given.origin_output_name else every
    return read


def _sweeps(step: PipelineStep) -> dict[tuple[str, str], list[Any]]:
    return {
        (step.name, parameter.name): list(parameter.value[SWEEP])
        for parameter in step.parameters
        if isinstance(parameter.value, Mapping)
        and set(parameter.value) == {SWEEP}
        and isinstance(parameter.value[SWEEP], (list, tuple))
    }


def _combinations(
    sweeps: Mapping[tuple[str, str], Sequence[Any]], where: str, problems: list[str]
) -> list[dict[tuple[str, str], Any]]:
    count = 1
    for values in sweeps.values():
        count *= len(values)
    if not 0 < count <= _MOST_VARIANTS:
        problems.append(f"{where}: its sweeps have {count} combinations; 1 to {_MOST_VARIANTS} are possible")
        return []
    return [dict(zip(sweeps, values, strict=True)) for values in itertools.product(*sweeps.values())]


def _lay_out(
    pipeline: Pipeline,
    order: Sequence[str],
    needed: Mapping[str, set[str]],
    makers: Mapping[str, PipelineStep],
    tools: Mapping[str, Tool],
) -> list[PlannedStep]:
    steps = {step.name: step for step in pipeline.steps}
    sweeps: dict[str, dict[tuple[str, str], list[Any]]] = {}
    planned = []
    for name in order:
        step = steps[name]
        sweeps[name] = {}
        for other in order:  # in one order, whichever step asks
            if other in needed[name]:
                sweeps[name].update(sweeps[other])
        sweeps[name].update(_sweeps(step))
        problems: list[str] = []
        planned += [
            _planned(step, values, sweeps, needed[name], makers, tools[name])
            for values in _combinations(sweeps[name], f"step {name!r}", problems)
        ]
        if problems:
            raise PipelineError(pipeline.name, problems)
    return planned


def _planned(
    step: PipelineStep,
    values: Mapping[tuple[str, str], Any],
    sweeps: Mapping[str, Mapping[tuple[str, str], Any]],
    needed: set[str],
    makers: Mapping[str, PipelineStep],
    tool: Tool,
) -> PlannedStep:
    def suffix(of: str) -> str:
        return "".join(f"_{name}-{_text(values[of_step, name])}" for of_step, name in sweeps[of])

    inputs = []
    for given in step.inputs:
        maker = makers.get(given.dataset)
        dataset = f"{_dataset_of(maker)}{suffix(maker.name)}" if maker is not None else given.dataset
        inputs.append((given.name, dataset, given.query, given.origin_output_name))
    parameters = {parameter.name: parameter.value for parameter in step.parameters}
    parameters.update({name: value for (of_step, name), value in values.items() if of_step == step.name})
    return PlannedStep(
        f"{step.name}{suffix(step.name)}",
        step.name,
        tool,
        f"{_dataset_of(step)}{suffix(step.name)}",
        tuple(inputs),
        parameters,
        tuple(f"{name}{suffix(name)}" for name in sorted(needed)),
        {f"{of_step}.{name}": value for (of_step, name), value in values.items()},
        tuple(sorted({output.name for output in step.outputs if not output.save} - _read_of(step, makers))),
    )


def _text(value: Any) -> str:
    """Give a swept value as a part of a dataset's name."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in str(value))[:40] or "_"
