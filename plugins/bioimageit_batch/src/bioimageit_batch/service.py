"""The service: bundles of commands become batch jobs, and what became of each command is read from their directory."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, CommandStatus, Finished, failure_of
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins.contracts import LocksEnvironment, RunnerService
from bioimageit_core.plugins.far_end import Inner, sign_of_sharing

from bioimageit_batch.bundle import Bundle
from bioimageit_batch.options import duration, shared_directory, whole_number, word
from bioimageit_batch.schedulers import SCHEDULERS, Fate, Request, Scheduler

__all__ = ["BatchRunnerService"]

_FOLDER = ".bioimageit-batch"
_UNKNOWN = Fate(CommandState.LOST, "the scheduler does not know its batch job any more")


class BatchRunnerService(RunnerService):
    """Executes commands as batch jobs of Slurm, PBS Pro or LSF.

    Whatever is known of a command lies in a directory that all machines share, so another process can go on with
    what a dead one submitted.

    Parameters
    ----------
    scheduler
        ``slurm``, ``pbs`` or ``lsf``.
    shared_dir
        Directory that this machine and all nodes see at the same path; it is needed.
    bundle
        How many commands make one batch job, at most.
    parallel
        How many of them it executes at a time; it asks for as many times the processors and memory of one.
    queue, account, reservation
        As the scheduler knows them; empty for its defaults.
    walltime
        Limit of a batch job: ``"HH:MM:SS"``, or a number of minutes; None for the queue's default (LSF: one hour).
    options
        More options of the scheduler, by their long names: ``{"qos": "debug"}``.
    inner
        The runner that gives tools their environment on a node: a name, or ``{"service": name, …}``.
    python
        The interpreter on the nodes, which has bioimageit-core and bioimageit-batch; this one's path if empty.
    resubmit
        How often a batch job that was lost with its node is submitted again, with the commands that have no result.
    poll
        Seconds between two questions to the scheduler.
    patience
        Seconds in which a result may still appear in the shared directory after its batch job has ended.
    """

    def __init__(
        self,
        scheduler: str = "slurm",
        shared_dir: str = "",
        bundle: int = 50,
        parallel: int = 1,
        queue: str = "",
        account: str = "",
        reservation: str = "",
        walltime: str | float | None = None,
        options: Mapping[str, Any] | None = None,
        inner: str | Mapping[str, Any] = "LOCAL",
        python: str = "",
        resubmit: int = 1,
        poll: float = 2.0,
        patience: float = 10.0,
        **_ignored: Any,
    ) -> None:
        if scheduler not in SCHEDULERS:
            raise ConfigError(f"runner.scheduler: {scheduler!r} is not one of {', '.join(SCHEDULERS)}")
        self._name = scheduler
        self._shared_dir = shared_directory(shared_dir)
        self._bundle = whole_number("bundle", bundle, 1)
        self._parallel = whole_number("parallel", parallel, 1)
        self._resubmit = whole_number("resubmit", resubmit, 0)
        limit = duration(walltime)
        self._walltime = timedelta(hours=1) if limit is None and scheduler == "lsf" else limit
        self._words = {
            "queue": word("queue", queue),
            "account": word("account", account),
            "reservation": word("reservation", reservation),
        }
        self._options = {word("options", key): word(f"options.{key}", value) for key, value in (options or {}).items()}
        self._inner = Inner.of(inner)
        self._python = str(python) or sys.executable
        self._poll = float(poll)
        self._patience = float(patience)
        self._lock = threading.RLock()
        self._jobs = 0
        self._bundles: dict[str, Bundle] = {}
        self._results: dict[str, Finished] = {}
        self._fates: dict[str, Fate] = {}
        self._asked_at: dict[str, float] = {}
        self._over_since: dict[str, float] = {}

    @property
    def shared_dir(self) -> str:
        """Where directories of jobs are to be made."""
        return self._shared_dir

    @property
    def stages_items(self) -> bool:
        """Whole items with a remote home are done where commands are executed."""
        return True

    def environment_digest(self, tool: Tool) -> str | None:
        """Give the digest of the environment that the inner runner makes."""
        inner = self._inner.service()
        return inner.environment_digest(tool) if isinstance(inner, LocksEnvironment) else None

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        """Make the tool's environment, and see that the scheduler's programs and the directory are there."""
        self._scheduler.check()
        with sign_of_sharing(self._folder):
            pass
        self._inner.service().set_up(tool, job_id)
        with self._lock:
            self._jobs += 1

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """End a job, and remove the directories of batch jobs of which all has been told."""
        self._inner.service().tear_down(tool, job_id)
        with self._lock:
            self._jobs = max(0, self._jobs - 1)
            if self._jobs:
                return
            for path, bundle in list(self._bundles.items()):
                if all(self._ticket(bundle, number) in self._results for number in range(_size(bundle))):
                    bundle.remove()
                    del self._bundles[path]

    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> None:
        """Execute an argv in the current directory, as a batch job, to its end.

        Raises
        ------
        RunnerExecError
            It could not be started, or its exit status is not 0.
        """
        command = Command(list(args), os.getcwd())
        (ticket,) = self.submit(tool, [command], job_id)
        pause = 0.1
        while not (status := self.status([ticket])[ticket]).state.is_final:
            time.sleep(pause)
            pause = min(self._poll, pause * 1.2)
        finished = status.finished or Finished(None, state=status.state, reason=str(status.state))
        if finished.exit_status != 0:
            raise failure_of(command, finished)

    def submit(self, tool: Tool, commands: Sequence[Command], job_id: int = 0) -> list[str]:
        """Submit commands and return a ticket for each; see `contracts.SubmitsCommands`."""
        made: list[Bundle] = []
        seconds = None if self._walltime is None else self._walltime.total_seconds()
        try:
            for first in range(0, len(commands), self._bundle):
                some = commands[first : first + self._bundle]
                made.append(Bundle.create(self._folder, tool, some, self._inner, self._parallel, seconds))
                self._start(made[-1], 1)
        except (OSError, RunnerExecError) as error:
            for bundle in made:
                self._scheduler.cancel(bundle.job()[0])
                bundle.remove()
            if isinstance(error, RunnerExecError):
                raise
            raise RunnerExecError(f"commands cannot be submitted: {error}") from error
        with self._lock:
            self._bundles |= {bundle.path: bundle for bundle in made}
        return [self._ticket(bundle, number) for bundle in made for number in range(bundle.size)]

    def status(self, tickets: Sequence[str]) -> Mapping[str, CommandStatus]:
        """Say where each command stands; see `contracts.SubmitsCommands`."""
        with self._lock:
            places = {ticket: self._place(ticket) for ticket in tickets}
            waited: dict[str, Bundle] = {}
            for ticket, place in places.items():
                if place is not None and ticket not in self._results:
                    waited[place[0].path] = place[0]
            names = {path: self._read(bundle) for path, bundle in waited.items()}
            open_ = {path: bundle for path, bundle in waited.items() if self._is_open(bundle)}
            self._ask(open_)
            for bundle in open_.values():
                self._conclude(bundle)
            return {ticket: self._status(ticket, place, names) for ticket, place in places.items()}

    def cancel(self, tickets: Sequence[str]) -> None:
        """End commands, or keep them from starting; see `contracts.SubmitsCommands`."""
        with self._lock:
            wanted: dict[str, set[int]] = {}
            places = [place for ticket in tickets if (place := self._place(ticket)) is not None]
            # the last of a bundle first: a launcher that ends one command must know of the next by then
            for bundle, number in sorted(places, key=lambda place: -place[1]):
                bundle.mark("cancel", number)
                wanted.setdefault(bundle.path, set()).add(number)
            for path, numbers in wanted.items():
                bundle = self._bundles[path]
                names = self._read(bundle)
                left = {number for number in range(_size(bundle)) if f"result-{number}.json" not in names}
                if left and left <= numbers:
                    self._scheduler.cancel(bundle.job()[0])
                    self._asked_at.pop(path, None)

    def logs(self, ticket: str, cursor: int = 0) -> tuple[str, int]:
        """Give the end of what a command wrote, once it has ended; see `contracts.SubmitsCommands`."""
        finished = self.status([ticket])[ticket].finished
        text = "" if finished is None else finished.stdout + finished.stderr
        return text[cursor:], max(cursor, len(text))

    @cached_property
    def _folder(self) -> str:
        if not self._shared_dir:
            raise ConfigError(
                "runner.shared_dir: BATCH needs a directory that this machine and the nodes of the cluster share"
            )
        return os.path.join(self._shared_dir, _FOLDER)

    @cached_property
    def _scheduler(self) -> Scheduler:
        return Scheduler(self._name, os.path.join(self._folder, "submitted"))

    def _start(self, bundle: Bundle, attempt: int) -> None:
        commands = bundle.commands()
        memory = max((command.memory or 0 for command in commands), default=0)
        request = Request(
            cpus=max(command.cpus for command in commands) * min(self._parallel, len(commands)),
            memory=memory * min(self._parallel, len(commands)) or None,
            walltime=self._walltime,
            options=self._options,
            **self._words,
        )
        argv = [self._python, "-m", "bioimageit_batch.launcher", bundle.path]
        submitted = self._scheduler.submit(argv, bundle.path, request)
        bundle.set_job(submitted.native_id, attempt)
        bundle.add_files(submitted.files)
        self._fates[bundle.path] = Fate(CommandState.QUEUED)
        self._asked_at[bundle.path] = time.monotonic()
        self._over_since.pop(bundle.path, None)

    def _ticket(self, bundle: Bundle, number: int) -> str:
        return json.dumps([self._name, bundle.path, number], separators=(",", ":"))

    def _place(self, ticket: str) -> tuple[Bundle, int] | None:
        """Find what a ticket names, within the shared directory and nowhere else."""
        try:
            name, path, number = json.loads(ticket)
        except (ValueError, TypeError):
            return None
        if name != self._name or not isinstance(path, str) or type(number) is not int:
            return None
        bundle = self._bundles.get(path)
        if bundle is None:
            if os.path.dirname(path) != self._folder or not os.path.isdir(path):
                return None
            bundle = self._bundles[path] = Bundle(path)
        return (bundle, number) if 0 <= number < _size(bundle) else None

    def _read(self, bundle: Bundle) -> set[str]:
        """Take the results that are there, and list the bundle's files."""
        names = bundle.names()
        for number in range(_size(bundle)):
            ticket = self._ticket(bundle, number)
            if ticket not in self._results and f"result-{number}.json" in names:
                finished = bundle.result(number)
                if finished is not None:
                    self._results[ticket] = finished
        return names

    def _is_open(self, bundle: Bundle) -> bool:
        return any(self._ticket(bundle, number) not in self._results for number in range(_size(bundle)))

    def _ask(self, bundles: Mapping[str, Bundle]) -> None:
        """Ask the scheduler about the batch jobs of which it was not asked just now."""
        now = time.monotonic()
        due = {
            path: bundle.job()[0]
            for path, bundle in bundles.items()
            if path not in self._asked_at or now - self._asked_at[path] >= self._poll
        }
        if not due:
            return
        answer = self._scheduler.fates(list(due.values()))
        for path, native_id in due.items():
            self._fates[path] = answer.get(native_id, _UNKNOWN)
            self._asked_at[path] = now

    def _conclude(self, bundle: Bundle) -> None:
        """Say what became of commands whose batch job is over and left no result, or submit them again."""
        fate = self._fates[bundle.path]
        if not fate.state.is_final:
            self._over_since.pop(bundle.path, None)
            return
        is_new = bundle.path not in self._over_since
        since = self._over_since.setdefault(bundle.path, time.monotonic())
        self._read(bundle)  # written between the last look and the end of the batch job
        # a process that comes later finds the end of the story; one that waits gives the filesystem some time
        if time.monotonic() - since < self._patience and not (is_new and fate is _UNKNOWN and self._is_old(bundle)):
            return
        names = self._read(bundle)
        left = [number for number in range(_size(bundle)) if self._ticket(bundle, number) not in self._results]
        if not left:
            return
        attempt = bundle.job()[1]
        is_lost = fate.state in (CommandState.LOST, CommandState.ENDED) and fate is not _UNKNOWN
        if is_lost and attempt <= self._resubmit and not any(f"cancel-{number}" in names for number in left):
            self._start(bundle, attempt + 1)
            return
        for number in left:
            self._results[self._ticket(bundle, number)] = _without_result(fate, f"cancel-{number}" in names, bundle)

    def _is_old(self, bundle: Bundle) -> bool:
        try:
            return time.time() - os.path.getmtime(os.path.join(bundle.path, "job.json")) > self._patience
        except OSError:
            return True

    def _status(self, ticket: str, place: tuple[Bundle, int] | None, names: Mapping[str, set[str]]) -> CommandStatus:
        finished = self._results.get(ticket)
        if finished is not None:
            return CommandStatus(finished.state, finished)
        if place is None:
            lost = Finished(None, state=CommandState.LOST, reason="was lost: nothing is known of its batch job")
            return CommandStatus(CommandState.LOST, lost)
        bundle, number = place
        has_begun = f"begun-{number}" in names.get(bundle.path, ())
        return CommandStatus(CommandState.RUNNING if has_begun else CommandState.QUEUED)


def _without_result(fate: Fate, is_cancelled: bool, bundle: Bundle) -> Finished:
    because = f" ({fate.reason})" if fate.reason and fate is not _UNKNOWN else ""
    if is_cancelled or fate.state is CommandState.CANCELLED:
        return Finished(None, state=CommandState.CANCELLED, reason="cancelled")
    if fate.state is CommandState.TIMED_OUT:
        return Finished(None, state=fate.state, reason=f"ended: the time limit of its batch job was over{because}")
    if fate.state is CommandState.OUT_OF_MEMORY:
        return Finished(None, state=fate.state, reason=f"ended: its batch job used too much memory{because}")
    said = bundle.said()
    if fate is _UNKNOWN:
        why = fate.reason
    else:
        why = f"its batch job left no result{because}; do the nodes see {bundle.path}, and is bioimageit-batch there?"
    native_id = bundle.job()[0]
    return Finished(None, stderr=said, state=CommandState.LOST, reason=f"was lost: {why} (batch job {native_id})")


def _size(bundle: Bundle) -> int:
    try:
        return bundle.size
    except (OSError, ValueError):  # it is gone, or is none
        return 0
