"""Runners of all ages behind one function: a command in, what became of it out."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, Finished
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.jobs.dispatch import Dispatcher
from bioimageit_core.jobs.pool import default_workers
from bioimageit_core.plugins.contracts import RunsCommands, SharesDirectory, StagesItems, SubmitsCommands

__all__ = ["Engine", "with_job_id"]

_WAITING = 256  # commands that wait for a scheduler at a time


class Engine:
    """A runner as a job sees it.

    Attributes
    ----------
    workers
        How many items to work on at a time: as many as there are processors, one where a runner has only the
        published methods, which nobody has promised to call from several threads, and many where a scheduler waits.
    shared_dir
        Where the directories of items must lie; empty for anywhere.
    stages_items
        Whether whole items can be done where its commands are executed.
    """

    def __init__(
        self, runner: Any, tool: Tool, job_id: int, stop: Event, cpus: int = 1, starting: Event | None = None
    ) -> None:
        self._runner = runner
        self._tool = tool
        self._job_id = job_id
        self._stop = stop
        self._dispatcher: Dispatcher | None = None
        self.shared_dir = runner.shared_dir if isinstance(runner, SharesDirectory) else ""
        self.stages_items = isinstance(runner, StagesItems) and bool(runner.stages_items)
        self._runs_commands = isinstance(runner, RunsCommands)  # asked for once: that takes a while, and items are many
        if self._runs_commands:
            self.workers = max(1, default_workers() // max(1, cpus))
        elif isinstance(runner, SubmitsCommands):
            self.workers = _WAITING
            self._dispatcher = Dispatcher(runner, tool, job_id, stop, starting)
        else:
            self.workers = 1

    @property
    def name(self) -> str:
        """Name of the runner's class."""
        return type(getattr(self._runner, "unguarded", self._runner)).__name__

    @property
    def dispatcher(self) -> Dispatcher | None:
        """What hands commands to a scheduler; None where commands are waited for one by one."""
        return self._dispatcher

    def set_up(self) -> None:
        """Prepare the runner for the tool."""
        with_job_id(self._runner.set_up, 2)(self._tool, self._job_id)

    def tear_down(self) -> None:
        """Undo `set_up`."""
        if self._dispatcher is not None:
            self._dispatcher.close()
        with_job_id(self._runner.tear_down, 2)(self._tool, self._job_id)

    def execute(self, command: Command) -> Finished:
        """Execute a command to its end.

        Raises
        ------
        RunnerExecError
            It could not be started; or it failed, where the runner says no more than that.
        """
        if self._dispatcher is not None:
            return self._dispatcher.execute(command)
        if self._runs_commands:
            finished: Finished = self._runner.run_command(self._tool, command, self._job_id, self._stop)
            return finished
        if self._stop.is_set():
            return Finished(None, state=CommandState.CANCELLED, reason="cancelled before it started")
        return self._exec(command)

    def _exec(self, command: Command) -> Finished:
        argv = _in_place(command)
        started = time.monotonic()
        try:
            with_job_id(self._runner.exec, 3)(self._tool, argv, self._job_id)
        except RunnerExecError as error:
            if error.command:
                raise
            raise RunnerExecError(str(error), argv, error.exit_status, error.stderr) from error
        except Exception as error:
            status = getattr(error, "returncode", None)
            stderr = getattr(error, "stderr", None) or ""
            said = stderr.decode("utf-8", "replace") if isinstance(stderr, bytes) else str(stderr)
            raise RunnerExecError(f"{self.name}: {error}", argv, status, said) from error
        return Finished(0, seconds=time.monotonic() - started)


def with_job_id(method: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Let a runner's method be called with `count` arguments, the last a job's id, though older ones lack that."""
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        return lambda *args: method(*args[: count - 1])
    except ValueError:  # written in C: nothing can be seen
        return method
    return method


def _in_place(command: Command) -> Sequence[str]:
    """Give the argv for a runner that knows no variables; nor does it know directories, so no argv may need one."""
    variables = [f"{name}={value}" for name, value in command.env.items()]
    return ["env", *variables, *command.argv] if variables else list(command.argv)
