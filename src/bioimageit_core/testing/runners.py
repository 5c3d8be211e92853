"""The definition of a runner: what executes commands as they are, and tells the truth of them."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.structure import takes
from bioimageit_core.testing.ability import ability, look_for

__all__ = ["RunnerServiceTests"]

HOSTILE_ARGUMENTS = (
    "a b;c.tif",
    "$(touch pwned)",
    "`touch pwned`",
    "x && touch pwned",
    "| cat /etc/passwd",
    "> pwned",
    "*",
    "~",
    "$HOME",
    "${x}",
    "%PATH%",
    "'single' \"double\"",
    "back\\slash",
    "new\nline",
    "",
    "--help",
    "Zellkern-µ 細胞核 🔬",
    "x" * 10_000,
)

_WRITE_ARGUMENTS = "import json, sys; open(sys.argv[1], 'w').write(json.dumps(sys.argv[2:]))"
_FAIL = "import sys; sys.stderr.write('reading\\nno such axis\\n'); sys.exit(3)"
_FLOOD = """
import sys
for _ in range(20_000):
    sys.stderr.write('x' * 1023 + chr(10))
sys.stderr.write('the end')
sys.exit(4)
"""
_READ_STDIN = "import sys; open(sys.argv[1], 'w').write(repr(sys.stdin.read()))"
_SLEEP = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(120)"


class RunnerServiceTests:
    """All that a runner does.

    An author supplies `service`, and where the defaults do not serve, `tool` (one that the runner can set up),
    `directory` (where its commands can write and this process can read) and `python` (the argv of a Python 3 there).

    Attributes
    ----------
    lacks
        Abilities that the service is known not to have, and why; their tests are skipped with that reason.
    patience
        Seconds within which a trivial command ends.

    Examples
    --------
    A whole conformance test::

        class TestMachine(RunnerServiceTests):
            @pytest.fixture
            def service(self):
                return MachineRunner()
    """

    lacks: ClassVar[Mapping[str, str]] = {}
    patience: ClassVar[float] = 60.0

    @pytest.fixture
    def service(self) -> Any:
        """Give the service under test."""
        pytest.fail(f"{type(self).__name__} must have a fixture `service`", pytrace=False)

    @pytest.fixture
    def tool(self) -> Tool:
        """Give a tool that the runner can set up and that needs nothing but Python."""
        return Tool("kit", "kit", "1.0")

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        """Give a directory that commands can write to and that is seen here under the same path."""
        return tmp_path

    @pytest.fixture
    def python(self) -> list[str]:
        """Give the argv of a Python 3 where the commands run."""
        return [sys.executable]

    @pytest.fixture(autouse=True)
    def _known_lack(self, request: pytest.FixtureRequest) -> None:
        marker = request.node.get_closest_marker("bioimageit_ability")
        if marker is not None and marker.args[0] in self.lacks:
            pytest.skip(self.lacks[marker.args[0]])

    @pytest.fixture
    def execute(self, service: Any, tool: Tool, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Give a function that sets up, executes an argv in `directory` and tears down."""
        monkeypatch.chdir(directory)

        def execute(argv: Sequence[str], job_id: int = 1) -> None:
            _call(service.set_up, tool, job_id=job_id)
            try:
                _call(service.exec, tool, list(argv), job_id=job_id)
            finally:
                _call(service.tear_down, tool, job_id=job_id)

        return execute

    @ability("contract")
    def test_it_has_every_method_of_the_contract(self, service: Any) -> None:
        required = sorted(RunnerService.__abstractmethods__)

        assert [name for name in required if not callable(getattr(service, name, None))] == []

    @ability("exec")
    def test_a_command_is_executed_to_its_end(self, execute: Any, python: list[str], directory: Path) -> None:
        script = "import sys, time; time.sleep(0.5); open(sys.argv[1], 'w').write('done')"
        execute([*python, "-c", script, str(directory / "out")])

        assert (directory / "out").read_text() == "done"

    @ability("arguments")
    @pytest.mark.parametrize("argument", HOSTILE_ARGUMENTS, ids=lambda a: ascii(a[:20]))
    def test_an_argument_is_only_a_value(self, execute: Any, python: list[str], directory: Path, argument: str) -> None:
        execute([*python, "-c", _WRITE_ARGUMENTS, str(directory / "out"), argument, "next"])

        assert json.loads((directory / "out").read_text()) == [argument, "next"]
        assert sorted(os.listdir(directory)) == ["out"]

    @ability("failures")
    def test_an_exit_status_that_is_not_0_is_an_error_that_says_it(self, execute: Any, python: list[str]) -> None:
        with pytest.raises(RunnerExecError) as caught:
            execute([*python, "-c", _FAIL])

        assert caught.value.exit_status == 3
        assert "no such axis" in caught.value.stderr
        assert _FAIL in list(caught.value.command)

    @ability("failures")
    def test_a_program_that_is_not_there_is_an_error_that_names_it(self, execute: Any) -> None:
        with pytest.raises(RunnerExecError, match="no-such-program-anywhere"):
            execute(["no-such-program-anywhere", "x"])

    @ability("failures")
    def test_the_next_command_runs_after_a_failure(self, execute: Any, python: list[str], directory: Path) -> None:
        with pytest.raises(RunnerExecError):
            execute([*python, "-c", "raise SystemExit(1)"])
        execute([*python, "-c", _WRITE_ARGUMENTS, str(directory / "out")])

        assert (directory / "out").read_text() == "[]"

    @ability("output")
    def test_of_a_flood_of_output_the_end_is_kept(self, execute: Any, python: list[str]) -> None:
        with pytest.raises(RunnerExecError) as caught:
            execute([*python, "-c", _FLOOD])

        assert caught.value.exit_status == 4
        assert caught.value.stderr.rstrip().endswith("the end")
        assert len(caught.value.stderr) < 1_000_000

    @ability("output")
    def test_a_command_that_reads_its_standard_input_does_not_hang(
        self, execute: Any, python: list[str], directory: Path
    ) -> None:
        execute([*python, "-c", _READ_STDIN, str(directory / "out")])

        assert (directory / "out").read_text() == "''"

    @ability("jobs")
    def test_two_jobs_overlap(
        self, service: Any, tool: Tool, python: list[str], directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(directory)
        for job in (1, 2):
            _call(service.set_up, tool, job_id=job)
        _call(service.tear_down, tool, job_id=1)
        _call(service.exec, tool, [*python, "-c", _WRITE_ARGUMENTS, str(directory / "out")], job_id=2)
        _call(service.tear_down, tool, job_id=2)

        assert (directory / "out").exists()

    # run_command

    @pytest.fixture
    def run(self, service: Any, tool: Tool, directory: Path) -> Any:
        """Give a function that runs a `Command` within a job of its own."""
        look_for(service, "run_command")

        def run(argv: Sequence[str], stop: threading.Event | None = None, **options: Any) -> Any:
            service.set_up(tool, 7)
            try:
                return service.run_command(tool, Command(list(argv), str(directory), **options), 7, stop)
            finally:
                service.tear_down(tool, 7)

        return run

    @ability("run_command")
    def test_what_became_of_a_command_is_told(self, run: Any, python: list[str]) -> None:
        script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(5)"
        finished = run([*python, "-c", script])

        assert (finished.exit_status, finished.state) == (5, CommandState.ENDED)
        assert (finished.stdout.strip(), finished.stderr.strip()) == ("out", "err")
        assert 0 < finished.seconds < self.patience

    @ability("run_command")
    def test_a_command_has_its_directory_and_its_environment(
        self, run: Any, python: list[str], directory: Path
    ) -> None:
        script = "import os; open('here', 'w').write(os.environ['KIT'])"
        finished = run([*python, "-c", script], env={"KIT": "a b;$(c) µ"})

        assert finished.exit_status == 0
        assert (directory / "here").read_text() == "a b;$(c) µ"

    @ability("run_command")
    def test_a_command_that_cannot_start_is_an_error(self, run: Any) -> None:
        with pytest.raises(RunnerExecError, match="no-such-program-anywhere"):
            run(["no-such-program-anywhere"])

    @ability("time limit")
    def test_a_command_that_takes_too_long_is_ended(self, run: Any, python: list[str], directory: Path) -> None:
        start = time.monotonic()
        finished = run([*python, "-c", _SLEEP, str(directory / "began")], timeout=1.0)

        assert finished.state == CommandState.TIMED_OUT
        assert time.monotonic() - start < self.patience

    @ability("cancelling")
    def test_a_command_is_ended_when_it_is_told_to_stop(self, run: Any, python: list[str], directory: Path) -> None:
        stop = threading.Event()
        watch = threading.Thread(target=_stop_when, args=(directory / "began", stop, self.patience))
        watch.start()
        finished = run([*python, "-c", _SLEEP, str(directory / "began")], stop)
        watch.join()

        assert finished.state == CommandState.CANCELLED

    # submit, status, cancel, logs

    @ability("submit")
    def test_submitted_commands_end_and_tell_how(
        self, service: Any, tool: Tool, python: list[str], directory: Path
    ) -> None:
        look_for(service, "submit", "status")
        commands = [Command([*python, "-c", f"print({n}); raise SystemExit({n})"], str(directory)) for n in (0, 3)]
        service.set_up(tool, 8)
        try:
            tickets = service.submit(tool, commands, 8)
            ended = self._await(service, tickets)
        finally:
            service.tear_down(tool, 8)

        assert [ended[ticket].finished.exit_status for ticket in tickets] == [0, 3]
        assert all(isinstance(ticket, str) for ticket in tickets)

    @ability("submit")
    def test_the_log_of_a_command_is_read_from_a_cursor(
        self, service: Any, tool: Tool, python: list[str], directory: Path
    ) -> None:
        look_for(service, "submit", "status", "logs")
        service.set_up(tool, 9)
        try:
            (ticket,) = service.submit(tool, [Command([*python, "-c", "print('said')"], str(directory))], 9)
            self._await(service, [ticket])
            text, cursor = service.logs(ticket, 0)
            rest, _ = service.logs(ticket, cursor)
        finally:
            service.tear_down(tool, 9)

        assert "said" in text
        assert rest == ""

    @ability("submit")
    def test_a_cancelled_command_is_ended(self, service: Any, tool: Tool, python: list[str], directory: Path) -> None:
        look_for(service, "submit", "status", "cancel")
        service.set_up(tool, 10)
        try:
            command = Command([*python, "-c", _SLEEP, str(directory / "began")], str(directory))
            (ticket,) = service.submit(tool, [command], 10)
            _wait_for(directory / "began", self.patience)
            service.cancel([ticket])
            ended = self._await(service, [ticket])
        finally:
            service.tear_down(tool, 10)

        assert ended[ticket].state == CommandState.CANCELLED

    @ability("submit")
    def test_a_ticket_that_nobody_knows_is_lost(self, service: Any) -> None:
        look_for(service, "submit", "status")

        assert service.status(["no-such-ticket"])["no-such-ticket"].state == CommandState.LOST

    def _await(self, service: Any, tickets: Sequence[str]) -> Any:
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            found = service.status(tickets)
            if all(found[ticket].state.is_final for ticket in tickets):
                return found
            time.sleep(0.05)
        pytest.fail(f"not ended after {self.patience} s: {found}")


def _call(method: Any, *arguments: Any, job_id: int) -> Any:
    """Call a published method; older runners have no ``job_id``."""
    return method(*arguments, job_id) if takes(method, len(arguments) + 1) else method(*arguments)


def _wait_for(path: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not path.exists():
        time.sleep(0.02)
    return path.exists()


def _stop_when(path: Path, stop: threading.Event, seconds: float) -> None:
    _wait_for(path, seconds)
    stop.set()
