"""What happens on a worker of Dask."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bioimageit_core.api.items import execute
from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, Finished
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.far_end import Inner, is_seen
from distributed import WorkerPlugin, get_worker

from bioimageit_dask import guard

__all__ = ["Bundle", "CommandsPlugin", "run_bundle", "sees", "stop_commands"]


@dataclass(frozen=True)
class Bundle:
    """Commands of one tool that one task executes, one after the other."""

    tool: Tool
    commands: Sequence[Command]
    tickets: Sequence[str]
    inner: Inner


class CommandsPlugin(WorkerPlugin):  # type: ignore[misc]  # it is not typed
    """What a worker knows of the commands that it executes; each worker has its own, also those that come later."""

    name = "bioimageit"
    idempotent = True  # a second client must not replace what the first one's commands need

    def setup(self, worker: Any) -> None:
        """Begin, on the worker."""
        self.mark = uuid.uuid4().hex
        self.lock = threading.Lock()
        self.running: dict[str, threading.Event] = {}
        self.stopped: deque[str] = deque(maxlen=100_000)
        self.ready: set[tuple[int, str]] = set()
        self.guard: subprocess.Popen[bytes] | None = None

    def teardown(self, worker: Any) -> None:
        """End whatever runs, on the worker."""
        with self.lock:
            for stop in self.running.values():
                stop.set()
            started, self.guard = self.guard, None
        if started is not None and started.stdin is not None:
            started.stdin.close()
            started.wait()

    def execute(self, bundle: Bundle, number: int) -> Finished:
        """Execute one command of a bundle."""
        ticket, stop = bundle.tickets[number], threading.Event()
        with self.lock:
            if ticket in self.stopped:
                return Finished(None, state=CommandState.CANCELLED, reason="cancelled before it started")
            self.running[ticket] = stop
            if self.guard is None:
                argv = [sys.executable, "-I", "-S", guard.__file__, self.mark]
                self.guard = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)
        try:
            inner = self._set_up(bundle)
            command = bundle.commands[number]
            marked = replace(command, env={**command.env, guard.MARK: self.mark})
            return execute(bundle.tool, marked, inner, stop)
        except BioImageITError as error:
            return Finished(None, reason=f"cannot run on its worker: {error}")
        finally:
            with self.lock:
                del self.running[ticket]

    def _set_up(self, bundle: Bundle) -> RunnerService:
        inner = bundle.inner.service()
        key = (id(inner), bundle.tool.fullname())
        with self.lock:
            is_ready = key in self.ready
        if not is_ready:
            inner.set_up(bundle.tool, 0)
            with self.lock:
                self.ready.add(key)
        return inner

    def stop(self, tickets: Sequence[str]) -> list[str]:
        """End those commands that run here, and start none of them; return those that run."""
        with self.lock:
            self.stopped.extend(tickets)
            running = [ticket for ticket in tickets if ticket in self.running]
            for ticket in running:
                self.running[ticket].set()
        return running


def run_bundle(bundle: Bundle) -> list[Finished]:
    """Execute the commands of a bundle; the task of Dask."""
    plugin: CommandsPlugin = get_worker().plugins[CommandsPlugin.name]
    return [plugin.execute(bundle, number) for number in range(len(bundle.commands))]


def stop_commands(tickets: Sequence[str], dask_worker: Any) -> list[str]:
    """End commands, on one worker; see `CommandsPlugin.stop`."""
    plugin: CommandsPlugin = dask_worker.plugins[CommandsPlugin.name]
    return plugin.stop(tickets)


def sees(path: str) -> bool:
    """Say whether a worker sees a file."""
    return is_seen(path)
