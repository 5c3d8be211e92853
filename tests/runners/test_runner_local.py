"""The LOCAL runner: the published methods and whole commands."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.contracts import RunnerService, RunsCommands
from bioimageit_core.plugins.runner_local import LocalRunnerService, LocalRunnerServiceBuilder


def test_the_builder_gives_one_instance_and_ignores_what_it_does_not_know() -> None:
    builder = LocalRunnerServiceBuilder()

    assert builder(conda_dir="/opt") is builder()


def test_it_is_a_runner_that_runs_commands() -> None:
    runner = LocalRunnerService()

    assert isinstance(runner, RunnerService)
    assert isinstance(runner, RunsCommands)


def test_exec_runs_an_argv_to_its_end(tmp_path: Path) -> None:
    LocalRunnerService().exec(Tool(), [sys.executable, "-c", "import sys; open(sys.argv[1], 'w')", str(tmp_path / "x")])

    assert (tmp_path / "x").exists()


def test_exec_raises_with_command_status_and_the_end_of_stderr() -> None:
    argv = [sys.executable, "-c", "import sys; print('no such axis', file=sys.stderr); sys.exit(4)"]

    with pytest.raises(RunnerExecError, match="failed with exit status 4: no such axis") as caught:
        LocalRunnerService().exec(Tool(), argv)

    assert (list(caught.value.command), caught.value.exit_status) == (argv, 4)
    assert caught.value.stderr == "no such axis\n"


def test_a_signal_has_its_name() -> None:
    with pytest.raises(RunnerExecError, match="was ended by SIGABRT"):
        LocalRunnerService().exec(Tool(), [sys.executable, "-c", "import os; os.kill(os.getpid(), 6)"])


def test_a_missing_program_points_to_other_runners() -> None:
    with pytest.raises(RunnerExecError, match=r"'fijix' is not on the path .* choose a runner that makes"):
        LocalRunnerService().exec(Tool(), ["fijix"])


def test_its_own_variables_reach_the_command(tmp_path: Path) -> None:
    command = Command([sys.executable, "-c", "import os; print(os.environ['FIJI'])"], str(tmp_path))

    finished = LocalRunnerService({"FIJI": "/opt/fiji"}).run_command(Tool(), command)

    assert finished.stdout == "/opt/fiji\n"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes through /proc")
def test_the_last_tear_down_ends_what_detached_itself(tmp_path: Path) -> None:
    daemon = "import time; open('up', 'w'); time.sleep(60)"
    code = (
        "import subprocess, sys, time, os\n"
        f"p = subprocess.Popen([sys.executable, '-c', {daemon!r}], start_new_session=True, "
        "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "while not os.path.exists('up'): time.sleep(0.01)\nprint(p.pid)"
    )
    runner = LocalRunnerService()
    runner.set_up(Tool(), 1)
    runner.set_up(Tool(), 2)
    pid = int(runner.run_command(Tool(), Command([sys.executable, "-c", code], str(tmp_path))).stdout)

    runner.tear_down(Tool(), 1)
    assert is_running(pid), "another job is not done yet"
    runner.tear_down(Tool(), 2)

    deadline = time.monotonic() + 3
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
