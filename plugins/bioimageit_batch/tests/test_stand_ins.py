"""PBS and LSF as stand-ins for their programs play them: what is written and read is real, the servers are not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import RunnerExecError

TOOL = Tool("kit", "kit", "1.0")
PROGRAMS = {"pbs": ("qsub", "qstat", "qdel"), "lsf": ("bsub", "bjobs", "bkill")}


@pytest.fixture(params=["pbs", "lsf"])
def scheduler(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    programs, jobs = tmp_path / "bin", tmp_path / "jobs"
    programs.mkdir()
    jobs.mkdir()
    source = (Path(__file__).parent / "stand_in.py").read_text()
    for name in PROGRAMS[request.param]:
        (programs / name).write_text(f"#!{sys.executable}\n{source}")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    monkeypatch.setenv("STAND_IN_DIR", str(jobs))
    return request.param


@pytest.fixture
def ready(scheduler: str, make_service: Any) -> Any:
    def make(**options: Any) -> Any:
        service = make_service(scheduler=scheduler, **options)
        service.set_up(TOOL)
        return service

    return make


def python(code: str, folder: Path) -> Command:
    return Command([sys.executable, "-c", code], str(folder))


def test_exit_statuses_and_output_come_back(ready: Any, tmp_path: Path, await_all: Any) -> None:
    service = ready(bundle=2)
    tickets = service.submit(TOOL, [python(f"print({n}); exit({n})", tmp_path) for n in range(3)])
    ended = await_all(service, tickets)

    assert [(finished.exit_status, finished.stdout) for finished in ended] == [(0, "0\n"), (1, "1\n"), (2, "2\n")]


def test_what_a_batch_job_asks_for_stands_in_its_script(
    ready: Any, scheduler: str, tmp_path: Path, await_all: Any
) -> None:
    service = ready(queue="long", account="lab", walltime="30:00:00", parallel=2)
    await_all(service, service.submit(TOOL, [python("pass", tmp_path)] * 2))
    (job,) = (tmp_path / "jobs").glob("*.json")
    script = json.loads(job.read_text())["script"]

    wanted = {
        "pbs": ("#PBS -q long", "#PBS -A lab", "#PBS -l walltime=30:0:0", "ncpus=2"),
        "lsf": ('#BSUB -q "long"', '#BSUB -P "lab"', "#BSUB -W 30:0"),
    }
    assert [line for line in wanted[scheduler] if line not in script] == []


def test_cancelling_ends_what_runs(ready: Any, tmp_path: Path, await_all: Any, until: Any) -> None:
    service = ready()
    code = "import pathlib, time; pathlib.Path('began').touch(); time.sleep(300)"
    tickets = service.submit(TOOL, [python(code, tmp_path), python("open('second', 'w')", tmp_path)])
    until((tmp_path / "began").exists, "the command to begin")
    service.cancel(tickets)
    ended = await_all(service, tickets)

    assert {finished.state for finished in ended} == {CommandState.CANCELLED}
    assert not (tmp_path / "second").exists()


def test_a_batch_job_that_the_scheduler_does_not_know_any_more_is_lost(
    ready: Any, tmp_path: Path, await_all: Any, until: Any
) -> None:
    service = ready()
    gone = tmp_path / "go"
    # the directory goes with the test, perhaps before the command has seen the file
    waits = f"while os.path.isdir({str(tmp_path)!r}) and not os.path.exists({str(gone)!r}): time.sleep(0.05)"
    tickets = service.submit(TOOL, [python(f"import os, time\n{waits}", tmp_path)])
    until(lambda: service.status(tickets)[tickets[0]].state is CommandState.RUNNING, "the command to begin")
    (job,) = (tmp_path / "jobs").glob("*.json")
    hidden = job.rename(job.with_suffix(".hidden"))
    (finished,) = await_all(service, tickets)
    hidden.rename(job)
    gone.touch()

    assert finished.state is CommandState.LOST
    assert "does not know" in finished.reason


def test_another_service_is_told_of_earlier_tickets(ready: Any, tmp_path: Path, await_all: Any) -> None:
    tickets = ready().submit(TOOL, [python("exit(4)", tmp_path)])

    assert [finished.exit_status for finished in await_all(ready(), tickets)] == [4]


def test_without_its_programs_it_is_said_which_are_missing(
    make_service: Any, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(RunnerExecError, match=f"{PROGRAMS[scheduler][0]}.* is not on the path"):
        make_service(scheduler=scheduler).set_up(TOOL)
