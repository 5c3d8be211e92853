"""Items that fail: each says why, stops no other and leaves no data."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Job, Tool
from bioimageit_core.core.exceptions import (
    DataQueryError,
    InvalidNameError,
    JobFailedError,
    NotFoundError,
    RunnerExecError,
    ToolsServiceError,
)
from bioimageit_core.jobs import JobError, Limits, PreflightError
from bioimageit_core.jobs.record import read_record

MakeTool = Callable[..., Tool]


def test_a_failing_item_tells_why_stops_nobody_and_leaves_no_data(home: Any, make_tool: MakeTool) -> None:
    home.add("good", "bad", "fine")
    tool = make_tool("if inputs[0] == 'bad': write('half'); sys.exit('no such axis: Q')\nwrite('ok')")

    with pytest.raises(JobFailedError) as caught:
        home.run(home.job(tool))

    error = caught.value
    assert (error.done, list(error.failures)) == (2, ["bad.txt"])
    failure = error.failures["bad.txt"]
    assert isinstance(failure, RunnerExecError)
    assert (failure.exit_status, failure.stderr, failure.command[0]) == (1, "no such axis: Q\n", "python")
    assert "1 of 3 items failed: bad.txt: 'python' failed with exit status 1: no such axis: Q" in str(error)
    assert home.contents() == {"o_good": "ok", "o_fine": "ok"}
    assert pickle.loads(pickle.dumps(error)).done == 2
    leftovers = list(Path(home.tmp_path).rglob("*o_bad*"))
    assert leftovers == []


def test_a_failure_is_in_the_record(local: Any, make_tool: MakeTool) -> None:
    local.add("bad")

    with pytest.raises(JobFailedError) as caught:
        local.run(local.job(make_tool("sys.exit('no such axis')")))

    record = read_record(local.service.get_run(caught.value.run.md_uri))
    assert record is not None
    assert record.state == "failed"
    (item,) = record.items
    assert (item.state, item.exit_status, item.outputs, item.stderr) == ("failed", 1, [], "no such axis\n")
    assert "no such axis" in item.error


def test_a_tool_that_writes_nothing_has_failed(home: Any, make_tool: MakeTool) -> None:
    home.add("a")

    with pytest.raises(JobFailedError, match="wrote nothing for 'o'"):
        home.run(home.job(make_tool("pass")))

    assert home.data() == []


def test_a_tool_that_writes_one_of_two_outputs_leaves_none(home: Any, make_tool: MakeTool) -> None:
    home.add("a")

    with pytest.raises(JobFailedError, match="wrote nothing for 't'"):
        home.run(home.job(make_tool("write('1')", outputs=("o", "t"))))

    assert home.data() == []


def test_a_full_disk_between_two_outputs_leaves_none(published: Any, make_tool: MakeTool) -> None:
    published.add("a")
    published.service.fails_at["create_data"] = 1

    with pytest.raises(JobFailedError, match="No space left on device"):
        published.run(published.job(make_tool("write('1'); write('2', 't')", outputs=("o", "t"))))

    assert published.data() == []


def test_a_full_disk_between_two_outputs_leaves_none_in_a_folder(
    local: Any, make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.add("a", "b")
    create, made = local.service.documents.create, []

    def on_a_full_disk(record: Any, **options: Any) -> Any:
        if getattr(record, "name", "") == "t_a":
            raise OSError(28, "No space left on device")
        made.append(getattr(record, "name", ""))
        return create(record, **options)

    monkeypatch.setattr(local.service.documents, "create", on_a_full_disk)
    with pytest.raises(JobFailedError, match="No space left on device"):
        local.run(local.job(make_tool("write('1'); write('2', 't')", outputs=("o", "t"))))

    assert "o_a" in made
    assert sorted(local.contents()) == ["o_b", "t_b"]
    left = sorted(path.name for path in (local.workspace / "cells" / "out").glob("?_*"))
    assert left == ["o_b.csv", "o_b.md.json", "t_b.csv", "t_b.md.json"]
    assert list(local.service.check_experiment(local.experiment.md_uri)) == []


def test_a_tool_that_takes_too_long_is_ended(home: Any, make_tool: MakeTool) -> None:
    home.add("slow", "fast")
    tool = make_tool("if inputs[0] == 'slow': time.sleep(60)\nwrite('ok')")

    with pytest.raises(JobFailedError, match=r"slow.txt: 'python' took longer than 2 s"):
        home.run(home.job(tool), limits=Limits(seconds=2))

    assert home.contents() == {"o_fast": "ok"}


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="memory is looked up in /proc")
def test_a_tool_that_takes_too_much_memory_is_ended(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    tool = make_tool("held = bytearray(b'x') * (300 << 20)\ntime.sleep(60)")

    with pytest.raises(JobFailedError, match="the limit is 150 MiB"):
        local.run(local.job(tool), limits=Limits(memory=150 << 20))


def test_an_item_is_tried_again_as_often_as_asked(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    counter = local.tmp_path / "tries"
    tool = make_tool(
        f"with open({str(counter)!r}, 'a') as f: f.write('x')\n"
        f"if len(open({str(counter)!r}).read()) < 3: sys.exit('not yet')\nwrite('ok')"
    )

    run = local.run(local.job(tool), limits=Limits(retries=2))

    assert local.contents() == {"o_a": "ok"}
    record = read_record(run)
    assert record is not None
    assert [item.attempts for item in record.items] == [3]


def test_a_program_that_is_not_there_is_named(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    tool = make_tool()
    text = Path(tool.uri).read_text().replace("<command>python", "<command>no-such-program")
    Path(tool.uri).write_text(text)
    from bioimageit_core.core.wrappers import read_wrapper

    with pytest.raises(JobFailedError, match="'no-such-program' is not on the path"):
        local.run(local.job(read_wrapper(tool.uri)))


def test_an_input_whose_file_is_gone_refuses_the_job_before_it_begins(home: Any, make_tool: MakeTool) -> None:
    gone, other, _ = home.add("a", "b", "c")
    os.unlink(gone.uri)
    os.unlink(other.uri)

    with pytest.raises(PreflightError, match=r"2 of its inputs: a.txt \(input 'i'\): its file .* is not there; b.txt"):
        home.run(home.job(make_tool()))

    assert home.experiment.processed_datasets == []


def test_all_inputs_of_a_wrong_format_are_reported_at_once(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b")

    with pytest.raises(PreflightError, match=r"2 of its inputs: a.txt .*: is raw, not imagetiff; b.txt") as caught:
        home.run(home.job(make_tool(formats="imagetiff")))

    assert len(caught.value.misfits) == 2
    assert home.runner.calls == []


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda job: job.inputs.inputs.clear(), JobError, "no input"),
        (lambda job: setattr(job, "tool", None), JobError, "no tool"),
        (lambda job: setattr(job, "experiment", None), JobError, "no experiment"),
        (lambda job: setattr(job, "output_dataset_name", "data"), InvalidNameError, "dataset of their own"),
        (lambda job: setattr(job.inputs.inputs[0], "query", "name=zebra"), DataQueryError, "match 'name=zebra'"),
        (lambda job: setattr(job.inputs.inputs[0], "query", "Day<(("), DataQueryError, "parenthesis"),
        (lambda job: setattr(job.inputs.inputs[0], "dataset", "nowhere"), NotFoundError, "it has data"),
        (lambda job: setattr(job.inputs.inputs[0], "name", "x"), ToolsServiceError, "no input 'x'"),
        (lambda job: job.set_param("sgima", 3), ToolsServiceError, "sgima"),
    ],
)
def test_a_job_that_cannot_be_done_says_why_and_makes_nothing(
    published: Any, make_tool: MakeTool, change: Callable[[Job], None], error: type[Exception], said: str
) -> None:
    published.add("a")
    job = published.job(make_tool())
    change(job)

    with pytest.raises(error, match=said):
        published.run(job)

    assert published.service.calls == []
    assert published.runner.calls == []


def test_an_empty_dataset_is_no_selection(published: Any, make_tool: MakeTool) -> None:
    with pytest.raises(DataQueryError, match="there are no data of dataset 'data'"):
        published.run(published.job(make_tool()))
