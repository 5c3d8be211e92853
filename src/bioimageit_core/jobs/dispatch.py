"""From threads that each wait for one command to a scheduler that likes to be told of many at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Event
from typing import TYPE_CHECKING

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, Finished
from bioimageit_core.core.exceptions import RunnerExecError

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import SubmitsCommands

__all__ = ["Dispatcher"]

logger = logging.getLogger(__name__)

_GATHER = 0.05  # seconds without a new command after which those that wait are submitted together
_GATHER_LONGEST = 0.5  # seconds after which they are, however many come
_LOOK = (0.1, 5.0)  # between two looks at the commands: at first, and when nothing has ended for long
_PATIENCE = 60.0  # seconds to wait for the end of what was cancelled


class Dispatcher:
    """Submits commands in bundles, and looks after all of them at once.

    One thread does it, started by the first command and ended by `close`.
    """

    def __init__(
        self, runner: SubmitsCommands, tool: Tool, job_id: int, stop: Event, starting: Event | None = None
    ) -> None:
        self._runner = runner
        self._tool = tool
        self._job_id = job_id
        self._stop = stop
        self._starting = starting or Event()  # set when what the scheduler has not begun is not to be begun
        self._lock = threading.Lock()
        self._new = Event()
        self._closed = False
        self._failure = ""
        self._waiting: list[tuple[Command, Future[str]]] = []
        self._watched: dict[str, Future[Finished]] = {}
        self._cancelled: set[str] = set()
        self._cancelled_at = 0.0
        self._thread: threading.Thread | None = None

    def submit(self, command: Command) -> str:
        """Submit a command, together with those of other threads, and give its ticket.

        Raises
        ------
        RunnerExecError
            It could not be submitted.
        """
        ticket: Future[str] = Future()
        with self._lock:
            if self._failure:
                raise RunnerExecError(self._failure, command.argv)
            self._waiting.append((command, ticket))
        self._wake()
        return ticket.result()

    def wait(self, ticket: str) -> Finished:
        """Wait until a submitted command has ended, in this or an earlier process."""
        finished: Future[Finished] = Future()
        with self._lock:
            if self._failure:
                return Finished(None, state=CommandState.LOST, reason=self._failure)
            self._watched[ticket] = finished
        self._wake()
        return finished.result()

    def is_known(self, ticket: str) -> bool:
        """Say whether the scheduler still knows of a command that an earlier process submitted."""
        status = self._runner.status([ticket]).get(ticket)
        return status is not None and status.state is not CommandState.LOST

    def execute(self, command: Command) -> Finished:
        """Submit a command and wait for it."""
        return self.wait(self.submit(command))

    def close(self) -> None:
        """End the thread; nobody waits any more."""
        self._closed = True
        self._new.set()
        if self._thread is not None:
            self._thread.join()

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="dispatcher", daemon=True)
                self._thread.start()
        self._new.set()

    def _work(self) -> None:
        try:
            self._watch()
        except Exception as error:
            logger.exception("commands are not looked after any more")
            self._abandon(f"commands are not looked after any more: {type(error).__name__}: {error}")

    def _abandon(self, reason: str) -> None:
        """Tell all who wait, and all who will, that nobody looks after their commands."""
        with self._lock:
            self._closed, self._failure = True, reason
            waiting, self._waiting = self._waiting, []
            watched = dict(self._watched)
        for command, ticket in waiting:
            if not ticket.done():
                ticket.set_exception(RunnerExecError(reason, command.argv))
        self._tell(watched, Finished(None, state=CommandState.LOST, reason=reason))

    def _watch(self) -> None:
        pause = _LOOK[0]
        while not self._closed:
            if self._new.wait(pause):
                self._gather()
                self._submit_waiting()
                pause = _LOOK[0]
            if self._stop.is_set():
                with self._lock:
                    watched = list(self._watched)
                self._cancel(watched)
                self._give_up()
            pause = _LOOK[0] if self._look() else min(pause * 1.5, _LOOK[1])
            if self._stop.is_set():
                pause = _LOOK[0]

    def _gather(self) -> None:
        """Wait while commands keep coming: a scheduler is told of them together."""
        deadline = time.monotonic() + _GATHER_LONGEST
        while self._new.is_set() and not self._stop.is_set() and time.monotonic() < deadline:
            self._new.clear()
            self._stop.wait(_GATHER)

    def _submit_waiting(self) -> None:
        with self._lock:
            bundle, self._waiting = self._waiting, []
        if not bundle:
            return
        try:
            tickets = self._runner.submit(self._tool, [command for command, _ in bundle], self._job_id)
            if len(tickets) != len(bundle):
                raise RunnerExecError(f"the runner gave {len(tickets)} tickets for {len(bundle)} commands")
        except Exception as error:  # noqa: BLE001 - told to each who waits
            for command, future in bundle:
                if isinstance(error, RunnerExecError):
                    future.set_exception(error)
                else:
                    told = RunnerExecError(f"could not be submitted: {error}", command.argv)
                    told.__cause__ = error
                    future.set_exception(told)
            return
        for (_, future), ticket in zip(bundle, tickets, strict=True):
            future.set_result(ticket)

    def _look(self) -> bool:
        """Tell those whose command has ended; say whether there was any."""
        with self._lock:
            watched = dict(self._watched)
        if not watched:
            return False
        try:
            statuses = self._runner.status(list(watched))
        except Exception as error:  # noqa: BLE001 - a scheduler that does not answer may answer later
            if self._stop.is_set():
                self._tell(watched, Finished(None, state=CommandState.CANCELLED, reason=f"no answer: {error}"))
            return False
        if self._starting.is_set() and not self._stop.is_set():
            self._cancel([ticket for ticket, status in statuses.items() if status.state is CommandState.QUEUED])
        over = {ticket: status for ticket, status in statuses.items() if status.state.is_final and ticket in watched}
        for ticket, status in over.items():
            finished = status.finished or Finished(None, state=status.state, reason=str(status.state))
            self._tell({ticket: watched[ticket]}, finished)
        return bool(over)

    def _tell(self, whom: dict[str, Future[Finished]], finished: Finished) -> None:
        with self._lock:
            for ticket in whom:
                self._watched.pop(ticket, None)
        for future in whom.values():
            future.set_result(finished)

    def _give_up(self) -> None:
        """Wait no longer for commands that were cancelled long ago and are not reported as ended."""
        if not self._cancelled:
            return
        self._cancelled_at = self._cancelled_at or time.monotonic()
        if time.monotonic() - self._cancelled_at > _PATIENCE:
            self._tell(dict(self._watched), Finished(None, state=CommandState.CANCELLED, reason="cancelled"))

    def _cancel(self, tickets: Sequence[str]) -> None:
        tickets = [ticket for ticket in tickets if ticket not in self._cancelled]
        if not tickets:
            return
        try:
            self._runner.cancel(tickets)
        except Exception:
            logger.exception("commands could not be cancelled; it is tried again")
        else:
            self._cancelled.update(tickets)
