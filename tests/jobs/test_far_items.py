"""Whole items that are done where commands are executed, with a home that neither machine has on its disk."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api.items import execute
from bioimageit_core.containers import Job, Tool
from bioimageit_core.core.command import Command, CommandState, CommandStatus, Finished
from bioimageit_core.core.exceptions import JobFailedError
from bioimageit_core.jobs import JobCancelledError, Limits, Stop, run_job
from bioimageit_core.jobs.record import read_record
from bioimageit_core.plugins.data_fsspec import FsspecMetadataServiceBuilder
from bioimageit_core.plugins.far_end import plain_tool
from bioimageit_core.plugins.runner_local import LocalRunnerService

MakeTool = Callable[..., Tool]
HOME = {"service": "FSSPEC"}


class FarRunner(LocalRunnerService):
    """A scheduler with one machine: what it is told travels as JSON, as it does to a node."""

    run_command: Any = None
    stages_items = True

    def __init__(self) -> None:
        super().__init__()
        self.inner = LocalRunnerService()
        self.told: list[dict[str, Any]] = []
        self.ended: dict[str, Finished] = {}
        self.stops: dict[str, threading.Event] = {}
        self.again = False

    def submit(self, tool: Tool, commands: Sequence[Command], job_id: int = 0) -> list[str]:
        tickets = []
        for command in commands:
            text = json.dumps(dataclasses.asdict(command))
            self.told.append(json.loads(text))
            tickets.append(str(len(self.told)))
            self.stops[tickets[-1]] = threading.Event()
            arguments = (tickets[-1], plain_tool(tool), Command(**json.loads(text)))
            threading.Thread(target=self._do, args=arguments, daemon=True).start()
        return tickets

    def status(self, tickets: Sequence[str]) -> dict[str, CommandStatus]:
        return {
            ticket: CommandStatus(self.ended[ticket].state, self.ended[ticket])
            if ticket in self.ended
            else CommandStatus(CommandState.RUNNING)
            for ticket in tickets
        }

    def cancel(self, tickets: Sequence[str]) -> None:
        for ticket in tickets:
            self.stops[ticket].set()

    def logs(self, ticket: str, cursor: int = 0) -> tuple[str, int]:
        return "", cursor

    def _do(self, ticket: str, tool: Tool, command: Command) -> None:
        if self.again:  # its first machine was lost after it had stored the results
            execute(tool, command, self.inner, self.stops[ticket])
        self.ended[ticket] = execute(tool, command, self.inner, self.stops[ticket])


class Remote:
    """An experiment in memory:// and a job on it."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.service = FsspecMetadataServiceBuilder()()
        self.experiment = self.service.create_experiment("cells", "ada", "now", [], f"memory://far-{tmp_path.name}")
        self.runner = FarRunner()

    def add(self, *names: str) -> None:
        for name in names:
            (self.tmp_path / f"{name}.txt").write_text(name)
            path = str(self.tmp_path / f"{name}.txt")
            self.service.import_data(self.experiment, path, f"{name}.txt", "ada", "raw", "now", {})

    def job(self, tool: Tool) -> Job:
        job = Job()
        job.set_experiment(self.experiment)
        job.set_tool(tool)
        job.set_input("i", "data", "")
        job.set_output_dataset_name("out")
        return job

    def run(self, job: Job, **more: Any) -> Any:
        return run_job(job, data=self.service, runner=self.runner, user="ada", home=HOME, **more)

    def contents(self) -> list[tuple[str, str]]:
        dataset = self.service.get_dataset(self.experiment.processed_datasets[0].url)
        found = []
        for entry in dataset.uris:
            data = self.service.get_processed_data(entry.md_uri)
            path = self.service.download_data(entry.md_uri, str(self.tmp_path / f"got-{data.uuid}"))
            found.append((data.name, Path(path).read_text()))
        return sorted(found)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def test_items_are_told_of_the_home_and_not_of_files(remote: Remote, make_tool: MakeTool) -> None:
    remote.add("a", "b")
    run = remote.run(remote.job(make_tool()))

    assert remote.contents() == [("o_a", "A"), ("o_b", "B")]
    record = read_record(run)
    assert record.counts() == {"done": 2}
    assert all(item.exit_status == 0 and item.host and item.outputs[0].sha256 for item in record.items)
    assert [told["item"]["home"] for told in remote.runner.told] == [HOME, HOME]
    assert not any(told["cwd"] or told["reads"] or told["writes"] for told in remote.runner.told)
    assert remote.run(remote.job(make_tool())).md_uri == run.md_uri  # nothing is left to do


def test_results_of_an_item_that_was_done_twice_are_there_once(remote: Remote, make_tool: MakeTool) -> None:
    remote.add("a", "b")
    remote.runner.again = True
    run = remote.run(remote.job(make_tool()))

    assert [text for _, text in remote.contents()] == ["A", "B"]
    dataset = remote.service.get_dataset(remote.experiment.processed_datasets[0].url)
    recorded = {file.uuid for item in read_record(run).items for file in item.outputs}
    assert {entry.uuid for entry in dataset.uris} == recorded


def test_results_that_are_made_again_get_names_of_their_own(remote: Remote, make_tool: MakeTool) -> None:
    remote.add("a")
    remote.run(remote.job(make_tool()))
    remote.run(remote.job(make_tool()), resume=False)

    assert remote.contents() == [("o_a", "A"), ("o_a_2", "A")]


def test_an_item_is_tried_again_over_there(remote: Remote, make_tool: MakeTool) -> None:
    remote.add("a")
    tries = remote.tmp_path / "tries"
    body = f"open({str(tries)!r}, 'a').write('x')\nif len(open({str(tries)!r}).read()) < 3: sys.exit('not yet')\n"
    run = remote.run(remote.job(make_tool(f"{body}write('ok')")), limits=Limits(retries=2))

    assert read_record(run).items[0].attempts == 3
    assert len(remote.runner.told) == 1


def test_an_item_whose_tool_is_another_one_there_fails(
    remote: Remote, make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.add("a")
    submit = remote.runner.submit

    def changed(tool: Tool, commands: Any, job_id: int = 0) -> list[str]:
        make_tool("write('changed')")
        return submit(tool, commands, job_id)

    monkeypatch.setattr(remote.runner, "submit", changed)
    with pytest.raises(JobFailedError, match="tool upper_v1 is another one there"):
        remote.run(remote.job(make_tool()))

    assert remote.contents() == []


def test_a_home_that_is_not_known_there_fails_the_items(remote: Remote, make_tool: MakeTool) -> None:
    remote.add("a")
    job = remote.job(make_tool())
    with pytest.raises(JobFailedError, match=r"cannot be done on .*: no data plugin 'ELSEWHERE'"):
        run_job(job, data=remote.service, runner=remote.runner, user="ada", home={"service": "ELSEWHERE"})


def test_what_is_stopped_is_ended_over_there(remote: Remote, make_tool: MakeTool) -> None:
    remote.add("a", "b")
    began = remote.tmp_path / "began"
    tool = make_tool(f"open({str(began)!r}, 'w').close()\ntime.sleep(60)")
    stop = Stop()

    def ask() -> None:
        while not began.exists():
            threading.Event().wait(0.02)
        stop.now()

    threading.Thread(target=ask, daemon=True).start()
    with pytest.raises(JobCancelledError) as caught:
        remote.run(remote.job(tool), stop=stop)

    assert read_record(caught.value.run).counts() == {"cancelled": 2}
    assert remote.contents() == []
