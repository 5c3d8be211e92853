"""What a batch job executes on its node: ``python -m bioimageit_batch.launcher DIRECTORY``.

Commands that have a result already are left alone, so that a batch job which the scheduler starts again after the loss
of a node goes on where it was.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import FrameType

from bioimageit_core.api.items import execute
from bioimageit_core.containers import Tool
from bioimageit_core.core.command import CommandState, Finished
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.far_end import Inner

from bioimageit_batch.bundle import Bundle

__all__ = ["Launcher", "main"]

_LOOK = 0.5  # seconds between two looks for commands that are to be ended
_MARGIN = 20.0  # seconds of a batch job's time in which what still runs is ended, if it has that many
_SIGNALLED = (-signal.SIGTERM, -signal.SIGKILL, 128 + signal.SIGTERM, 128 + signal.SIGKILL)


class Launcher:
    """Executes the commands of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.commands = bundle.commands()
        self.stops = [threading.Event() for _ in self.commands]
        self.started = time.monotonic()
        self.ended_by = CommandState.CANCELLED
        self.over = threading.Event()

    def run(self) -> None:
        """Execute what has no result yet, and write a result for each command."""
        self._look()  # what was cancelled while it waited must not begin
        threading.Thread(target=self._watch, daemon=True).start()
        tool = _tool_of(self.bundle)
        inner, why = _inner_of(self.bundle, tool)
        present = self.bundle.names()
        left = [number for number in range(len(self.commands)) if f"result-{number}.json" not in present]
        with ThreadPoolExecutor(max(1, int(self.bundle.plain.get("parallel") or 1))) as pool:
            list(pool.map(lambda number: self._do(number, tool, inner, why), left))
        self.over.set()
        if inner is not None:
            inner.tear_down(tool, 0)

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """End everything: the scheduler asks for it by a signal."""
        if self._is_late():
            self.ended_by = CommandState.TIMED_OUT
        for stop in self.stops:
            stop.set()

    def _do(self, number: int, tool: Tool, inner: RunnerService | None, why: str) -> None:
        stop = self.stops[number]
        if stop.is_set():
            finished = Finished(None, state=self.ended_by, reason=self._words("before it started"))
        elif inner is None:
            finished = Finished(None, reason=why)
        else:
            self.bundle.mark("begun", number)
            finished = execute(tool, self.commands[number], inner, stop)
            # a scheduler signals all processes at once, and the command may have ended before this one is told
            by_signal = finished.state is CommandState.ENDED and finished.exit_status in _SIGNALLED
            if finished.state is CommandState.CANCELLED or (by_signal and stop.wait(_LOOK)):
                finished = replace(finished, state=self.ended_by, reason=self._words())
        self.bundle.set_result(number, finished)

    def _words(self, when: str = "") -> str:
        why = "the time limit of its batch job was over" if self.ended_by is CommandState.TIMED_OUT else "cancelled"
        return f"{why} {when}".strip()

    def _is_late(self) -> bool:
        """Say whether the batch job's time is all but over: what is left of it is for ending in good order."""
        walltime = self.bundle.plain.get("walltime")
        if not isinstance(walltime, int | float):
            return False
        return time.monotonic() - self.started > walltime - min(_MARGIN, 0.1 * walltime)

    def _watch(self) -> None:
        while not self.over.wait(_LOOK):
            if self._is_late():
                self.stop()
            self._look()

    def _look(self) -> None:
        """Hear which commands are not wanted any more."""
        for name in self.bundle.names():
            what, _, number = name.partition("-")
            if what == "cancel" and number.isdigit() and int(number) < len(self.stops):
                self.stops[int(number)].set()


def main() -> int:
    """Execute the bundle whose directory is the only argument."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m bioimageit_batch.launcher DIRECTORY\n")
        return 2
    path = os.path.abspath(sys.argv[1])
    try:
        launcher = Launcher(Bundle(path))
    except (OSError, ValueError, BioImageITError) as error:
        sys.stderr.write(f"the bundle {path!r} cannot be read on this node: {error}\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU, signal.SIGUSR2):
        signal.signal(number, launcher.stop)
    launcher.run()
    return 0


def _tool_of(bundle: Bundle) -> Tool:
    """Read the tool again where its wrapper is seen; what it requires stands there."""
    plain = bundle.plain["tool"]
    uri = str(plain["uri"] or "")
    if bundle.plain["inner"]["name"] != "LOCAL" and os.path.isfile(uri):
        from bioimageit_core.core.wrappers import read_wrapper

        return read_wrapper(uri)
    return Tool(str(plain["id"]), str(plain["name"]), str(plain["version"]), uri=uri)


def _inner_of(bundle: Bundle, tool: Tool) -> tuple[RunnerService | None, str]:
    plain = bundle.plain["inner"]
    try:
        service = Inner(str(plain["name"]), dict(plain["options"])).service()
        service.set_up(tool, 0)
    except BioImageITError as error:
        return None, f"cannot run on its node: {error}"
    return service, ""


if __name__ == "__main__":
    sys.exit(main())
