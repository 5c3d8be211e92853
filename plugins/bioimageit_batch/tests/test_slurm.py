"""What the BATCH runner does on a real Slurm, beyond the contract of all runners."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import RunnerExecError

pytestmark = pytest.mark.slurm

TOOL = Tool("kit", "kit", "1.0")
APPEND = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getppid()}\\n'); time.sleep(float(sys.argv[2]))"


def appending(folder: Path, number: int, seconds: float) -> Command:
    return Command([sys.executable, "-c", APPEND, str(folder / f"{number}.txt"), str(seconds)], str(folder))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def ready(slurm: Any, make_service: Any) -> Any:
    def make(**options: Any) -> Any:
        service = make_service(**options)
        service.set_up(TOOL)
        return service

    return make


def test_bundles_tell_of_each_command_and_are_removed_afterwards(
    ready: Any, files: Path, await_all: Any, slurm: Any
) -> None:
    service = ready(bundle=3, parallel=2)
    commands = [Command([sys.executable, "-c", f"print({n}); exit({n})"], str(files)) for n in range(7)]
    tickets = service.submit(TOOL, commands)
    ended = await_all(service, tickets)

    assert [finished.exit_status for finished in ended] == list(range(7))
    assert [finished.stdout for finished in ended] == [f"{n}\n" for n in range(7)]
    assert all(finished.host and finished.seconds > 0 for finished in ended)
    folder = Path(service.shared_dir, ".bioimageit-batch")
    assert len([path for path in folder.iterdir() if (path / "bundle.json").exists()]) == 3
    service.tear_down(TOOL)
    assert [path for path in folder.iterdir() if (path / "bundle.json").exists()] == []
    assert list((folder / "submitted" / "slurm").iterdir()) == []


def test_a_killed_launcher_is_submitted_again_with_what_has_no_result(
    ready: Any, files: Path, await_all: Any, until: Any
) -> None:
    service = ready()
    tickets = service.submit(TOOL, [appending(files, number, 1.0 if number == 1 else 0) for number in range(3)])
    until(lambda: (files / "1.txt").exists() and (files / "1.txt").read_text(), "the second command to begin")
    os.kill(int((files / "1.txt").read_text()), signal.SIGKILL)
    ended = await_all(service, tickets)

    assert [(finished.exit_status, finished.state) for finished in ended] == [(0, CommandState.ENDED)] * 3
    assert [len((files / f"{number}.txt").read_text().split()) for number in range(3)] == [1, 2, 1]


def test_what_kills_its_launcher_every_time_is_lost_and_said_so(ready: Any, files: Path, await_all: Any) -> None:
    service = ready()
    script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    (finished,) = await_all(service, service.submit(TOOL, [Command([sys.executable, "-c", script], str(files))]))

    assert (finished.exit_status, finished.state) == (None, CommandState.LOST)
    assert "left no result" in finished.reason


def test_what_runs_when_the_time_of_its_batch_job_is_all_but_over_is_ended(
    ready: Any, files: Path, await_all: Any
) -> None:
    service = ready(walltime="00:00:06")
    tickets = service.submit(TOOL, [appending(files, 0, 0), appending(files, 1, 300), appending(files, 2, 300)])
    ended = await_all(service, tickets)

    states = [finished.state for finished in ended]
    assert states == [CommandState.ENDED, CommandState.TIMED_OUT, CommandState.TIMED_OUT]
    assert "time limit of its batch job" in ended[1].reason
    assert not (files / "2.txt").exists()


@pytest.mark.slow  # Slurm looks at limits once a minute
def test_what_slurm_ends_for_its_time_limit_is_told_as_such(
    ready: Any, files: Path, await_all: Any, slurm: Any
) -> None:
    service = ready()
    tickets = service.submit(TOOL, [appending(files, 0, 0), appending(files, 1, 300)])
    native_id = json.loads(Path(json.loads(tickets[0])[1], "job.json").read_text())["native_id"]
    slurm.ask("scontrol", "update", f"JobId={native_id}", "TimeLimit=0:02")
    ended = await_all(service, tickets, 180)

    assert ended[0].exit_status == 0
    assert ended[1].state in (CommandState.TIMED_OUT, CommandState.CANCELLED)


def test_cancelling_what_waits_and_what_runs(ready: Any, files: Path, await_all: Any, until: Any, slurm: Any) -> None:
    service = ready(bundle=2)
    cpus = os.cpu_count() or 1
    tickets = service.submit(TOOL, [appending(files, number, 300) for number in range(2 * cpus + 2)])
    until(lambda: len(os.listdir(files)) == cpus, "as many batch jobs to begin as there are processors")
    service.cancel(tickets)
    ended = await_all(service, tickets)

    assert {finished.state for finished in ended} == {CommandState.CANCELLED}
    assert len(os.listdir(files)) == cpus


def test_one_of_a_bundle_is_cancelled_alone(ready: Any, files: Path, await_all: Any, until: Any) -> None:
    service = ready()
    tickets = service.submit(TOOL, [appending(files, number, 300 if number == 1 else 0) for number in range(3)])
    until((files / "1.txt").exists, "the second command to begin")
    assert service.status(tickets)[tickets[1]].state is CommandState.RUNNING
    service.cancel([tickets[1]])
    ended = await_all(service, tickets)

    states = [finished.state for finished in ended]
    assert states == [CommandState.ENDED, CommandState.CANCELLED, CommandState.ENDED]


def test_another_process_is_told_of_what_a_dead_one_submitted(
    slurm: Any, make_service: Any, files: Path, tmp_path: Path, await_all: Any
) -> None:
    script = tmp_path / "submit.py"
    script.write_text(
        "import json, os, signal, sys\n"
        "from bioimageit_core.containers import Tool\n"
        "from bioimageit_core.core.command import Command\n"
        "from bioimageit_batch.service import BatchRunnerService\n"
        f"service = BatchRunnerService(shared_dir={str(tmp_path)!r})\n"
        "tool = Tool('kit', 'kit', '1.0')\n"
        "service.set_up(tool)\n"
        "code = 'import time; time.sleep(1); print(5); exit(5)'\n"
        f"tickets = service.submit(tool, [Command([sys.executable, '-c', code], {str(files)!r})] * 2)\n"
        "print(json.dumps(tickets), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert dead.returncode == -9, dead.stderr
    tickets = json.loads(dead.stdout)

    service = make_service()
    assert [finished.exit_status for finished in await_all(service, tickets)] == [5, 5]
    assert service.logs(tickets[1])[0] == "5\n"


def test_a_queue_that_does_not_exist_is_an_error_that_says_what_slurm_said(ready: Any, files: Path) -> None:
    service = ready(queue="nowhere")

    with pytest.raises(RunnerExecError, match="invalid partition"):
        service.submit(TOOL, [appending(files, 0, 0)])
    folder = Path(service.shared_dir, ".bioimageit-batch")
    assert [path for path in folder.iterdir() if (path / "bundle.json").exists()] == []


def test_queue_and_options_reach_slurm(ready: Any, files: Path, await_all: Any) -> None:
    service = ready(queue="other", walltime="00:05:00", options={"comment": "of-bioimageit"})
    script = "import os; print(os.environ['SLURM_JOB_PARTITION'])"
    (finished,) = await_all(service, service.submit(TOOL, [Command([sys.executable, "-c", script], str(files))]))

    assert finished.stdout == "other\n"
    submitted = "".join(path.read_text() for path in Path(service.shared_dir).rglob("*.job"))
    assert '#SBATCH --comment="of-bioimageit"' in submitted
    assert "#SBATCH --time=0:5:0" in submitted


def test_a_node_that_lacks_the_interpreter_is_told(ready: Any, files: Path, await_all: Any) -> None:
    service = ready(python="/no/such/python", resubmit=0)
    (finished,) = await_all(service, service.submit(TOOL, [appending(files, 0, 0)]))

    assert finished.state is CommandState.LOST
    assert "/no/such/python" in finished.stderr
