"""The jobs of a server: one runs at a time, others wait; what becomes of their items can be watched."""

from __future__ import annotations

import asyncio
import datetime
import logging
import queue
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.core.observer import Observer

if TYPE_CHECKING:
    from bioimageit_core.containers import Job
    from bioimageit_core.web.site import Site

__all__ = ["Board", "Event", "Item", "Task"]

logger = logging.getLogger(__name__)

_KEPT = 200
_PATIENCE = 15.0  # seconds after which a watcher hears that nothing happened
_PAUSE = 0.2  # seconds between two looks of a watcher
OVER = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True)
class Event:
    """Something that became of a job: ``job`` or ``item``, numbered so that a watcher can go on."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass
class Item:
    """One item of a job."""

    index: int
    name: str
    state: str = "waiting"
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Task:
    """A job that was asked for.

    Attributes
    ----------
    events
        What became of it, from the first; watchers read along.
    number
        Which of all jobs since the server began it is, from 1.
    """

    id: str
    job: Job
    user: str
    experiment: str
    experiment_name: str
    tool: str
    output: str
    state: str = "waiting"
    message: str = ""
    started: str = ""
    ended: str | None = None
    items: dict[int, Item] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    changed: threading.Lock = field(default_factory=threading.Lock, repr=False)
    stop: Any = None
    number: int = 0

    def counts(self) -> dict[str, int]:
        """Count the items of each state."""
        return dict(Counter(item.state for item in list(self.items.values())))

    def tell(self, kind: str, **data: Any) -> None:
        """Tell watchers."""
        with self.changed:
            self.events.append(Event(len(self.events) + 1, kind, data))

    def tell_state(self) -> None:
        """Tell watchers how it stands."""
        self.tell("job", state=self.state, message=self.message, counts=self.counts(), total=len(self.items))

    async def watch(self, after: int = 0) -> AsyncIterator[Event | None]:
        """Give events after a number, as they come, until the job is over; None where nothing happened for a while."""
        quiet = 0.0
        while True:
            is_over = self.state in OVER
            found = self.events[after:]
            for event in found:
                yield event
            after += len(found)
            if is_over and not found:
                return
            quiet = 0.0 if found else quiet + _PAUSE
            if quiet >= _PATIENCE:
                yield None
                quiet = 0.0
            await asyncio.sleep(_PAUSE)


class _Watcher(Observer):
    """Hears of one job alone: its number becomes known in the thread that runs it."""

    def __init__(self, task: Task) -> None:
        super().__init__(debug=False)
        self._task = task
        self._thread = threading.get_ident()
        self._job_id = 0

    def new_job(self, job_id: int) -> None:
        """Take the number of the job that this thread begins."""
        if threading.get_ident() == self._thread:
            self._job_id = job_id

    def notify_item(self, number: int, state: str, facts: Mapping[str, Any], job_id: int = 0) -> None:
        """Keep what becomes of an item."""
        if job_id != self._job_id:
            return
        item = self._task.items.setdefault(number, Item(number, str(facts.get("name", ""))))
        item.state, item.facts = state, dict(facts)
        item.message = str(facts.get("error") or facts.get("reason") or "")
        self._task.tell(
            "item", index=number, name=item.name, state=state, message=item.message, counts=self._task.counts()
        )

    def notify(self, message: str, job_id: int = 0) -> None:
        """Keep what the job says."""
        if job_id == self._job_id:
            self._task.message = message
            self._task.tell_state()

    notify_warning = notify

    def notify_error(self, message: str, job_id: int = 0) -> None:
        """Leave it: the item says it."""

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        """Leave it: the items say it."""


class Board:
    """All jobs since the server began, the oldest of those that are over forgotten."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tasks: dict[str, Task] = {}
        self._waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._count = 0  # of all jobs, forgotten ones too

    def add(self, job: Job, user: str, experiment: str) -> Task:
        """Have a job done as soon as those before it are over."""
        from bioimageit_core.jobs import Stop

        tool = job.tool.fullname() if job.tool else ""
        name = job.experiment.name if job.experiment else ""
        task = Task(uuid.uuid4().hex, job, user, experiment, name, tool, job.output_dataset_name, stop=Stop())
        with self._lock:
            self._count += 1
            task.number = self._count
            self._tasks[task.id] = task
            over = [other.id for other in self._tasks.values() if other.state in OVER]
            for id_ in over[: max(0, len(self._tasks) - _KEPT)]:
                del self._tasks[id_]
            self._waiting.put(task)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="web-jobs", daemon=True)
                self._worker.start()
        return task

    def all(self) -> list[Task]:
        """Return all jobs, the newest first."""
        with self._lock:
            return list(self._tasks.values())[::-1]

    def before(self, number: int) -> list[Task]:
        """Return the jobs that were asked for before that of a number, the newest first.

        Raises
        ------
        NotFoundError
            No job had that number.
        """
        with self._lock:
            if not 0 < number <= self._count:
                raise NotFoundError("job", str(number))
            return [task for task in list(self._tasks.values())[::-1] if task.number < number]

    def get(self, id_: str) -> Task:
        """Return the job of an id.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with self._lock:
            task = self._tasks.get(id_)
        if task is None:
            raise NotFoundError("job", id_[:80])
        return task

    def cancel(self, id_: str) -> Task:
        """Stop a job: what was done is kept."""
        task = self.get(id_)
        task.stop.now()
        with task.changed:
            is_waiting = task.state == "waiting"
            if is_waiting:
                task.state, task.ended = "cancelled", _now()
        if is_waiting:
            task.tell_state()
        return task

    def close(self) -> None:
        """Stop all jobs."""
        for task in self.all():
            if task.state not in OVER:
                self.cancel(task.id)

    def _work(self) -> None:
        while True:
            task = self._waiting.get()
            with task.changed:
                if task.state != "waiting":
                    continue
                task.state, task.started = "running", _now()
            task.tell_state()
            state, message = self._run(task)
            message, ended = self._site.mask(message), _now()
            task.tell("job", state=state, message=message, counts=task.counts(), total=len(task.items))
            with task.changed:  # after the last event: watchers leave when they see it
                task.state, task.message, task.ended = state, message, ended

    def _run(self, task: Task) -> tuple[str, str]:
        from bioimageit_core.jobs import JobCancelledError

        request, watcher = self._site.request, _Watcher(task)
        request.add_observer(watcher)
        try:
            with self._site.acting(task.user):
                request.run(task.job, stop=task.stop)
        except JobCancelledError as error:
            return "cancelled", str(error)
        except BioImageITError as error:
            return "failed", str(error)
        except Exception:
            logger.exception("a job failed unexpectedly")
            return "failed", "the server failed; its log says where"
        finally:
            request.remove_observer(watcher)
        return "done", task.message


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
