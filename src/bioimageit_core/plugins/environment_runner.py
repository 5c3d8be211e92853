"""What runners have in common that execute commands on this machine in environments which they make."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, Finished, failure_of
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.environments import Environment, Environments, Maker, Recipe, sha256_of
from bioimageit_core.plugins.process import end_strays, local_environment, run_process
from bioimageit_core.plugins.submitted import SubmitsHere
from bioimageit_core.plugins.tool_requirements import packages_of

__all__ = ["EnvironmentRunner", "as_list", "clean_environment"]

# what makes a Python, or a package manager, look into another environment than its own
_LEAKS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "__PYVENV_LAUNCHER__")


def clean_environment(prefix: Path | None = None, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give this process's variables without what leads into other environments.

    Parameters
    ----------
    prefix
        An environment whose programs come first on the path.
    variables
        Are added.
    """
    env = {name: value for name, value in os.environ.items() if name not in _LEAKS}
    env["PYTHONNOUSERSITE"] = "1"
    if prefix is not None:
        env["PATH"] = os.pathsep.join([str(prefix / "bin"), env.get("PATH") or os.defpath])
    env.update(variables or {})
    return env


def as_list(value: Any) -> list[str]:
    """Give an option that may be one text or a list of them as a list."""
    if not value:
        return []
    return [str(value)] if isinstance(value, str | os.PathLike) else [str(item) for item in value]


class EnvironmentRunner(SubmitsHere, RunnerService):
    """Executes commands on this machine, in an environment for what their tool requires.

    A tool that requires no package runs with what is on the path, as LOCAL would run it.

    Parameters
    ----------
    env_dir
        Where environments are kept; empty for the user's cache.
    env
        Environment variables that every command gets.
    """

    hint = "its environment has no such program: correct the tool's requirements, or choose another runner"

    def __init__(self, env_dir: str = "", env: Mapping[str, str] | None = None) -> None:
        self.environments = Environments(env_dir)
        self._env = dict(env or {})
        self._token = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ready: dict[str, Environment] = {}
        self._jobs = 0

    @abstractmethod
    def recipe(self, tool: Tool) -> Recipe:
        """Say what a tool's environment is to consist of.

        Raises
        ------
        RunnerExecError
            It cannot be said, or this runner cannot install it.
        """

    @abstractmethod
    def maker(self, tool: Tool, recipe: Recipe) -> Maker:
        """Give what makes the environment."""

    @abstractmethod
    def activated(self, environment: Environment) -> dict[str, str]:
        """Give the variables of a process in an environment."""

    def environment(self, tool: Tool) -> Environment | None:
        """Give a tool's environment, made now if it is not there; None where it requires nothing.

        Raises
        ------
        RunnerExecError
            It cannot be made.
        """
        if not packages_of(tool):
            return None
        recipe = self.recipe(tool)
        if recipe.name not in self._ready:
            self._ready[recipe.name] = self.environments.get(recipe, self.maker(tool, recipe))
        return self._ready[recipe.name]

    def environment_digest(self, tool: Tool) -> str | None:
        """Give the SHA-256 of the lock of a tool's environment; None before it is made, and where there is none."""
        try:
            lock = self.environments.lock_of(self.recipe(tool)) if packages_of(tool) else None
        except RunnerExecError:  # said when the tool is to run
            return None
        return None if lock is None else sha256_of(lock)

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        """Make the tool's environment, if it is not there."""
        with self._lock:
            self._jobs += 1
            self._ready.clear()  # it may have been removed since the last job
        self.environment(tool)

    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> None:
        """Execute an argv in the tool's environment and the current directory, to its end.

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
        made = self.environment(tool)
        env = local_environment() if made is None else self.activated(made)
        token = f"{self._token}-{next(self._numbers)}-"
        hint = "" if made is None else self.hint
        return run_process(command, environment={**env, **self._env}, stop=stop, token=token, hint=hint)

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """End a job and, if it was the last, whatever its tools left running."""
        with self._lock:
            self._jobs = max(0, self._jobs - 1)
            is_last = self._jobs == 0
        if is_last:
            end_strays(self._token)
