"""The main path of a job: plan, pair, execute, record."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import (
    DataServiceError,
    JobFailedError,
    PairingError,
    RunnerExecError,
)
from bioimageit_core.core.observer import Observer
from bioimageit_core.jobs import plan_job, run_job
from bioimageit_core.jobs.record import read_record

MakeTool = Callable[..., Tool]


def test_a_sequential_tool_runs_once_for_each_item(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b", "c")

    home.run(home.job(make_tool()))

    assert home.contents() == {"o_a": "A", "o_b": "B", "o_c": "C"}
    assert home.runner.calls.count("run") == 3


def test_a_result_says_what_it_was_made_from(home: Any, make_tool: MakeTool) -> None:
    (raw,) = home.add("a")

    run = home.run(home.job(make_tool()))

    (data,) = home.data()
    assert [(i.name, i.uri, i.uuid, i.type) for i in data.inputs] == [("i", raw.md_uri, raw.uuid, "raw")]
    assert data.output == {"name": "o", "label": "O"}
    assert (data.format, data.author) == ("tablecsv", "ada")
    assert data.run.uuid == run.uuid


def test_a_run_says_tool_parameters_and_selections(home: Any, make_tool: MakeTool) -> None:
    home.add("a", Population="p1")
    tool = make_tool(parameters='<param type="integer" name="p" value="2"/>')

    run = home.run(home.job(tool, inputs={"i": ("data", "Population=p1")}, p=3))

    stored = home.service.get_run(run.md_uri)
    assert (stored.process_name, os.path.abspath(stored.process_uri)) == ("upper_v1", tool.uri)
    assert [(p.name, p.value) for p in stored.parameters] == [("p", 3)]
    assert [(i.name, i.dataset, i.query, i.origin_output_name) for i in stored.inputs] == [
        ("i", "data", "Population=p1", "")
    ]


def test_the_record_tells_who_what_when_where_and_how(local: Any, make_tool: MakeTool) -> None:
    (raw,) = local.add("a")

    run = local.run(local.job(make_tool(parameters='<param type="integer" name="p" value="2"/>')))

    record = read_record(local.service.get_run(run.md_uri))
    assert record is not None
    assert (record.state, record.user, record.runner) == ("done", "ada", "CountingRunner")
    assert record.host
    assert record.core_version
    assert record.started.endswith("Z")
    assert record.started <= record.ended
    assert record.environment is None
    assert record.parameters == {"p": 2}, "defaults too"
    assert (record.tool.id, record.tool.version, len(record.tool.sha256)) == ("upper", "1", 64)
    assert set(record.tool.files) == {"tool.xml", "tool.py"}
    (item,) = record.items
    assert (item.name, item.state, item.exit_status, item.attempts) == ("a.txt", "done", 0, 1)
    assert item.argv[0] == "python"
    assert item.seconds > 0
    assert [(f.name, f.data, f.uuid, f.sha256) for f in item.inputs] == [
        ("i", "a.txt", raw.uuid, hashlib.sha256(b"a").hexdigest())
    ]
    assert [(f.name, f.data, f.uuid, f.sha256) for f in item.outputs] == [
        ("o", "o_a", local.data()[0].uuid, hashlib.sha256(b"A").hexdigest())
    ]


def test_a_service_that_cannot_write_a_run_again_still_returns_the_whole_record(
    published: Any, make_tool: MakeTool
) -> None:
    published.add("a")

    run = published.run(published.job(make_tool()))

    record = read_record(run)
    assert record is not None
    assert [item.state for item in record.items] == ["done"]


def test_services_are_called_in_the_published_order_by_one_thread_at_a_time(
    published: Any, make_tool: MakeTool
) -> None:
    published.add("a", "b", "c", "d")

    published.run(published.job(make_tool()), workers=4)

    assert published.service.calls == ["create_dataset", "create_run", *["create_data"] * 4]


def test_a_merge_tool_gets_all_selected_data_in_one_execution(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b", "c")

    home.run(home.job(make_tool("write('+'.join(inputs))", type_="merge")))

    (data,) = home.data()
    assert home.text(data) == "a+b+c"
    assert len(data.inputs) == 3
    assert home.runner.calls == ["set_up", "run", "tear_down"]


def test_a_merge_tool_gets_its_data_in_an_order_that_follows_from_them(home: Any, make_tool: MakeTool) -> None:
    home.add("c10", "c9", "b")
    home.run(home.job(make_tool(), "upper"))

    home.run(home.job(make_tool("write('+'.join(inputs))", id_="join", type_="merge"), inputs={"i": "upper"}))

    assert list(home.contents().values()) == ["B+C9+C10"]


def test_outputs_of_several_kinds_are_data_of_their_own(home: Any, make_tool: MakeTool) -> None:
    home.add("a")

    home.run(home.job(make_tool("write('1'); write('2', 't')", outputs=("o", "t"))))

    assert {d.name: (d.output["name"], home.text(d)) for d in home.data()} == {"o_a": ("o", "1"), "t_a": ("t", "2")}


def test_a_second_tool_runs_on_the_output_of_the_first(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b", Population="p1")
    home.run(home.job(make_tool("write('1' + inputs[0]); write('2', 't')", outputs=("o", "t")), "first"))

    query = ("first", "Population=p1", "o")
    home.run(home.job(make_tool("write(inputs[0] + '!')", id_="next"), "second", {"i": query}))

    assert home.contents("second") == {"o_a": "1a!", "o_b": "1b!"}


def test_inputs_of_several_datasets_are_paired_by_origin_not_position(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b", "c")
    home.run(home.job(make_tool(), "upper"), workers=1)
    info = home.experiment.processed_datasets[0]
    dataset = home.service.get_dataset(info.url)
    dataset.uris.reverse()
    home.service.update_dataset(dataset)
    both = make_tool("write(inputs[0] + open(arguments['l'][0]).read())", id_="both", inputs=("i", "l"))

    home.run(home.job(both, inputs={"i": "data", "l": "upper"}))

    assert home.contents() == {"o_a": "aA", "o_b": "bB", "o_c": "cC"}


def test_items_that_lack_a_partner_are_named_and_nothing_is_made(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b", "c")
    home.run(home.job(make_tool(), "upper", {"i": ("data", "name==b.txt")}))
    both = make_tool("", id_="both", inputs=("i", "l"))

    with pytest.raises(PairingError, match=r"'l' has no partner for a.txt, c.txt"):
        home.run(home.job(both, inputs={"i": "data", "l": "upper"}))

    assert [info.name for info in home.experiment.processed_datasets] == ["upper"]


def test_one_data_goes_with_all_only_if_asked(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b")
    home.add("flat", role="reference")
    both = make_tool("write(inputs[0] + open(arguments['l'][0]).read())", id_="both", inputs=("i", "l"))
    job = home.job(both, inputs={"i": ("data", "NOT role=reference"), "l": ("data", "role=reference")})

    with pytest.raises(PairingError):
        home.run(job)
    run = home.run(job, broadcast=["l"])

    assert home.contents() == {"o_a": "aflat", "o_b": "bflat"}
    record = read_record(run)
    assert record is not None
    assert record.broadcast == ["l"]


@pytest.mark.parametrize(
    "name", ["a b;c.txt", "$(touch hurt).txt", "`touch hurt`.txt", 'it\'s "so".txt', "-rf.txt", "ünï.txt"]
)
def test_a_name_is_only_a_name(local: Any, make_tool: MakeTool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = local.tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    local.add("x", name=name)

    local.run(local.job(make_tool()))

    assert [local.text(data) for data in local.data()] == ["X"]
    assert os.listdir(folder) == []


def test_a_parameter_is_only_a_value(local: Any, make_tool: MakeTool) -> None:
    local.add("x")
    tool = make_tool("write(arguments['p'])", parameters='<param type="text" name="p"/>')

    local.run(local.job(tool, p="$(touch hurt); a 'b' \"c\""))

    assert list(local.contents().values()) == ["$(touch hurt); a 'b' \"c\""]


def test_two_data_of_one_stem_have_results_of_two_names(home: Any, make_tool: MakeTool) -> None:
    home.add("x", name="cell.txt")
    home.add("y", name="cell.csv")
    home.add("z", name="CELL.dat")

    home.run(home.job(make_tool()))

    assert home.contents() == {"o_cell": "X", "o_cell_2": "Y", "o_CELL_3": "Z"}


# failures


# plans


def test_a_plan_writes_nothing_and_gives_its_reasons(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b")

    plan = plan_job(home.job(make_tool()), data=home.service)

    assert plan.reasons() == [("run", "new", 2)]
    assert [item.name for item in plan.items] == ["a.txt", "b.txt"]
    assert home.experiment.processed_datasets == []


def test_a_dry_run_gives_the_items_and_writes_nothing(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b")

    run = home.run(home.job(make_tool()), dry_run=True)

    record = read_record(run)
    assert record is not None
    assert [(item.name, item.state, item.reason) for item in record.items] == [
        ("a.txt", "run", "new"),
        ("b.txt", "run", "new"),
    ]
    assert run.md_uri == ""
    assert home.experiment.processed_datasets == []
    assert home.runner.calls == []


# progress


class Listener(Observer):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, str, int]] = []
        self.errors: list[str] = []

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        self.heard.append((progress, message, job_id))

    def notify_error(self, message: str, job_id: int = 0) -> None:
        self.errors.append(message)


def test_observers_hear_of_one_progress_for_the_whole(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "bad", "c", "d")
    listener = Listener()
    tool = make_tool("if inputs[0] == 'bad': sys.exit('broken')\nwrite('ok')")

    with pytest.raises(JobFailedError):
        home.run(home.job(tool), observers=[listener], job_id=7)

    assert [percent for percent, _, _ in listener.heard] == [25, 50, 75, 100]
    assert {job_id for _, _, job_id in listener.heard} == {7}
    assert sorted(message for _, message, _ in listener.heard) == [
        "a.txt: done",
        "bad.txt: failed",
        "c.txt: done",
        "d.txt: done",
    ]
    assert listener.errors == ["bad.txt: 'python' failed with exit status 1: broken"]


def test_an_observer_that_fails_does_not_stop_the_job(home: Any, make_tool: MakeTool) -> None:
    class Broken(Observer):
        def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
            raise ValueError(message)

    home.add("a")

    home.run(home.job(make_tool()), observers=[Broken()])

    assert home.contents() == {"o_a": "A"}


# runners


def test_an_old_runner_is_called_as_it_can_be(home: Any, make_tool: MakeTool, old_runner: Any) -> None:
    home.add("a", "b")
    runner = old_runner()

    run_job(home.job(make_tool()), data=home.service, runner=runner)

    assert runner.calls == ["set_up", "exec", "exec", "tear_down"]
    assert home.contents() == {"o_a": "A", "o_b": "B"}


def test_an_old_runners_failure_is_ours(home: Any, make_tool: MakeTool, old_runner: Any) -> None:
    home.add("a")
    runner = old_runner()

    with pytest.raises(JobFailedError) as caught:
        run_job(home.job(make_tool("sys.exit('no such axis')")), data=home.service, runner=runner)

    failure = caught.value.failures["a.txt"]
    assert isinstance(failure, RunnerExecError)
    assert failure.exit_status == 1
    assert failure.stderr == "no such axis\n"
    assert runner.calls[-1] == "tear_down"


def test_a_runner_that_cannot_be_set_up_makes_nothing_and_is_torn_down(
    published: Any, make_tool: MakeTool, old_runner: Any
) -> None:
    published.add("a")
    runner = old_runner(set_up_fails=True)

    with pytest.raises(OSError, match="no docker here"):
        run_job(published.job(make_tool()), data=published.service, runner=runner)

    assert runner.calls == ["set_up", "tear_down"]
    assert published.service.calls == []


def test_a_command_says_what_it_reads_and_writes(local: Any, make_tool: MakeTool) -> None:
    (raw,) = local.add("a")
    tool = make_tool()

    local.run(local.job(tool))

    (command,) = local.runner.commands
    assert set(command.reads) == {os.path.dirname(tool.uri), raw.uri}
    assert len(command.writes) == 1
    assert command.writes[0].startswith(os.path.join(str(local.workspace), "cells", ".bioimageit"))
    assert command.name == "a.txt"
    assert not os.path.exists(command.cwd), "the item's directory is gone afterwards"


def test_no_place_that_was_made_for_an_output_is_left(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "bad")

    with pytest.raises(JobFailedError):
        local.run(local.job(make_tool("if inputs[0] == 'bad': sys.exit(1)\nwrite('ok')")))

    staging = local.workspace / "cells" / ".bioimageit" / "staging"
    assert list(staging.iterdir()) == []


def test_an_error_of_the_data_service_is_the_items(published: Any, make_tool: MakeTool) -> None:
    raw, _ = published.add("a", "b")
    published.service.records[raw.md_uri].uri = "omero:17"

    with pytest.raises(JobFailedError, match=r"a.txt: no local file can be had of it") as caught:
        published.run(published.job(make_tool()))

    assert isinstance(caught.value.failures["a.txt"], DataServiceError)
    assert published.contents() == {"o_b": "B"}
