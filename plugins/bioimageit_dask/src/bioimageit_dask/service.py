"""The service: commands become tasks, tickets say which, and what became of them comes back."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, CommandStatus, Finished, failure_of
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins.contracts import LocksEnvironment, RunnerService
from bioimageit_core.plugins.far_end import Inner, plain_tool

from bioimageit_dask.cluster import check_sharing, connect, make_local
from bioimageit_dask.worker import Bundle, run_bundle, stop_commands

__all__ = ["DaskRunnerService"]

logger = logging.getLogger(__name__)

_KEY = "bioimageit-"


class DaskRunnerService(RunnerService):
    """Executes commands on the workers of Dask.

    What is submitted to a scheduler that runs by itself is kept there until its result has been fetched, by this or
    another process. If a worker dies, its commands are executed again by another.

    Parameters
    ----------
    address
        Of a scheduler, such as ``tcp://10.0.0.1:8786``; empty for one within this process.
    workers
        How many commands a local scheduler executes at a time; 0 for as many as there are processors.
    shared_dir
        Directory that this machine and all workers see at the same path; directories of jobs are made in it.
    inner
        The runner that gives tools their environment on a worker: a name, or ``{"service": name, …}``.
    bundle
        How many commands make one task; more than 1 for thousands of very short ones.
    timeout
        Seconds to wait for the scheduler to answer.
    tls_ca_file, tls_cert, tls_key
        Paths of certificates and key for a scheduler that wants them (``tls://``).
    """

    def __init__(
        self,
        address: str = "",
        workers: int = 0,
        shared_dir: str = "",
        inner: str | Mapping[str, Any] = "LOCAL",
        bundle: int = 1,
        timeout: float = 10.0,
        tls_ca_file: str = "",
        tls_cert: str = "",
        tls_key: str = "",
        **_ignored: Any,
    ) -> None:
        self._address = str(address)
        self._workers = _whole("workers", workers, 0)
        self._shared_dir = os.path.abspath(os.path.expanduser(shared_dir)) if shared_dir else ""
        self._inner = Inner.of(inner)
        self._bundle = _whole("bundle", bundle, 1)
        self._timeout = float(timeout)
        self._tls = (tls_ca_file, tls_cert, tls_key)
        self._lock = threading.RLock()
        self._client: Any = None
        self._closing: Any = None
        self._futures: dict[str, Any] = {}
        self._results: dict[str, list[Finished]] = {}

    @property
    def shared_dir(self) -> str:
        """Where directories of jobs are to be made; empty for anywhere."""
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
        """Make the tool's environment, and see that the scheduler answers and its workers share the directory."""
        self._inner.service().set_up(tool, job_id)
        try:
            client = self._connected()
            if self._address and self._shared_dir:
                check_sharing(client, self._shared_dir)
        except BaseException:
            self._inner.service().tear_down(tool, job_id)
            raise

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """End a job; the scheduler is kept for the next one."""
        self._inner.service().tear_down(tool, job_id)

    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> None:
        """Execute an argv in the current directory, to its end.

        Raises
        ------
        RunnerExecError
            It could not be started, or its exit status is not 0.
        """
        command = Command(list(args), os.getcwd())
        (ticket,) = self.submit(tool, [command], job_id)
        pause = 0.01
        while not (status := self.status([ticket])[ticket]).state.is_final:
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
        finished = status.finished or Finished(None, state=status.state, reason=str(status.state))
        if finished.exit_status != 0:
            raise failure_of(command, finished)

    def submit(self, tool: Tool, commands: Sequence[Command], job_id: int = 0) -> list[str]:
        """Submit commands and return a ticket for each; see `contracts.SubmitsCommands`."""
        bundles, tickets = [], []
        travelling = plain_tool(tool)
        for first in range(0, len(commands), self._bundle):
            some = list(commands[first : first + self._bundle])
            key = f"{_KEY}{uuid.uuid4().hex}-{len(some)}"
            names = [f"{key}:{number}" for number in range(len(some))]
            bundles.append((key, Bundle(travelling, some, names, self._inner)))
            tickets += names
        with self._lock:
            client = self._connected()
            try:
                keys = [key for key, _ in bundles]
                futures = client.map(
                    run_bundle, [bundle for _, bundle in bundles], key=keys, pure=False, batch_size=500
                )
                mine = dict(zip(keys, futures, strict=True))
                if self._address:  # the scheduler keeps what is published when this process dies
                    client.publish_dataset(**mine)
            except Exception as error:
                raise RunnerExecError(f"commands cannot be submitted to Dask: {error}") from error
            self._futures |= mine
        return tickets

    def status(self, tickets: Sequence[str]) -> Mapping[str, CommandStatus]:
        """Say where each command stands; see `contracts.SubmitsCommands`."""
        with self._lock:
            keys = dict.fromkeys(_split(ticket)[0] for ticket in tickets)
            self._find_others(keys)
            self._fetch([key for key in keys if key in self._futures and self._futures[key].done()])
            waiting = [key for key in keys if key in self._futures]
            running = self._begun() if waiting else set()
            return {ticket: self._status(ticket, running) for ticket in tickets}

    def cancel(self, tickets: Sequence[str]) -> None:
        """End commands, or keep them from starting; see `contracts.SubmitsCommands`."""
        with self._lock:
            keys = dict.fromkeys(_split(ticket)[0] for ticket in tickets)
            self._find_others(keys)
            wanted = [ticket for ticket in tickets if _split(ticket)[0] in self._futures]
            if not wanted:
                return
            answers = self._connected().run(stop_commands, wanted, on_error="ignore")
            running = {_split(ticket)[0] for some in answers.values() for ticket in some}
            for key in dict.fromkeys(_split(ticket)[0] for ticket in wanted):
                is_whole = all(f"{key}:{number}" in wanted for number in range(_size(key)))
                if key not in running and is_whole and not self._futures[key].done():
                    self._futures[key].cancel(reason="cancelled", msg="cancelled")

    def logs(self, ticket: str, cursor: int = 0) -> tuple[str, int]:
        """Give the end of what a command wrote, once it has ended; see `contracts.SubmitsCommands`."""
        finished = self.status([ticket])[ticket].finished
        text = "" if finished is None else finished.stdout + finished.stderr
        return text[cursor:], max(cursor, len(text))

    def close(self) -> None:
        """Leave the scheduler; a local one is ended, and so are its commands."""
        with self._lock:
            if self._closing is not None:
                self._closing()
            self._client = self._closing = None
            self._futures.clear()
            self._results.clear()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is not None and self._client.status == "closed":
                self.close()
            if self._client is None:
                cluster = None if self._address else make_local(self._workers)
                try:
                    self._client = connect(self._address or cluster, self._timeout, self._tls)
                except BaseException:
                    _close(None, cluster)
                    raise
                self._closing = weakref.finalize(self, _close, self._client, cluster)
            return self._client

    def _find_others(self, keys: Mapping[str, Any]) -> None:
        """Look for what an earlier process submitted."""
        unknown = [key for key in keys if key.startswith(_KEY) and key not in self._futures | self._results]
        if not unknown or not self._address:
            return
        client = self._connected()
        published = set(client.list_datasets())
        for key in unknown:
            if key in published:
                self._futures[key] = client.get_dataset(key)

    def _fetch(self, keys: Sequence[str]) -> None:
        """Take the results of tasks that have ended, and let the scheduler forget them."""
        done = [key for key in keys if self._futures[key].status == "finished"]
        if done:
            gathered = self._connected().gather({key: self._futures[key] for key in done}, errors="skip")
            self._results |= gathered
        for key in keys:
            future = self._futures[key]
            if key not in self._results and future.status in ("error", "cancelled", "lost"):
                self._results[key] = [_what_became_of(future)]
        told = [key for key in keys if key in self._results]
        if self._address and told:
            self._connected().unpublish_dataset(told)  # those that another process has had forgotten, too
        for key in told:
            self._futures.pop(key).release()

    def _begun(self) -> set[str]:
        """Give the tasks that workers have begun or will begin next."""
        return {str(key) for some in self._connected().processing().values() for key in some}

    def _status(self, ticket: str, running: set[str]) -> CommandStatus:
        key, number = _split(ticket)
        if key in self._results:
            results = self._results[key]
            finished = results[0] if len(results) == 1 else results[number] if number < len(results) else None
            if finished is not None:
                return CommandStatus(finished.state, finished)
        if key in self._futures:
            return CommandStatus(CommandState.RUNNING if key in running else CommandState.QUEUED)
        lost = Finished(None, state=CommandState.LOST, reason="was lost: the Dask scheduler does not know it")
        return CommandStatus(CommandState.LOST, lost)


def _what_became_of(future: Any) -> Finished:
    if future.status == "error":
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return Finished(None, state=CommandState.LOST, reason=f"was lost: its workers died ({error})")
        return Finished(None, reason=f"could not be executed by its Dask worker: {type(error).__name__}: {error}")
    if future.status == "cancelled":
        return Finished(None, state=CommandState.CANCELLED, reason="cancelled before it started")
    return Finished(None, state=CommandState.LOST, reason="was lost by the Dask scheduler")


def _split(ticket: str) -> tuple[str, int]:
    key, _, number = ticket.rpartition(":")
    return (key, int(number)) if number.isdigit() else (ticket, 0)


def _size(key: str) -> int:
    """Say how many commands a task has."""
    size = key.rpartition("-")[2]
    return int(size) if size.isdigit() else 1


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"runner.{name}: {value!r} is not a whole number of at least {least}")
    return value


def _close(client: Any, cluster: Any) -> None:
    if client is not None:
        client.close()
    if cluster is not None:
        cluster.close()
