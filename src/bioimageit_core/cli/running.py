"""Jobs as the command line asks for them: parsed, planned, run and shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from bioimageit_core.cli.documents import run_document
from bioimageit_core.cli.output import show_json, show_table, show_text
from bioimageit_core.cli.tooling import find_tool
from bioimageit_core.containers import IO_PARAM, Job, Pipeline, Run, Tool
from bioimageit_core.core.exceptions import JobFailedError, NotFoundError, ToolsServiceError

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment
    from bioimageit_core.jobs import Limits
    from bioimageit_core.jobs.plan import Plan

__all__ = ["JobInputText", "make_job", "make_limits", "parse_input", "run", "run_pipeline", "show_plan", "show_steps"]

_INPUT = re.compile(r"(?P<name>[^=:/]+)=(?P<dataset>[^:/]+)(?:/(?P<output>[^:]+))?(?::(?P<query>.*))?", re.DOTALL)


@dataclass(frozen=True)
class JobInputText:
    """An input as it was written: ``NAME=DATASET[/OUTPUT][:QUERY]``."""

    name: str
    dataset: str
    query: str = ""
    output: str = ""


def parse_input(text: str) -> JobInputText:
    """Take an input apart.

    Raises
    ------
    BadParameter
        It is not ``NAME=DATASET[/OUTPUT][:QUERY]``.

    Examples
    --------
    >>> parse_input("input=data:Population=A9 AND Day>=3")
    JobInputText(name='input', dataset='data', query='Population=A9 AND Day>=3', output='')
    >>> parse_input("labels=segmentation/labels")
    JobInputText(name='labels', dataset='segmentation', query='', output='labels')
    """
    match = _INPUT.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not NAME=DATASET[/OUTPUT][:QUERY]", param_hint="--input")
    name, dataset, output, query = ((match[group] or "").strip() for group in ("name", "dataset", "output", "query"))
    return JobInputText(name, dataset, query, output)


def make_job(
    session: Session,
    experiment: Experiment,
    tool_name: str,
    inputs: Sequence[JobInputText],
    parameters: Mapping[str, str],
    output: str,
) -> Job:
    """Return the job that was asked for.

    Raises
    ------
    ToolsServiceError
        The tool has no such input or parameter.
    NotFoundError
        The experiment has no such dataset.
    """
    tool = find_tool(session, tool_name)
    names = [each.name for each in tool.inputs if each.io != IO_PARAM]
    _check_names(tool, "input", [each.name for each in inputs], names)
    _check_parameters(tool, parameters)
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(tool)
    for each in inputs:
        session.dataset_info(experiment, each.dataset)
        job.set_input(each.name, each.dataset, each.query, each.output)
    for name, value in parameters.items():
        job.set_param(name, value)
    job.set_output_dataset_name(output or tool.id)
    return job


def make_limits(seconds: float | None, memory: str, retries: int, cpus: int) -> Limits:
    """Return what one item may take.

    Raises
    ------
    BadParameter
        `memory` is no size.
    """
    from bioimageit_core.jobs import Limits

    return Limits(seconds, _bytes(memory), retries, cpus)


def show_steps(session: Session, experiment: Experiment, file: str, as_json: bool) -> None:
    """Show the steps that a pipeline stands for, in their order; nothing is run."""
    steps = session.request.plan_pipeline(experiment, _read_pipeline(session, file))
    if as_json:
        keys = ("name", "dataset", "query", "output")
        rows = [
            {
                "step": step.name,
                "tool": step.tool.fullname(),
                "dataset": step.dataset,
                "inputs": [dict(zip(keys, each, strict=True)) for each in step.inputs],
                "parameters": dict(step.parameters),
                "after": list(step.after),
            }
            for step in steps
        ]
        show_json({"steps": rows})
        return
    show_table(
        ["step", "tool", "reads", "parameters", "makes dataset", "after"],
        (
            (
                step.name,
                step.tool.fullname(),
                ", ".join(_selection_said(*each) for each in step.inputs),
                ", ".join(f"{name}={value}" for name, value in step.parameters.items()),
                step.dataset,
                ", ".join(step.after),
            )
            for step in steps
        ),
        count=len(steps),
    )


def show_plan(planned: Plan, as_json: bool) -> None:
    """Show what a job will do, item by item, and why."""
    if as_json:
        show_json(_plan_document(planned))
        return
    counts = ", ".join(f"{number} to {action}" for action, number in planned.counts().items()) or "nothing to do"
    where = "adds to" if planned.dataset is not None else "creates"
    show_text(f"{planned.tool.fullname()} {where} dataset {planned.dataset_name!r}: {counts}")
    rows = ((item.action, "; ".join(_inputs_said(item.inputs)), item.reason) for item in planned.items)
    show_table(["", "inputs", "why"], rows, count=len(planned.items))
    for misfit in planned.misfits:
        show_text(f"does not fit: {misfit}")


def run(session: Session, job: Job, options: Mapping[str, Any], as_json: bool) -> None:
    """Run a job and show what became of its items.

    Raises
    ------
    JobFailedError
        Items failed; what became of the others is shown first.
    JobCancelledError
        The job was stopped; what it had done is shown first.
    """
    from bioimageit_core.jobs import JobCancelledError

    problem: JobFailedError | JobCancelledError | None = None
    tool = job.tool.fullname() if job.tool else ""
    before = _results(session, job)
    with session.progress(f"running {tool}"):
        try:
            result = session.request.run(job, **options)
        except (JobFailedError, JobCancelledError) as error:
            problem, result = error, error.run
    if isinstance(result, Run):
        _show_result(job, result, len(_results(session, job) - before), as_json)
    if problem is not None:
        raise problem


def run_pipeline(
    session: Session, experiment: Experiment, file: str, options: Mapping[str, Any], as_json: bool
) -> None:
    """Run a pipeline and show what became of its steps.

    Raises
    ------
    NotFoundError
        The pipeline's file is not there.
    """
    from bioimageit_core.jobs.record import RunRecord, read_record

    steps = _read_pipeline(session, file)
    with session.progress(f"running {steps.name or file}"):
        runs = session.request.run_pipeline(experiment, steps, **options)
    records = [read_record(run) or RunRecord() for run in runs]
    datasets = [session.request.get_dataset_from_uri(run.processed_dataset.md_uri) for run in runs]
    if as_json:
        done = [
            {
                "step": record.pipeline.get("step", ""),
                "dataset": dataset.name,
                "size": dataset.size(),
                "run": run_document(run),
            }
            for run, record, dataset in zip(runs, records, datasets, strict=True)
        ]
        show_json({"pipeline": steps.name, "steps": done})
        return
    rows = (
        (record.pipeline.get("step", ""), run.process_name, dataset.name, dataset.size(), _counts(record.counts()))
        for run, record, dataset in zip(runs, records, datasets, strict=True)
    )
    show_table(["step", "tool", "dataset", "data", "items"], rows)


def _read_pipeline(session: Session, file: str) -> Pipeline:
    if not os.path.isfile(file):
        raise NotFoundError("pipeline", file)
    return session.request.get_pipeline(file)


def _selection_said(name: str, dataset: str, query: str, output: str) -> str:
    return f"{name}={dataset}{'/' if output else ''}{output}{':' if query else ''}{query}"


def _bytes(text: str) -> int | None:
    """Read a size: a number of bytes, or one with K, M, G or T (of 1024).

    >>> _bytes("4G"), _bytes("1.5 MiB"), _bytes("")
    (4294967296, 1572864, None)
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ")) if match else 0
    if size <= 0:
        raise typer.BadParameter(f"{text!r} is no size such as 500M or 4G", param_hint="--memory")
    return size


def _results(session: Session, job: Job) -> set[str]:
    """Return the URIs of what is in the dataset for the results."""
    if job.experiment is None:
        return set()
    experiment = session.request.get_experiment(job.experiment.md_uri)
    if not session.request.is_dataset(experiment, job.output_dataset_name):
        return set()
    return {each.md_uri for each in session.request.get_dataset(experiment, job.output_dataset_name).uris}


def _show_result(job: Job, run: Run, new: int, as_json: bool) -> None:
    from bioimageit_core.jobs.record import RunRecord, read_record

    record = read_record(run) or RunRecord()
    if as_json:
        items = [{"name": item.name, "state": item.state, "reason": item.error or item.reason} for item in record.items]
        show_json({"dataset": job.output_dataset_name, "run": run_document(run), "items": items})
        return
    said = _counts(record.counts()) or record.state
    show_text(f"dataset {job.output_dataset_name!r}: {said} ({new} new results)")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))


def _plan_document(planned: Plan) -> dict[str, Any]:
    return {
        "tool": planned.tool.fullname(),
        "dataset": planned.dataset_name,
        "items": [
            {
                "name": item.name,
                "action": item.action,
                "reason": item.reason,
                "inputs": {name: [data.md_uri for data in several] for name, several in item.inputs.items()},
            }
            for item in planned.items
        ],
        "misfits": list(planned.misfits),
    }


def _inputs_said(inputs: Mapping[str, Sequence[Any]]) -> list[str]:
    said = []
    for name, several in inputs.items():
        more = f" and {len(several) - 2} more" if len(several) > 2 else ""
        said.append(f"{name}={', '.join(data.name for data in several[:2])}{more}")
    return said


def _check_parameters(tool: Tool, parameters: Mapping[str, str]) -> None:
    known = [each.name for each in tool.inputs if each.io == IO_PARAM]
    plain = [name for name in parameters if "|" not in name]  # parameters in groups are the wrapper's business
    _check_names(tool, "parameter", plain, known)


def _check_names(tool: Tool, kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ToolsServiceError(
                f"tool {tool.fullname()} has no {kind} {name!r}; it has {', '.join(known) or 'none'}"
            )
