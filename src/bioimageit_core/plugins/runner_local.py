"""The LOCAL runner: executes commands on this machine, with the programs that are on the path."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, Finished, failure_of
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.process import end_strays, local_environment, run_process
from bioimageit_core.plugins.submitted import SubmitsHere

__all__ = ["LocalRunnerService", "LocalRunnerServiceBuilder", "plugin_info"]

plugin_info = {"name": "LOCAL", "type": "runner", "builder": "LocalRunnerServiceBuilder"}


class LocalRunnerServiceBuilder:
    """Makes the service once and gives it ever after."""

    def __init__(self) -> None:
        self._instance: LocalRunnerService | None = None

    def __call__(self, env: Mapping[str, str] | None = None, **_ignored: Any) -> LocalRunnerService:
        """Give the service; `env` counts the first time."""
        if self._instance is None:
            self._instance = LocalRunnerService(env)
        return self._instance


class LocalRunnerService(SubmitsHere, RunnerService):
    """Executes commands on this machine.

    A tool finds the running interpreter's programs first, so that `python` in its command is this environment's, then
    those on the path. When the last job is torn down, processes that a tool detached are ended too.

    Parameters
    ----------
    env
        Environment variables that every command gets beside those of this process.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = dict(env or {})
        self._token = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._jobs = 0
        self._job_env: dict[str, str] | None = None  # that of commands while jobs run: putting it together takes long

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        """Begin a job: its commands get the environment variables that this process has now."""
        with self._lock:
            self._jobs += 1
            self._job_env = local_environment(self._env)

    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> None:
        """Execute an argv in the current directory, to its end.

        Raises
        ------
        RunnerExecError
            It could not be started, or its exit status is not 0.
        """
        command = Command(list(args), os.getcwd())
        finished = self.run_command(tool, command, job_id)
        if finished.exit_status != 0:
            raise failure_of(command, finished)

    def run_command(self, tool: Tool, command: Command, job_id: int = 0, stop: Event | None = None) -> Finished:
        """Execute a command and say what became of it; see `contracts.RunsCommands`."""
        token = f"{self._token}-{next(self._numbers)}-"
        hint = "install it, or choose a runner that makes the tool's environment (such as UV, CONDA or DOCKER)"
        env = self._job_env or local_environment(self._env)
        return run_process(command, environment=env, stop=stop, token=token, hint=hint)

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """End a job and, if it was the last, whatever its tools left running."""
        with self._lock:
            self._jobs = max(0, self._jobs - 1)
            is_last = self._jobs == 0
            if is_last:
                self._job_env = None
        if is_last:
            end_strays(self._token)
