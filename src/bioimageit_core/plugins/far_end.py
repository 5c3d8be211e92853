"""What runners that use other machines do there: see that the files are the same ones, and execute a command."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from threading import Event
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, Finished
from bioimageit_core.core.exceptions import BioImageITError, ConfigError, RunnerExecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bioimageit_core.plugins.contracts import DataService, RunnerService

__all__ = [
    "Home",
    "Inner",
    "command_from",
    "execute",
    "find_unseen",
    "finished_from",
    "is_seen",
    "plain_tool",
    "sign_of_sharing",
    "to_plain",
]


@dataclass(frozen=True)
class Inner:
    """The runner that gives a tool its environment where its commands are executed.

    Attributes
    ----------
    name
        Of a runner plugin that executes single commands, such as ``LOCAL``, ``UV``, ``CONDA`` or ``SINGULARITY``.
    options
        Its configuration.
    """

    name: str = "LOCAL"
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: str | Mapping[str, Any]) -> Inner:
        """Read it from a configuration: a name, or an object with ``service`` and its options.

        Raises
        ------
        ConfigError
            It is neither.

        Examples
        --------
        >>> Inner.of({"service": "UV", "offline": True})
        Inner(name='UV', options={'offline': True})
        """
        if isinstance(given, str) and given:
            return cls(given)
        if isinstance(given, Mapping) and isinstance(given.get("service"), str):
            return cls(given["service"], {key: value for key, value in given.items() if key != "service"})
        raise ConfigError(
            f"runner.inner: {given!r} is not the name of a runner, nor an object such as {{'service': 'UV'}}"
        )

    def service(self) -> RunnerService:
        """Give the runner, the same one every time.

        Raises
        ------
        PluginError
            It cannot be used.
        """
        from bioimageit_core.plugins.runners_factory import runnerServices

        found: RunnerService = runnerServices.get(self.name, **self.options)
        return found


@dataclass(frozen=True)
class Home:
    """The data service that items which are done on another machine read from and write to.

    Attributes
    ----------
    options
        Its configuration as it was written: secrets that it names, by ``${ENV:…}`` or ``${KEYRING:…}``, are looked up
        on that machine.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def service(self, user: str = "") -> DataService:
        """Give the service, acting for a user.

        Raises
        ------
        ConfigError
            A secret that it names is not on this machine.
        PluginError
            It cannot be used.
        """
        from bioimageit_core.core.secrets import resolve
        from bioimageit_core.plugins.data_factory import metadataServices

        found: DataService = metadataServices.get(self.name, **resolve(dict(self.options), "metadata"))
        if user and hasattr(found, "act_for"):
            found.act_for(user)
        return found


def execute(tool: Tool, command: Command, inner: RunnerService, stop: Event | None = None) -> Finished:
    """Execute a command on this machine for a runner on another, and say what became of it, whatever that is.

    Parameters
    ----------
    inner
        Set up for the tool already.
    """
    from bioimageit_core.plugins.contracts import RunsCommands

    host = platform.node()
    if unseen := find_unseen(command):
        paths = ", ".join(repr(path) for path in unseen)
        why = f"cannot run on {host}: {paths} is not there; runner.shared_dir must be seen by all machines at one path"
        return Finished(None, reason=why, host=host)
    if not isinstance(inner, RunsCommands):
        why = f"cannot run on {host}: the inner runner {type(inner).__name__} executes no single commands"
        return Finished(None, reason=why, host=host)
    try:
        finished = inner.run_command(tool, command, 0, stop)
    except RunnerExecError as error:
        return Finished(error.exit_status, stderr=error.stderr, reason=f"could not be started: {error}", host=host)
    except Exception as error:  # noqa: BLE001 - of a plugin; it is told where it can be seen
        what = str(error) if isinstance(error, BioImageITError) else f"{type(error).__name__}: {error}"
        return Finished(None, reason=f"could not be executed on {host}: {what}", host=host)
    return finished if finished.host else replace(finished, host=host)


def find_unseen(command: Command) -> list[str]:
    """List the paths of a command that this machine does not see."""
    return [path for path in (command.cwd, *command.reads, *command.writes) if path and not os.path.exists(path)]


@contextmanager
def sign_of_sharing(directory: str) -> Iterator[str]:
    """Put a file with a name of its own into a directory, by which other machines see that it is the same one.

    Raises
    ------
    RunnerExecError
        It cannot be written.
    """
    path = os.path.join(directory, f".bioimageit-{uuid.uuid4().hex}")
    try:
        os.makedirs(directory, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(platform.node())
    except OSError as error:
        raise RunnerExecError(f"runner.shared_dir {directory!r} cannot be written: {error.strerror}") from error
    try:
        yield path
    finally:
        os.unlink(path)


def is_seen(path: str) -> bool:
    """Say whether a file is there, also where a network filesystem remembers that it was not."""
    try:
        os.listdir(os.path.dirname(path))  # makes NFS look again
    except OSError:
        return False
    return os.path.exists(path)


def plain_tool(tool: Tool) -> Tool:
    """Give a copy of a tool that has its published fields alone, and so can travel."""
    return Tool(**{each.name: getattr(tool, each.name) for each in fields(Tool) if each.init})


def to_plain(value: Command | Finished) -> dict[str, Any]:
    """Turn into what JSON can say."""
    plain = asdict(value)
    return {key: list(entry) if isinstance(entry, tuple) else entry for key, entry in plain.items()}


def command_from(plain: Mapping[str, Any]) -> Command:
    """Undo `to_plain`; what later versions added is left out.

    Raises
    ------
    RunnerExecError
        It describes no command.
    """
    known = {each.name for each in fields(Command)}
    try:
        return Command(**{key: value for key, value in plain.items() if key in known})
    except (TypeError, AttributeError) as error:
        raise RunnerExecError(f"this is no command: {error}") from error


def finished_from(plain: Mapping[str, Any]) -> Finished:
    """Undo `to_plain`; what later versions added is left out.

    Raises
    ------
    RunnerExecError
        It describes no end of a command.
    """
    known = {each.name for each in fields(Finished)}
    try:
        values = {key: value for key, value in plain.items() if key in known}
        return Finished(**{**values, "state": CommandState(values["state"])})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunnerExecError(f"this is no end of a command: {error}") from error
