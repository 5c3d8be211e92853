"""Run a pipeline: its steps in their order, side by side where they can, the whole as one record."""

from __future__ import annotations

import concurrent.futures
import datetime
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Experiment, Job, Pipeline, Run
from bioimageit_core.core.exceptions import BioImageITError, JobFailedError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.utils import generate_uuid
from bioimageit_core.jobs.errors import JobCancelledError, JobError
from bioimageit_core.jobs.pool import Stop, default_workers
from bioimageit_core.jobs.run import run_job
from bioimageit_core.jobs.steps import PlannedStep, plan_steps
from bioimageit_core.plugins.contracts import RunsCommands, SubmitsCommands

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService, ToolsService

__all__ = ["PIPELINES", "run_pipeline"]

PIPELINES = "pipelines"
"""Key of the experiment's document under which the records of pipelines are kept."""


def run_pipeline(
    experiment: Experiment,
    pipeline: Pipeline,
    *,
    data: DataService,
    tools: ToolsService,
    runner: Any,
    user: str = "",
    observers: Iterable[Observer] = (),
    job_id: int = 0,
    workers: int | None = None,
    stop: Stop | None = None,
    **options: Any,
) -> list[Run]:
    """Run the steps of a pipeline and return their runs, in the order of the steps.

    Everything is checked before anything runs. A step whose results another reads goes first; steps that do not need
    each other run side by side. If items of a step fail, the steps that read from it are not run: what is missing
    would not show in their results. Running the pipeline again does only what is left.

    The record of the whole is added to the experiment's document, and every run says of which pipeline it is a step.

    Parameters
    ----------
    workers
        How many items to work on at a time, in all steps together.
    **options
        Passed on to `run_job` for every step.

    Raises
    ------
    PipelineError
        The pipeline cannot be run; it names everything that is wrong with it.
    JobFailedError
        Items failed, named ``step: item``; the steps that were not run for it are named too.
    JobCancelledError
        The pipeline was stopped.
    """
    steps = plan_steps(experiment, pipeline, tools)
    work = _Pipeline(experiment, pipeline, steps, serialized(data), stop or Stop())
    in_parallel = isinstance(runner, (RunsCommands, SubmitsCommands))

    shares = _Shares(len(steps))

    def run(step: PlannedStep, share: int) -> Run:
        done = run_job(
            work.job(step),
            data=work.data,
            runner=runner,
            user=user,
            observers=[_Named(step.name, observer, shares) for observer in observers],
            job_id=job_id,
            workers=max(1, (workers or default_workers()) // share) if in_parallel and share > 1 else workers,
            stop=work.stop,
            discard=step.discard,
            pipeline={"uuid": work.uuid, "name": pipeline.name, "step": step.name},
            **options,
        )
        shares.whole(step.name, 100)  # also where nothing was left to do
        return done

    started = _now()
    work.do(run, len(steps) if in_parallel else 1)
    return work.finish(user, started)


class _Pipeline:
    """The steps of a pipeline, and how far they are."""

    def __init__(
        self, experiment: Experiment, pipeline: Pipeline, steps: Sequence[PlannedStep], data: DataService, stop: Stop
    ) -> None:
        self.experiment = experiment
        self.pipeline = pipeline
        self.steps = steps
        self.data = data
        self.stop = stop
        self.uuid = generate_uuid()
        self.runs: dict[str, Run] = {}
        self.errors: dict[str, Exception] = {}

    def job(self, step: PlannedStep) -> Job:
        job = Job()
        job.set_experiment(self.experiment)
        job.set_tool(step.tool)
        for name, dataset, query, output in step.inputs:
            job.set_input(name, dataset, query, output)
        for name, value in step.parameters.items():
            job.set_param(name, value)
        job.set_output_dataset_name(step.dataset)
        return job

    def do(self, run: Callable[[PlannedStep, int], Run], at_once: int) -> None:
        """Run every step after those that it needs; those that need a failed one are passed over."""
        left = list(self.steps)
        with concurrent.futures.ThreadPoolExecutor(max(1, at_once), thread_name_prefix="step") as pool:
            going: dict[concurrent.futures.Future[Run], PlannedStep] = {}
            while left or going:
                ready = [step for step in left if self._is_ready(step)]
                left = [step for step in left if step not in ready and not self._is_in_vain(step)]
                share = min(at_once, len(ready) + len(going))
                going.update({pool.submit(run, step, share): step for step in ready})
                if not going:
                    break
                self._hear(going)

    def _is_ready(self, step: PlannedStep) -> bool:
        return not self.stop.starting.is_set() and all(name in self.runs for name in step.after)

    def _is_in_vain(self, step: PlannedStep) -> bool:
        failed = [name for name in step.after if name in self.errors]
        if failed:
            self.errors[step.name] = JobError(f"not run, because step {failed[0]!r} failed")
        elif self.stop.starting.is_set():
            self.errors[step.name] = JobCancelledError(0, 1)
        return step.name in self.errors

    def _hear(self, going: dict[concurrent.futures.Future[Run], PlannedStep]) -> None:
        try:
            done, _ = concurrent.futures.wait(going, timeout=0.2, return_when=concurrent.futures.FIRST_COMPLETED)
        except KeyboardInterrupt:
            self.stop.request()
            return
        for future in done:
            step = going.pop(future)
            try:
                self.runs[step.name] = future.result()
            except Exception as error:  # noqa: BLE001 - raised again when all have ended
                self.errors[step.name] = error

    def finish(self, user: str, started: str) -> list[Run]:
        """Write the record of the whole, and say how it ended."""
        record = {
            "uuid": self.uuid,
            "name": self.pipeline.name,
            "pipeline": self.pipeline.uuid,
            "user": user,
            "started": started,
            "ended": _now(),
            "state": "failed" if self.errors else "done",
            "steps": [self._step_record(step) for step in self.steps],
        }
        stored = self.data.get_experiment(self.experiment.md_uri)
        stored.extra.setdefault(PIPELINES, []).append(record)
        self.data.update_experiment(stored)
        self.experiment.extra[PIPELINES] = stored.extra[PIPELINES]
        if not self.errors:
            return [self.runs[step.name] for step in self.steps]
        cancelled = [error for error in self.errors.values() if isinstance(error, JobCancelledError)]
        if cancelled:
            raise JobCancelledError(len(self.runs), len(self.steps) - len(self.runs)) from cancelled[0]
        failures: dict[str, Exception] = {}
        for name, error in self.errors.items():
            if isinstance(error, JobFailedError):
                failures.update({f"{name}: {item}": reason for item, reason in error.failures.items()})
            else:
                failures[name] = error
        raise JobFailedError(failures, len(self.runs), [*self.runs.values()])

    def _step_record(self, step: PlannedStep) -> dict[str, Any]:
        error = self.errors.get(step.name)
        run = self.runs.get(step.name) or getattr(error, "run", None)
        return {
            "name": step.name,
            "tool": step.tool.fullname(),
            "dataset": step.dataset,
            "variant": dict(step.variant),
            "after": list(step.after),
            "run": run.uuid if isinstance(run, Run) else "",
            "state": "done" if error is None else "cancelled" if isinstance(error, JobCancelledError) else "failed",
            **({"error": str(error)} if isinstance(error, BioImageITError) else {}),
        }


class _Shares:
    """How far a pipeline is: each step is an equal part of it."""

    def __init__(self, steps: int) -> None:
        self._steps = max(1, steps)
        self._percents: dict[str, int] = {}
        self._turn = threading.Lock()

    def whole(self, step: str, percent: int) -> int:
        """Give the percent of the whole, now that a step is so far."""
        with self._turn:
            self._percents[step] = percent
            return sum(self._percents.values()) // self._steps


class _Named(Observer):
    """Puts the step's name before what an observer hears, and makes the step's progress one of the whole."""

    def __init__(self, name: str, observer: Observer, shares: _Shares) -> None:
        super().__init__()
        self._name = name
        self._observer = observer
        self._shares = shares

    def notify(self, message: str, job_id: int = 0) -> None:
        self._observer.notify(f"{self._name}: {message}", job_id)

    def notify_warning(self, message: str, job_id: int = 0) -> None:
        self._observer.notify_warning(f"{self._name}: {message}", job_id)

    def notify_error(self, message: str, job_id: int = 0) -> None:
        self._observer.notify_error(f"{self._name}: {message}", job_id)

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        whole = self._shares.whole(self._name, progress)
        self._observer.notify_progress(whole, f"{self._name}: {message}", job_id)


class _Serialized:
    """Stands for a service that is called by one thread at a time."""


def serialized(service: Any) -> Any:
    """Let steps that run side by side share a data service that knows nothing of threads."""
    lock = threading.RLock()
    proxy = _Serialized()
    for name in dir(service):
        method = None if name.startswith("_") else getattr(service, name, None)
        if inspect.isroutine(method) or isinstance(method, functools.partial):
            vars(proxy)[name] = _locked(method, lock)
    return proxy


def _locked(method: Callable[..., Any], lock: Any) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(*args: Any, **keywords: Any) -> Any:
        with lock:
            result = method(*args, **keywords)
            return iter(list(result)) if inspect.isgenerator(result) else result

    return locked


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
