"""Run a job: plan, execute item by item, record."""

from __future__ import annotations

import datetime
import logging
import platform
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Dataset, Job, Run
from bioimageit_core.core.exceptions import JobFailedError
from bioimageit_core.core.observer import Observer
from bioimageit_core.jobs.errors import JobCancelledError, PreflightError
from bioimageit_core.jobs.execute import Executor, Limits, inputs_of
from bioimageit_core.jobs.pickup import job_folder
from bioimageit_core.jobs.plan import Plan, plan_job
from bioimageit_core.jobs.pool import Stop, work_through
from bioimageit_core.jobs.progress import Progress
from bioimageit_core.jobs.record import ItemRecord, RunRecord, ToolRecord, write_record
from bioimageit_core.jobs.runners import Engine
from bioimageit_core.jobs.staging import Staging
from bioimageit_core.plugins.contracts import ListsRuns, LocksEnvironment, UpdatesRun

if TYPE_CHECKING:
    from bioimageit_core.jobs.far_items import FarItems
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["run_job"]

logger = logging.getLogger(__name__)

_BESIDE = 12  # threads more than commands, which fetch and store while others wait for commands
_CHECKPOINT = 5.0  # seconds between two writings of an unfinished record, and as many times what one takes


def run_job(
    job: Job,
    *,
    data: DataService,
    runner: Any,
    user: str = "",
    formats: Any = None,  # noqa: ARG001 - callers have it at hand; wrappers know the formats of outputs
    observers: Iterable[Observer] = (),
    job_id: int = 0,
    dry_run: bool = False,
    workers: int | None = None,
    reuse: bool = True,
    resume: bool = True,
    broadcast: Collection[str] = (),
    preflight: bool = True,
    limits: Limits | None = None,
    work_dir: str = "",
    stop: Stop | None = None,
    pipeline: dict[str, str] | None = None,
    discard: Collection[str] = (),
    home: Mapping[str, Any] | None = None,
) -> Run:
    """Run a tool over a selection and record what came of it.

    Every item is executed, whatever becomes of the others; what succeeded is recorded. Where an earlier run into the
    same dataset did an item with the same tool, environment, parameters and input contents, it is skipped; if there
    is nothing left to do, that run is returned.

    Parameters
    ----------
    observers
        Get ``notify_progress(percent, message, job_id)`` for the whole job.
    dry_run
        Only plan: nothing is written, and the run that is returned lists the items with their actions.
    workers
        How many items to work on at a time; None for what suits the runner (for LOCAL the number of processors).
    reuse
        Whether results of the same work on the same contents are taken over from other datasets of the experiment.
    resume
        Whether items that were done before are skipped; if not, all are executed again beside the old results.
    broadcast
        Inputs whose one data goes with every item.
    preflight
        Whether inputs that the tool does not accept refuse the job before it begins.
    work_dir
        Where the items' directories are made; empty for where the runner wants them, else the system's place.
    stop
        How another thread asks the job to stop. A keyboard interrupt asks too: once to finish what runs, twice to
        end it.
    pipeline
        What the record says of the pipeline that the job is a step of.
    discard
        Outputs of the tool that are not kept: only the digests of their contents are recorded.
    home
        The configuration of `data` as it was written, with ``service``. With it, a runner of other machines has items
        whose data are not local files done there as a whole: inputs and results pass through the service.

    Raises
    ------
    JobFailedError
        Items failed; it has the run, with the others recorded, and an error for each.
    JobCancelledError
        The job was stopped.
    PreflightError
        Inputs do not fit the tool; nothing was run.
    """
    options: dict[str, Any] = {"reuse": reuse, "resume": resume, "broadcast": broadcast, "preflight": preflight}
    options["discard"] = discard
    plan = plan_job(job, data=data, runner=runner, **options)
    if plan.misfits:
        raise PreflightError(plan.tool.fullname(), plan.misfits)
    told = Progress(list(observers), job_id, len(plan.items))
    told.plan(plan)
    if dry_run:
        return _draft(plan, user, runner)
    if not plan.to_do and plan.dataset is not None and (earlier := _earlier_run(data, plan)) is not None:
        told.notify("nothing to do: an earlier run did all items")
        return earlier
    stop = stop or Stop()
    engine = Engine(runner, plan.tool, job_id, stop.running, (limits or Limits()).cpus, stop.starting)
    try:
        engine.set_up()
        if isinstance(runner, LocksEnvironment) and runner.environment_digest(plan.tool) != plan.work.environment:
            plan = plan_job(job, data=data, runner=runner, **options)  # the environment is known only now
        work = _Work(plan, data, engine, told, stop, user, limits or Limits(), work_dir, home)
        run = work.begin(pipeline or {})
        work.do(workers or engine.workers)
        return work.finish(run)
    finally:
        _tear_down(engine)


class _Work:
    """One run, from its beginning to its end."""

    def __init__(
        self,
        plan: Plan,
        data: DataService,
        engine: Engine,
        told: Progress,
        stop: Stop,
        user: str,
        limits: Limits,
        work_dir: str,
        home: Mapping[str, Any] | None,
    ) -> None:
        self.plan = plan
        self.data = data
        self.engine = engine
        self.told = told
        self.stop = stop
        self.user = user
        self.limits = limits
        self.work_dir = work_dir
        self.home = home
        self.records: list[ItemRecord | None] = [None] * len(plan.items)
        self.started = time.monotonic()
        self.run = Run()
        self.record = RunRecord()
        self.next_checkpoint = self.started + _CHECKPOINT

    def begin(self, pipeline: dict[str, str]) -> Run:
        """Create the dataset, if it is not there, and the run."""
        plan = self.plan
        self.dataset: Dataset = plan.dataset or self.data.create_dataset(plan.experiment, plan.dataset_name)
        self.run = _draft(plan, self.user, self.engine.name)
        self.record = _new_record(plan, self.user, self.engine.name, pipeline)
        if not isinstance(self.data, UpdatesRun):
            self.record.state = ""  # whatever is written now stays
        self.run.set_dataset(self.dataset)
        write_record(self.run, self.record)
        self.run = self.data.create_run(self.dataset, self.run) or self.run
        return self.run

    def do(self, workers: int) -> None:
        """Execute the items."""
        plan, root = self.plan, self.work_dir or self.engine.shared_dir
        with job_folder(plan, root, is_kept=self.engine.dispatcher is not None) as folder:
            staging = Staging(self.data, self.dataset, self.run, folder, plan.experiment.md_uri)
            staging.expect(item.inputs for item in plan.items if item.action != "skip")
            self.executor = Executor(plan, self.engine, staging, folder, self.limits, self.stop, workers)
            self.executor.user = self.user
            self.executor.started = self.told.started
            self.executor.far = self._far_items(folder)
            self.told.begin(plan)
            threads = workers + _BESIDE
            work_through(enumerate(plan.items), self.executor, threads, self.stop, self._heard)
            if self.executor.far is not None:
                staging.drop_unrecorded(file.uuid for item in self.records if item for file in item.outputs)

    def _far_items(self, folder: str) -> FarItems | None:
        """Give what has items done on other machines, where the runner can and the data are not here."""
        if not self.home or not self.engine.stages_items or self.engine.dispatcher is None:
            return None
        from bioimageit_core.jobs.far_items import FarItems

        return FarItems(
            self.plan,
            self.engine.dispatcher,
            self.home,
            self.user,
            self.limits,
            self.stop,
            folder,
            self.dataset.md_uri,
            self.run,
        )

    def finish(self, run: Run) -> Run:
        """Write the whole record, and say how it ended."""
        for number, item in enumerate(self.plan.items):
            if self.records[number] is None:
                self.records[number] = ItemRecord(item.name, "cancelled", "not begun", inputs=inputs_of(item))
        failures = {self._unique(number): error for number, error in sorted(self.executor.errors.items())}
        done = sum(item is not None and item.state in ("done", "skipped", "reused") for item in self.records)
        left = len(self.records) - done - len(failures)
        state = "cancelled" if left else "failed" if failures else "done"
        try:
            self._write(run, state)
        except KeyboardInterrupt:  # too late: all is done but this, and without it nobody would know
            self._write(run, state)
        self.told.end(self.record.counts())
        if left:
            raise JobCancelledError(done, left + len(failures), run)
        if failures:
            raise JobFailedError(failures, done, run)
        return run

    def _heard(self, outcome: tuple[int, ItemRecord]) -> None:
        number, record = outcome
        self.records[number] = record
        self.told.item(record, number)
        now = time.monotonic()
        if now >= self.next_checkpoint and isinstance(self.data, UpdatesRun):
            try:
                self._write(self.run, "running")
            except Exception:
                logger.warning("the unfinished record could not be written; it is tried again", exc_info=True)
            self.next_checkpoint = time.monotonic() + max(_CHECKPOINT, 20 * (time.monotonic() - now))

    def _write(self, run: Run, state: str) -> None:
        self.record.state = state
        self.record.items = [item for item in self.records if item is not None]
        self.record.ended = "" if state == "running" else _now()
        self.record.seconds = round(time.monotonic() - self.started, 3)
        write_record(run, self.record)
        if isinstance(self.data, UpdatesRun):
            self.data.update_run(run)

    def _unique(self, number: int) -> str:
        """Name an item so that no other has that name."""
        item = self.plan.items[number]
        same = [other for other in self.executor.errors if self.plan.items[other].name == item.name]
        return item.name if len(same) == 1 else f"{item.name} ({item.stem})"


def _draft(plan: Plan, user: str, runner: Any) -> Run:
    """Make the container of a run that is not stored yet."""
    job = plan.job
    run = Run()
    run.set_process(plan.tool.fullname(), plan.tool.uri)
    for name, value in plan.work.given.items():
        run.add_parameter(name, value)
    for given in job.inputs.inputs:
        run.add_input(given.name, given.dataset, given.query, given.origin_output_name)
    name = runner if isinstance(runner, str) else type(runner).__name__
    record = _new_record(plan, user, name, {})
    record.state = "planned"
    record.items = [ItemRecord(item.name, item.action, item.reason) for item in plan.items]
    write_record(run, record)
    return run


def _new_record(plan: Plan, user: str, runner: str, pipeline: dict[str, str]) -> RunRecord:
    return RunRecord(
        state="running",
        user=user,
        host=platform.node(),
        core_version=version("bioimageit-core"),
        started=_now(),
        runner=runner,
        tool=ToolRecord(plan.tool.id, plan.tool.version, plan.tool_digest.sha256, plan.tool_digest.files),
        environment=plan.work.environment,
        parameters=dict(plan.work.parameters),
        broadcast=list(plan.broadcast),
        pipeline=pipeline,
    )


def _earlier_run(data: DataService, plan: Plan) -> Run | None:
    from bioimageit_core.jobs.earlier import runs_of
    from bioimageit_core.jobs.record import read_record

    if plan.dataset is None or not isinstance(data, ListsRuns):
        return None
    same: Sequence[Run] = [
        run for run in runs_of(data, plan.dataset) if not plan.work.differs_from(run, read_record(run))
    ]
    return same[-1] if same else None


def _tear_down(engine: Engine) -> None:
    try:
        engine.tear_down()
    except Exception:
        logger.exception("the runner could not be torn down")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
