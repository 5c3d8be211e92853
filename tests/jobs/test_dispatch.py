"""Commands that a scheduler holds: submitted together, looked after, and picked up by another process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, CommandStatus, Finished
from bioimageit_core.core.exceptions import JobFailedError, RunnerExecError
from bioimageit_core.jobs import JobCancelledError, Stop
from bioimageit_core.jobs.dispatch import Dispatcher
from bioimageit_core.jobs.record import read_record
from bioimageit_core.plugins.contracts import SharesDirectory, SubmitsCommands
from bioimageit_core.plugins.process import local_environment, run_process

MakeTool = Callable[..., Tool]


class Scheduler:
    """Runs what is submitted in threads; its tickets outlive whoever submitted."""

    def __init__(self, shared_dir: Path) -> None:
        self.shared_dir = str(shared_dir)
        self.bundles: list[int] = []
        self.states: dict[str, CommandStatus] = {}
        self.cancelled: list[str] = []
        self.events: dict[str, threading.Event] = {}
        self.submit_fails = ""
        self.calls: list[str] = []

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        self.calls.append("set_up")

    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> None:
        raise AssertionError("a job submits")

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        self.calls.append("tear_down")

    def submit(self, tool: Tool, commands: Sequence[Command], job_id: int = 0) -> list[str]:
        if self.submit_fails:
            raise RunnerExecError(self.submit_fails)
        self.bundles.append(len(commands))
        tickets = []
        for command in commands:
            ticket = f"job-{len(self.states)}"
            self.states[ticket] = CommandStatus(CommandState.QUEUED)
            self.events[ticket] = threading.Event()
            threading.Thread(target=self._work, args=(ticket, command), daemon=True).start()
            tickets.append(ticket)
        return tickets

    def _work(self, ticket: str, command: Command) -> None:
        finished = run_process(command, environment=local_environment(), stop=self.events[ticket])
        self.states[ticket] = CommandStatus(finished.state, finished)

    def status(self, tickets: Sequence[str]) -> Mapping[str, CommandStatus]:
        return {ticket: self.states.get(ticket, CommandStatus(CommandState.LOST)) for ticket in tickets}

    def cancel(self, tickets: Sequence[str]) -> None:
        self.cancelled += tickets
        for ticket in tickets:
            self.events[ticket].set()

    def logs(self, ticket: str, cursor: int = 0) -> tuple[str, int]:
        return "", cursor


@pytest.fixture
def scheduler(tmp_path: Path) -> Scheduler:
    return Scheduler(tmp_path / "shared")


def test_a_scheduler_is_recognised(scheduler: Scheduler) -> None:
    assert isinstance(scheduler, SubmitsCommands)
    assert isinstance(scheduler, SharesDirectory)


def test_commands_are_submitted_together(home: Any, make_tool: MakeTool, scheduler: Scheduler) -> None:
    home.add("a", "b", "c", "d", "e", "f")

    home.run(home.job(make_tool()), runner=scheduler)

    assert home.contents() == {f"o_{name}": name.upper() for name in "abcdef"}
    assert sum(scheduler.bundles) == 6
    assert len(scheduler.bundles) < 6
    assert scheduler.calls == ["set_up", "tear_down"]
    assert [name for name in os.listdir(scheduler.shared_dir) if not name.endswith(".lock")] == []


def test_a_failing_command_is_one_items_failure(home: Any, make_tool: MakeTool, scheduler: Scheduler) -> None:
    home.add("a", "bad")

    with pytest.raises(JobFailedError, match=r"bad.txt: 'python' failed with exit status 1: broken"):
        home.run(home.job(make_tool("if inputs[0] == 'bad': sys.exit('broken')\nwrite('ok')")), runner=scheduler)

    assert home.contents() == {"o_a": "ok"}


def test_what_cannot_be_submitted_fails(home: Any, make_tool: MakeTool, scheduler: Scheduler) -> None:
    home.add("a")
    scheduler.submit_fails = "the queue is closed"

    with pytest.raises(JobFailedError, match="the queue is closed"):
        home.run(home.job(make_tool()), runner=scheduler)


def test_a_lost_command_is_run_again(home: Any, make_tool: MakeTool, scheduler: Scheduler) -> None:
    from bioimageit_core.jobs import Limits

    home.add("a")
    real, lost = scheduler._work, []

    def work(ticket: str, command: Command) -> None:
        if not lost:
            lost.append(ticket)
            finished = Finished(None, state=CommandState.LOST, reason="its worker died")
            scheduler.states[ticket] = CommandStatus(CommandState.LOST, finished)
        else:
            real(ticket, command)

    scheduler._work = work  # type: ignore[method-assign]

    home.run(home.job(make_tool()), runner=scheduler, limits=Limits(retries=1))

    assert home.contents() == {"o_a": "A"}


def test_stopping_twice_cancels_what_was_submitted(home: Any, make_tool: MakeTool, scheduler: Scheduler) -> None:
    home.add("a")
    stop = Stop()
    threading.Timer(1.0, stop.now).start()

    with pytest.raises(JobCancelledError):
        home.run(home.job(make_tool("time.sleep(60)")), runner=scheduler, stop=stop)

    assert scheduler.cancelled == ["job-0"]


class OneAtATime(Scheduler):
    """Runs one command at a time; the others wait in its queue."""

    def __init__(self, shared_dir: Path) -> None:
        super().__init__(shared_dir)
        self.turn = threading.Lock()

    def _work(self, ticket: str, command: Command) -> None:
        with self.turn:
            if self.events[ticket].is_set():
                reason = "cancelled before it started"
                finished = Finished(None, state=CommandState.CANCELLED, reason=reason)
                self.states[ticket] = CommandStatus(CommandState.CANCELLED, finished)
                return
            self.states[ticket] = CommandStatus(CommandState.RUNNING)
            super()._work(ticket, command)


def test_stopping_once_finishes_what_runs_and_takes_back_what_waits(
    local: Any, make_tool: MakeTool, tmp_path: Path
) -> None:
    local.add("a", "b", "c")
    began, go_on = tmp_path / "began", tmp_path / "go_on"
    tool = make_tool(
        f"open({str(began)!r}, 'w').close()\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.02)\nwrite('ok')"
    )
    scheduler, stop = OneAtATime(tmp_path / "shared"), Stop()

    def ask() -> None:
        while not began.exists():
            threading.Event().wait(0.02)
        stop.request()
        while len(scheduler.cancelled) < 2:
            threading.Event().wait(0.02)
        go_on.touch()

    threading.Thread(target=ask, daemon=True).start()
    with pytest.raises(JobCancelledError) as caught:
        local.run(local.job(tool), runner=scheduler, stop=stop)

    record = read_record(caught.value.run)
    assert record is not None
    assert record.counts() == {"done": 1, "cancelled": 2}
    assert list(local.contents().values()) == ["ok"]


def test_a_scheduler_that_miscounts_is_an_error(home: Any, make_tool: MakeTool, scheduler: Scheduler) -> None:
    home.add("a")
    scheduler.submit = lambda tool, commands, job_id=0: []  # type: ignore[method-assign]

    with pytest.raises(JobFailedError, match="gave 0 tickets for 1 commands"):
        home.run(home.job(make_tool()), runner=scheduler)


FILE_SCHEDULER = '''
import json, os, subprocess, sys
from bioimageit_core.core.command import CommandState, CommandStatus, Finished

class FileScheduler:
    """Starts commands that outlive whoever submitted them; a ticket is a path."""
    def __init__(self, shared_dir): self.shared_dir = shared_dir
    def set_up(self, tool, job_id=0): pass
    def exec(self, tool, args, job_id=0): raise AssertionError
    def tear_down(self, tool, job_id=0): pass
    def submit(self, tool, commands, job_id=0):
        tickets = []
        for command in commands:
            ticket = os.path.join(self.shared_dir, "ticket-%d" % len(os.listdir(self.shared_dir)))
            open(ticket, "w").close()
            code = (
                "import os, subprocess, sys; status = subprocess.call(sys.argv[2:]); ticket = sys.argv[1];"
                "open(ticket + '.new', 'w').write(str(status)); os.replace(ticket + '.new', ticket)"
            )
            argv = [sys.executable if part == "python" else part for part in command.argv]
            subprocess.Popen([sys.executable, "-c", code, ticket, *argv], cwd=command.cwd, start_new_session=True)
            tickets.append(ticket)
        return tickets
    def status(self, tickets):
        found = {}
        for ticket in tickets:
            if not os.path.exists(ticket):
                found[ticket] = CommandStatus(CommandState.LOST)
                continue
            text = open(ticket).read()
            finished = Finished(int(text)) if text else None
            found[ticket] = CommandStatus(CommandState.ENDED if text else CommandState.RUNNING, finished)
        return found
    def cancel(self, tickets): pass
    def logs(self, ticket, cursor=0): return "", cursor
'''


def test_a_job_whose_submitter_died_is_picked_up_by_another(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    began = local.tmp_path / "began"
    tool = make_tool(f"open({str(began)!r}, 'a').write('x'); time.sleep(3); write(inputs[0].upper())")
    shared = local.tmp_path / "shared"
    shared.mkdir()
    (local.tmp_path / "file_scheduler.py").write_text(FILE_SCHEDULER)
    (local.tmp_path / "submitter.py").write_text(
        "import sys\nfrom file_scheduler import FileScheduler\n"
        "from bioimageit_core.containers import Job\nfrom bioimageit_core.core.wrappers import read_wrapper\n"
        "from bioimageit_core.jobs import run_job\n"
        "from bioimageit_core.plugins.data_local import LocalMetadataServiceBuilder\n"
        "service = LocalMetadataServiceBuilder()()\njob = Job()\n"
        f"job.set_experiment(service.get_experiment({local.experiment.md_uri!r}))\n"
        f"job.set_tool(read_wrapper({tool.uri!r}))\njob.set_input('i', 'data', '')\n"
        f"job.set_output_dataset_name('out')\nrun_job(job, data=service, runner=FileScheduler({str(shared)!r}))\n"
    )
    first = subprocess.Popen([sys.executable, "submitter.py"], cwd=local.tmp_path)
    while not (began.exists() and list(shared.glob("bioimageit-*/*/pending.json"))):
        assert first.poll() is None
    first.kill()
    first.wait()
    assert local.data() == []

    subprocess.run([sys.executable, "submitter.py"], cwd=local.tmp_path, check=True, timeout=60)

    local.experiment = local.service.get_experiment(local.experiment.md_uri)
    assert local.contents() == {"o_a": "A"}
    assert began.read_text() == "x", "the tool was run once"
    runs = local.service.get_dataset_runs(local.service.get_dataset(local.experiment.processed_datasets[0].url))
    record = read_record(runs[-1])
    assert record is not None
    assert [(item.state, item.reason) for item in record.items] == [("done", "submitted by an earlier process")]


class Confused(Scheduler):
    """Answers what is no answer."""

    def status(self, tickets: Sequence[str]) -> Mapping[str, CommandStatus]:
        return dict.fromkeys(tickets)  # type: ignore[arg-type]


def test_a_scheduler_that_answers_nonsense_fails_the_job_and_hangs_nothing(
    home: Any, make_tool: MakeTool, tmp_path: Path
) -> None:
    home.add("a", "b")

    with pytest.raises(JobFailedError, match="not looked after any more"):
        home.run(home.job(make_tool()), runner=Confused(tmp_path / "shared"))


def test_whoever_comes_after_the_end_of_a_dispatcher_is_told(make_tool: MakeTool, tmp_path: Path) -> None:
    dispatcher = Dispatcher(Confused(tmp_path), make_tool(), 0, threading.Event())
    assert dispatcher.wait("a ticket").state is CommandState.LOST

    assert dispatcher.wait("another").state is CommandState.LOST
    with pytest.raises(RunnerExecError, match="not looked after"):
        dispatcher.submit(Command(["true"], str(tmp_path)))
