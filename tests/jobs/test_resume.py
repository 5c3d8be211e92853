"""A job that is run again does only what is missing; what was done elsewhere is taken over."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import JobFailedError
from bioimageit_core.jobs import JobCancelledError, Stop, plan_job
from bioimageit_core.jobs.record import EXECUTION, read_record

MakeTool = Callable[..., Tool]


def states(run: Any) -> dict[str, str]:
    record = read_record(run)
    assert record is not None
    return {item.name: item.state for item in record.items}


def test_a_job_that_did_all_is_not_run_again(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b")
    tool = make_tool()
    first = home.run(home.job(tool))
    count = home.runner.calls.count("run")

    again = home.run(home.job(tool))

    assert home.runner.calls.count("run") == count
    assert home.contents() == {"o_a": "A", "o_b": "B"}
    if home.service.__class__.__name__ != "PublishedDataService":  # that one cannot list its runs
        assert again.uuid == first.uuid


def test_only_what_failed_and_what_is_new_is_run_again(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "bad")
    switch = home.tmp_path / "switch"
    tool = make_tool(f"if inputs[0] == 'bad' and not os.path.exists({str(switch)!r}): sys.exit('no')\nwrite('ok')")
    with pytest.raises(JobFailedError):
        home.run(home.job(tool))
    switch.touch()
    home.add("new")

    run = home.run(home.job(tool))

    assert states(run) == {"a.txt": "skipped", "bad.txt": "done", "new.txt": "done"}
    assert home.contents() == {"o_a": "ok", "o_bad": "ok", "o_new": "ok"}


def test_asked_to_it_runs_all_again_beside_the_old(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    tool = make_tool()
    local.run(local.job(tool))

    local.run(local.job(tool), resume=False, reuse=False)

    assert local.contents() == {"o_a": "A", "o_a_2": "A"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("tool", "the tool changed since it was version 1"),
        ("parameter", "parameter 'p' was 2 and is 3"),
        ("content", "the content of 'a.txt' changed"),
    ],
)
def test_what_changed_is_run_again_and_it_says_why(local: Any, make_tool: MakeTool, change: str, reason: str) -> None:
    (raw,) = local.add("a")
    tool = make_tool(parameters='<param type="integer" name="p" value="2"/>')
    local.run(local.job(tool))
    parameters = {}
    if change == "tool":
        script = Path(tool.uri).parent / "tool.py"
        script.write_text(script.read_text() + "\n# changed")
    elif change == "content":
        Path(raw.uri).write_text("other")
    else:
        parameters = {"p": 3}

    plan = plan_job(local.job(tool, **parameters), data=local.service)

    assert plan.reasons() == [("run", reason, 1)]


def test_a_default_and_the_same_value_are_the_same(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    tool = make_tool(parameters='<param type="integer" name="p" value="2"/>')
    local.run(local.job(tool))

    assert plan_job(local.job(tool, p="2"), data=local.service).counts() == {"skip": 1}


def test_a_touched_file_of_the_same_content_is_the_same(local: Any, make_tool: MakeTool) -> None:
    (raw,) = local.add("a")
    tool = make_tool()
    local.run(local.job(tool))

    os.utime(raw.uri, (1, 1))

    assert plan_job(local.job(tool), data=local.service).counts() == {"skip": 1}


def test_a_result_that_was_removed_is_made_again(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    tool = make_tool()
    local.run(local.job(tool))
    dataset = local.service.get_dataset(local.experiment.processed_datasets[0].url)
    (gone,) = [data.uuid for data in local.data() if data.name == "o_b"]
    dataset.uris = [entry for entry in dataset.uris if entry.uuid != gone]
    local.service.update_dataset(dataset)

    assert plan_job(local.job(tool), data=local.service).reasons() == [
        ("skip", "done by an earlier run", 1),
        ("run", "not done yet", 1),
    ]


def test_a_result_whose_file_is_gone_is_made_again(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    tool = make_tool()
    local.run(local.job(tool))
    (lost,) = [data for data in local.data() if data.name == "o_b"]
    os.unlink(lost.uri)
    local.add("c")

    assert sorted(plan_job(local.job(tool), data=local.service).reasons()) == [
        ("run", "not done yet", 1),
        ("run", "the file of output 'o_b' is not there any more", 1),
        ("skip", "done by an earlier run", 1),
    ]
    local.run(local.job(tool))
    assert plan_job(local.job(tool), data=local.service).counts() == {"skip": 3}


def test_a_run_that_was_cut_off_is_gone_on_with(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    tool = make_tool()
    run = local.run(local.job(tool, inputs={"i": ("data", "name=a.txt")}))
    run.extra[EXECUTION] = {**run.extra[EXECUTION], "state": "running", "items": []}
    local.service.update_run(run)

    again = local.run(local.job(tool))

    assert states(again) == {"a.txt": "skipped", "b.txt": "done"}


def test_a_run_of_older_software_is_gone_on_with(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    tool = make_tool()
    run = local.run(local.job(tool, inputs={"i": ("data", "name=a.txt")}))
    del run.extra[EXECUTION]
    local.service.update_run(run)
    assert EXECUTION not in Path(run.md_uri).read_text()

    again = local.run(local.job(tool))

    assert states(again) == {"a.txt": "skipped", "b.txt": "done"}


def test_a_result_of_another_dataset_is_taken_over_and_it_says_so(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    tool = make_tool()
    local.run(local.job(tool, "first", {"i": ("data", "name=a.txt")}))
    count = local.runner.calls.count("run")

    run = local.run(local.job(tool, "second"))

    assert local.runner.calls.count("run") == count + 1
    assert local.contents("second") == {"o_a": "A", "o_b": "B"}
    assert local.contents("first") == {"o_a": "A"}
    record = read_record(run)
    assert record is not None
    assert [(i.state, i.reason) for i in record.items] == [("reused", "dataset 'first' has the result"), ("done", "")]
    (one, _) = local.data("second")
    assert one.run.uuid == run.uuid


def test_reuse_can_be_switched_off(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    tool = make_tool()
    local.run(local.job(tool, "first"))

    run = local.run(local.job(tool, "second"), reuse=False)

    assert states(run) == {"a.txt": "done"}


def test_the_same_content_under_another_identity_is_reused(local: Any, make_tool: MakeTool) -> None:
    local.add("x", name="a.txt")
    tool = make_tool()
    local.run(local.job(tool, "first"))
    path = local.tmp_path / "sub" / "a.txt"
    path.parent.mkdir()
    path.write_text("x")
    local.service.import_data(local.experiment, str(path), "other.txt", "ada", "raw", "now", {})

    run = local.run(local.job(tool, "second"))

    # a tool sees the name, so another name is other work
    assert states(run) == {"a.txt": "reused", "other.txt": "done"}


def test_a_result_that_was_tampered_with_is_not_taken_over(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    tool = make_tool()
    local.run(local.job(tool, "first"))
    Path(local.data("first")[0].uri).write_text("tampered")

    run = local.run(local.job(tool, "second"))

    assert states(run) == {"a.txt": "done"}
    assert local.contents("second") == {"o_a": "A"}


# stopping


def test_a_first_request_to_stop_finishes_what_runs(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b", "c")
    stop = Stop()
    marker = home.tmp_path / "began"
    tool = make_tool(f"open({str(marker)!r}, 'w').close(); time.sleep(0.5); write(inputs[0].upper())")
    _when(marker.exists, stop.request)

    with pytest.raises(JobCancelledError, match="1 items done, 2 left") as caught:
        home.run(home.job(tool), workers=1, stop=stop)

    assert sorted(states(caught.value.run).values()) == ["cancelled", "cancelled", "done"]
    assert len(home.data()) == 1
    assert home.runner.calls[-1] == "tear_down"
    home.run(home.job(tool))
    assert home.contents() == {"o_a": "A", "o_b": "B", "o_c": "C"}


def test_a_second_request_ends_what_runs(home: Any, make_tool: MakeTool) -> None:
    home.add("a", "b")
    stop = Stop()
    marker = home.tmp_path / "began"
    tool = make_tool(f"open({str(marker)!r}, 'w').close(); time.sleep(60); write('never')")
    _when(marker.exists, lambda: (stop.request(), stop.request()))

    with pytest.raises(JobCancelledError, match="0 items done, 2 left") as caught:
        home.run(home.job(tool), workers=1, stop=stop)

    assert states(caught.value.run) == {"a.txt": "cancelled", "b.txt": "cancelled"}
    assert home.data() == []


def test_a_keyboard_interrupt_is_a_request_to_stop(tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys
    import time

    script = tmp_path / "script.py"
    script.write_text(
        # where a test run has no terminal, programs are started with the interrupt ignored
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from bioimageit_core.jobs.pool import Stop, work_through\n"
        "stop = Stop()\ndone = []\n"
        "def do(task):\n    print('began', flush=True)\n    stop.running.wait(0.6)\n    return task\n"
        "work_through(range(5), do, 1, stop, done.append)\nprint(done, stop.running.is_set())\n"
    )
    for interrupts, expected in ((1, "[0] False"), (2, "[0] True")):
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(interrupts):
            process.send_signal(signal.SIGINT)
            time.sleep(0.15)
        out, _ = process.communicate(timeout=20)
        assert out.splitlines()[-1] == expected


def _when(is_so: Callable[[], bool], then: Callable[[], object]) -> None:
    import time

    def watch() -> None:
        deadline = time.monotonic() + 20
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.01)
        then()

    threading.Thread(target=watch, daemon=True).start()
