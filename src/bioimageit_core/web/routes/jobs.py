"""Jobs: planned, run, watched, cancelled."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.web.board import Item, Task
from bioimageit_core.web.problems import PROBLEMS, ProblemError
from bioimageit_core.web.routes.experiments import Cursor, ExperimentId, Limit
from bioimageit_core.web.security.who import Owner, Reader
from bioimageit_core.web.shapes import Page, Taken
from bioimageit_core.web.site import Site, SiteDep
from bioimageit_core.web.windows import start_of

__all__ = ["router"]

router = APIRouter(tags=["jobs"], responses=PROBLEMS)

State = Literal["waiting", "running", "done", "failed", "cancelled"]
JobId = Annotated[str, Path(max_length=64)]
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "Events."}}
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "The log."}}


class JobInput(Taken):
    """The selection that an input gets."""

    dataset: str = Field(max_length=255)
    query: str = Field(default="", max_length=200_000)
    output: str = Field(default="", max_length=255)


class JobRequest(Taken):
    """A job to be planned or run."""

    tool: str = Field(max_length=500, description="Its full name.")
    inputs: dict[str, JobInput]
    parameters: dict[str, Any] = Field(default_factory=dict)
    output: str = Field(default="", max_length=255, description="Dataset for the results; by default the tool's id.")
    dry_run: bool = False


class PlannedTask(BaseModel):
    """An item that would be run, skipped or reused."""

    name: str
    state: str
    inputs: dict[str, str]
    reasons: list[str]


class Plan(BaseModel):
    """What a job would do."""

    count: int = Field(description="How many items there are; of very many only the first are listed.")
    tasks: list[PlannedTask]
    warnings: list[str]


class Started(BaseModel):
    """A job that was taken on."""

    id: str


class JobItem(BaseModel):
    """An item of a job."""

    index: int
    name: str
    state: str
    message: str


class JobDocument(BaseModel):
    """A job."""

    id: str
    experiment: str
    experiment_name: str
    tool: str
    output: str
    user: str
    state: State
    message: str
    started: str
    ended: str | None
    total: int
    counts: dict[str, int]
    items: list[JobItem] = Field(description="Empty in lists.")


_SHOWN = 500


@router.post("/experiments/{eid}/jobs", status_code=202, responses={200: {"model": Plan}})
def start_job(site: SiteDep, who: Owner, eid: ExperimentId, body: JobRequest, response: Response) -> Plan | Started:
    """Run a tool over what queries select; with `dry_run` only say what would be done."""
    job = _job(site, eid, body)
    plan = site.request.plan(job)  # also before it is run: what cannot be run is refused at once
    if body.dry_run:
        response.status_code = 200
        return _plan_document(site, plan)
    if plan.misfits:
        from bioimageit_core.jobs import PreflightError

        raise PreflightError(plan.tool.fullname(), plan.misfits)
    return Started(id=site.board.add(job, who.name, eid).id)


@router.get("/jobs")
def list_jobs(site: SiteDep, _: Reader, cursor: Cursor = "", limit: Limit = 100) -> Page[JobDocument]:
    """List the jobs since the server began, the newest first."""
    tasks = site.board.all()
    try:  # the cursor is the number of the job that ended the page before, whether or not it was forgotten since
        following = site.board.before(start_of(cursor)) if cursor else tasks
    except NotFoundError as error:
        raise ProblemError(422, f"{cursor!r} is no cursor of this list") from error
    shown = following[:limit]
    return Page[JobDocument](
        items=[_document(site, task) for task in shown],
        next=str(shown[-1].number) if limit < len(following) else None,
        total=len(tasks),
    )


@router.get("/jobs/{id}")
def read_job(site: SiteDep, _: Reader, id: JobId) -> JobDocument:  # noqa: A002 - the name in the path
    """Tell how a job and its items stand."""
    task = site.board.get(id)
    return _document(site, task, list(task.items.values()))


@router.delete("/jobs/{id}", status_code=202)
def cancel_job(site: SiteDep, _: Owner, id: JobId) -> JobDocument:  # noqa: A002
    """Stop a job; what was done is kept, and running it again does the rest."""
    return _document(site, site.board.cancel(id))


@router.get("/jobs/{id}/events", response_class=StreamingResponse, responses=_STREAM)
def watch_job(
    site: SiteDep,
    _: Reader,
    id: JobId,  # noqa: A002
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> StreamingResponse:
    """Tell what becomes of a job as it happens: server-sent events ``job`` and ``item``; it ends with the job."""
    task = site.board.get(id)
    after = int(last_event_id) if last_event_id.isdecimal() else 0
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(task, after, site), media_type="text/event-stream", headers=headers)


@router.get("/jobs/{id}/items/{n}/log", response_class=PlainTextResponse, responses=_TEXT)
def read_log(site: SiteDep, _: Reader, id: JobId, n: Annotated[int, Path(ge=0, le=10**9)]) -> PlainTextResponse:  # noqa: A002
    """Give what is known of an item: its command, how it ended, and the end of what it wrote to its stderr."""
    item = site.board.get(id).items.get(n)
    if item is None:
        raise NotFoundError("item", str(n))
    return PlainTextResponse(site.mask(_log(item)))


def _job(site: Site, eid: str, body: JobRequest) -> Any:
    from bioimageit_core.containers import Job

    job = Job()
    job.set_experiment(site.experiment(eid))
    tool = site.request.get_tool(body.tool)
    job.set_tool(tool)
    for name, given in body.inputs.items():
        job.set_input(name, given.dataset, given.query, given.output)
    for name, value in body.parameters.items():
        job.set_param(name, value)
    job.set_output_dataset_name(body.output or tool.id)
    return job


def _plan_document(site: Site, plan: Any) -> Plan:
    tasks = [
        PlannedTask(
            name=item.name,
            state=item.action,
            inputs={name: ", ".join(data.name for data in several[:20]) for name, several in item.inputs.items()},
            reasons=[site.mask(item.reason)] if item.reason else [],
        )
        for item in plan.items[:_SHOWN]
    ]
    return Plan(count=len(plan.items), tasks=tasks, warnings=[site.mask(text) for text in plan.misfits])


def _document(site: Site, task: Task, items: list[Item] | None = None) -> JobDocument:
    state: Any = task.state
    return JobDocument(
        id=task.id,
        experiment=task.experiment,
        experiment_name=task.experiment_name,
        tool=task.tool,
        output=task.output,
        user=task.user,
        state=state,
        message=site.mask(task.message),
        started=task.started,
        ended=task.ended,
        total=len(task.items),
        counts=task.counts(),
        items=[
            JobItem(index=item.index, name=item.name, state=item.state, message=site.mask(item.message))
            for item in sorted(items or (), key=lambda item: item.index)
        ],
    )


async def _events(task: Task, after: int, site: Site) -> AsyncIterator[str]:
    async for event in task.watch(after):
        if event is None:
            yield ": waiting\n\n"
        else:
            data = site.mask(json.dumps(event.data, ensure_ascii=False))
            yield f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n"


def _log(item: Item) -> str:
    facts = item.facts
    lines = [f"{item.name}: {item.state}"]
    if facts.get("argv"):
        lines.append(f"command: {json.dumps(facts['argv'], ensure_ascii=False)}")
    lines += [
        f"{name.replace('_', ' ')}: {facts[name]}"
        for name in ("exit_status", "seconds", "host", "reason")
        if name in facts
    ]
    lines += [str(facts[name]) for name in ("error", "stderr") if facts.get(name)]
    return "\n".join(lines) + "\n"
