"""What passes between a job and a runner: a command with its limits in, what became of it out."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bioimageit_core.core.exceptions import RunnerExecError

__all__ = ["Command", "CommandState", "CommandStatus", "Finished", "exit_in_words", "failure_of"]


class CommandState(StrEnum):
    """Where a command stands; the first two pass, the others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self not in (CommandState.QUEUED, CommandState.RUNNING)


@dataclass(frozen=True)
class Command:
    """One command to execute, with all that a runner needs to know of it.

    It holds plain values only, so that it can be pickled, or written as JSON, on its way to another machine.

    Attributes
    ----------
    argv
        The program and its arguments; no shell ever sees them.
    cwd
        Absolute path of the directory that it runs in; it exists, and the command may write there.
    env
        Environment variables beside those of the tool's environment.
    reads
        Absolute paths of files and directories that it reads. A container mounts these, read-only, where they are.
    writes
        Absolute paths of directories that it writes into, `cwd` aside. A container mounts these where they are.
    timeout
        Wall-clock limit in seconds; None for none.
    memory
        Limit of the resident memory of all its processes together, in bytes; None for none.
    cpus
        How many processors it may use; a hint to schedulers.
    network
        Whether it may reach the network, where the runner can forbid that.
    name
        What people call it: shown by queues.
    item
        A whole item, for runners that say ``stages_items``: it is done where the command would be executed, and `argv`
        and `cwd` stand for nothing. Plain JSON; only jobs know what is in it.
    """

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    timeout: float | None = None
    memory: int | None = None
    cpus: int = 1
    network: bool = False
    name: str = ""
    item: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """What became of a command.

    Attributes
    ----------
    exit_status
        As the program said it; negative for the signal that ended it; None where it never started or was lost.
    stdout, stderr
        The ends of what it wrote (some 64 KiB at most, after a note of what was left out).
    seconds
        Wall-clock time that it took.
    state
        `CommandState.ENDED` if it ended by itself, whatever its exit status; else why it was ended.
    reason
        For people: why it was ended, or what became of it; empty where the exit status says all.
    host
        Name of the machine that executed it.
    item
        What became of the whole item, where the command was one.
    """

    exit_status: int | None
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    state: CommandState = CommandState.ENDED
    reason: str = ""
    host: str = ""
    item: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CommandStatus:
    """Where a submitted command stands; `finished` is there once its state is final."""

    state: CommandState
    finished: Finished | None = None


def failure_of(command: Command, finished: Finished, reason: str = "") -> RunnerExecError:
    r"""Make the error of a command that failed: what was run, how it ended, and the end of its stderr.

    Parameters
    ----------
    reason
        Why it counts as failed, where its exit status does not say it.

    Examples
    --------
    >>> print(failure_of(Command(["blur", "a.tif"], "/tmp"), Finished(3, stderr="reading\nno such axis\n")))
    'blur' failed with exit status 3: no such axis
    """
    why = reason or finished.reason or exit_in_words(finished.exit_status)
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    said = f": {lines[-1][:300]}" if lines and not (reason or finished.reason) else ""
    program = command.argv[0] if command.argv else ""
    return RunnerExecError(f"{program!r} {why}{said}", command.argv, finished.exit_status, finished.stderr[-8192:])


def exit_in_words(exit_status: int | None) -> str:
    """Say how a process ended, as a predicate: ``failed with exit status 3``, ``was ended by SIGSEGV``."""
    if exit_status is None:
        return "did not end as a program does"
    if exit_status < 0:
        try:
            name = signal.Signals(-exit_status).name
        except ValueError:
            name = f"signal {-exit_status}"
        return f"was ended by {name}"
    return f"failed with exit status {exit_status}"
