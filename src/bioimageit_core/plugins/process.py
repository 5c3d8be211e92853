"""The one place where processes of tools run: argv only, memory bounded, nothing left behind.

Every process gets a session of its own, so that an interrupt at the terminal does not reach it and all that it starts
can be ended together, and a token in its environment, by which processes are found that left that session.
"""

from __future__ import annotations

import contextlib
import os
import platform
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event

from bioimageit_core.core.command import Command, CommandState, Finished
from bioimageit_core.core.exceptions import RunnerExecError

__all__ = ["TAIL_BYTES", "TOKEN", "end_strays", "local_environment", "run_process"]

TAIL_BYTES = 64 * 1024
TOKEN = "BIOIMAGEIT_COMMAND"  # noqa: S105 - the name of a variable, no secret

_CHUNK = 1 << 18
_TICK = 0.1  # how often to look at `stop` and at the memory, in seconds
_LINGER = 0.5  # how long what a program leaves behind may go on after it
_GRACE = 2.0  # between asking a process to end and ending it


def local_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give this process's environment, with the running interpreter's programs first on the path."""
    env = dict(os.environ)
    own = os.path.dirname(sys.executable)
    env["PATH"] = os.pathsep.join([own, *(env["PATH"].split(os.pathsep) if env.get("PATH") else [os.defpath])])
    env.update(extra or {})
    return env


def run_process(
    command: Command,
    *,
    environment: Mapping[str, str] | None = None,
    stop: Event | None = None,
    token: str = "",
    hint: str = "",
) -> Finished:
    """Execute a command on this machine and say what became of it.

    Its standard input is closed; of its output the last `TAIL_BYTES` of each stream are kept. When it ends, or is
    ended, so is everything that it started.

    Parameters
    ----------
    environment
        All environment variables, `Command.env` aside; None for those of `local_environment`.
    stop
        When set, the command is ended.
    token
        Marks its processes; see `end_strays`.
    hint
        What to do if the program is not found.

    Raises
    ------
    RunnerExecError
        It could not be started.
    """
    if stop is not None and stop.is_set():
        return Finished(None, state=CommandState.CANCELLED, reason="cancelled before it started", host=platform.node())
    token = token or f"{os.getpid()}-{time.monotonic_ns()}"
    env = {**(local_environment() if environment is None else environment), **command.env, TOKEN: token}
    started = time.monotonic()
    process = _start(command, env, hint)
    try:
        return _Watch(process, command, token, started, stop).until_over()
    except BaseException:
        _end_all(process.pid, token)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)  # collects it, if it has not been


def end_strays(token: str) -> int:
    """End every process of this machine whose token begins with `token`; return how many there were.

    Looks into ``/proc``, so it finds nothing where that is not: there, processes that left their group live on.
    """
    if not token:
        return 0
    wanted = f"{TOKEN}={token}".encode()
    found = [pid for pid in _pids() if pid != os.getpid() and _has_variable(pid, wanted)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


class _Tail:
    """The end of a stream."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.total = 0

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        self.kept += chunk[-TAIL_BYTES:]
        if len(self.kept) > 2 * TAIL_BYTES:
            del self.kept[:-TAIL_BYTES]

    def text(self) -> str:
        kept = self.kept[-TAIL_BYTES:]
        left_out = self.total - len(kept)
        note = f"[... {left_out} bytes left out ...]\n" if left_out else ""
        return note + kept.decode("utf-8", "replace")


class _Watch:
    """Follows one process to its end: reads what it writes, and ends it when it must."""

    def __init__(
        self, process: subprocess.Popen[bytes], command: Command, token: str, started: float, stop: Event | None
    ) -> None:
        self.process = process
        self.command = command
        self.token = token
        self.started = started
        self.stop = stop
        self.state = CommandState.ENDED
        self.reason = ""
        self.next_look = 0.0
        assert process.stdout is not None  # noqa: S101 - for the type checker; both are pipes
        assert process.stderr is not None  # noqa: S101
        self.tails = {process.stdout.fileno(): _Tail(), process.stderr.fileno(): _Tail()}
        self.out, self.err = self.tails.values()
        self.open = set(self.tails)
        self.poll = select.poll()
        for fd in self.tails:
            os.set_blocking(fd, False)
            self.poll.register(fd, select.POLLIN | select.POLLHUP)
        self.pidfd = _open_pidfd(process.pid)
        if self.pidfd >= 0:
            self.poll.register(self.pidfd, select.POLLIN)

    def until_over(self) -> Finished:
        try:
            while self.process.poll() is None:
                self._read(self._wait_time())
                if self.state is CommandState.ENDED:
                    self._check_limits()
            self._end_leftovers()
        finally:
            if self.pidfd >= 0:
                os.close(self.pidfd)
        return Finished(
            self.process.returncode,
            self.out.text(),
            self.err.text(),
            time.monotonic() - self.started,
            self.state,
            self.reason,
            platform.node(),
        )

    def _wait_time(self) -> float:
        waits = [60.0]
        if self.stop is not None or self.command.memory is not None:
            waits.append(_TICK)
        if self.command.timeout is not None:
            waits.append(max(0.0, self.started + self.command.timeout - time.monotonic()))
        if self.pidfd < 0:
            waits.append(0.01 if time.monotonic() - self.started < 1 else 0.05)
        return min(waits)

    def _read(self, seconds: float) -> None:
        """Wait for output, or for the end of the process, and take what is there."""
        for fd, _ in self.poll.poll(seconds * 1000):
            if fd not in self.open:
                continue
            try:
                chunk = os.read(fd, _CHUNK)
            except BlockingIOError:
                continue
            if chunk:
                self.tails[fd].add(chunk)
            else:
                self.open.discard(fd)
                self.poll.unregister(fd)

    def _check_limits(self) -> None:
        seconds, memory, now = self.command.timeout, self.command.memory, time.monotonic()
        if seconds is not None and now - self.started >= seconds:
            self._end(CommandState.TIMED_OUT, f"took longer than {seconds:g} s")
            return
        if now < self.next_look:
            return
        self.next_look = now + _TICK
        if self.stop is not None and self.stop.is_set():
            self._end(CommandState.CANCELLED, "cancelled")
        elif memory is not None and (used := _resident_bytes(self.process.pid)) > memory:
            self._end(CommandState.OUT_OF_MEMORY, f"used {used >> 20} MiB of memory; the limit is {memory >> 20} MiB")

    def _end(self, state: CommandState, reason: str) -> None:
        self.state, self.reason = state, reason
        if state is not CommandState.OUT_OF_MEMORY:  # that one is not waited for: it may take all there is
            _signal_group(self.process.pid, signal.SIGTERM)
            self._wait_until(lambda: self.process.poll() is not None, _GRACE)
        _end_all(self.process.pid, self.token)

    def _end_leftovers(self) -> None:
        """End what the program left running, and take the rest of the output."""
        group = self.process.pid
        if not self._wait_until(lambda: not _group_lives(group), _LINGER):
            _signal_group(group, signal.SIGTERM)
            if not self._wait_until(lambda: not _group_lives(group), _LINGER):
                _end_all(group, self.token)
        if not self._wait_until(lambda: not self.open, _LINGER):
            _end_all(group, self.token)  # someone outside the group holds our pipes
            self._wait_until(lambda: not self.open, _LINGER)

    def _wait_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() >= deadline:
                return False
            if self.open:
                self._read(0.005)
            else:
                time.sleep(0.005)
        return True


def _start(command: Command, env: Mapping[str, str], hint: str) -> subprocess.Popen[bytes]:
    argv = list(command.argv)
    if not argv:
        raise RunnerExecError("there is no command to execute")
    if sys.platform == "win32":
        raise RunnerExecError("commands are executed on POSIX systems only; on Windows use WSL", argv)
    try:
        return subprocess.Popen(
            argv,
            cwd=command.cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise RunnerExecError(_why_not_started(command, env, error, hint), argv) from error


def _why_not_started(command: Command, env: Mapping[str, str], error: Exception, hint: str) -> str:
    program = command.argv[0]
    if isinstance(error, ValueError):
        return f"{program!r} cannot be started: {error} in its arguments"
    if not os.path.isdir(command.cwd):
        return f"{program!r} cannot be started: its directory {command.cwd!r} does not exist"
    if isinstance(error, FileNotFoundError):
        if os.sep in program:
            missing = "does not exist, or the interpreter that its first line names does not"
            return f"program {program!r} {missing}; {hint or 'install it, or correct the command'}"
        where = env.get("PATH", os.defpath).replace(os.pathsep, ", ")
        advice = hint or "install it, or use a runner that makes the tool's environment"
        return f"program {program!r} is not on the path ({where}); {advice}"
    if isinstance(error, OSError) and error.errno == 7:
        return f"{program!r} cannot be started: its command line is too long for this system"
    return f"{program!r} cannot be started: {getattr(error, 'strerror', None) or error}"


def _open_pidfd(pid: int) -> int:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return -1


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_all(leader: int, token: str) -> None:
    """End a process, its group, its session, and whoever carries its token."""
    _signal_group(leader, signal.SIGKILL)
    for pid, session, _ in _sessions():
        if session == leader and pid != leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    end_strays(token)


def _resident_bytes(session: int) -> int:
    """Add up the resident memory of a session's processes."""
    return sum(pages for _, of, pages in _sessions() if of == session) * os.sysconf("SC_PAGE_SIZE")


def _sessions() -> Iterator[tuple[int, int, int]]:
    """Give (pid, session, resident pages) of every process, as proc_pid_stat(5) describes them."""
    for pid in _pids():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if len(fields) > 21:
            yield pid, int(fields[3]), int(fields[21])


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _has_variable(pid: int, beginning: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return any(entry.startswith(beginning) for entry in file.read().split(b"\0"))
    except OSError:
        return False
