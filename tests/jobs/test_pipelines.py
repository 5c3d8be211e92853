"""Pipelines: checked as a whole, run in order, recorded as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bioimageit_core.containers import Pipeline, Tool
from bioimageit_core.core.exceptions import JobFailedError, ToolNotFoundError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.wrappers.pipelines import parse_pipeline
from bioimageit_core.jobs import JobCancelledError, Stop, run_pipeline
from bioimageit_core.jobs.pipelines import PIPELINES
from bioimageit_core.jobs.record import read_record
from bioimageit_core.jobs.steps import PipelineError, plan_steps

MakeTool = Callable[..., Tool]


class Tools:
    def __init__(self, *tools: Tool) -> None:
        self.tools = {tool.fullname(): tool for tool in tools}

    def get_tool(self, fullname: str) -> Tool:
        if fullname not in self.tools:
            raise ToolNotFoundError(fullname)
        return self.tools[fullname]


@pytest.fixture
def tools(make_tool: MakeTool) -> Tools:
    number = '<param type="integer" name="p" value="1"/>'
    return Tools(
        make_tool("write(inputs[0] + arguments['p'])", id_="add", parameters=number),
        make_tool("write(inputs[0].upper())", id_="upper"),
        make_tool("write(inputs[0] + open(arguments['l'][0]).read())", id_="both", inputs=("i", "l")),
        make_tool("write('+'.join(inputs))", id_="join", type_="merge"),
        make_tool("if inputs[0] == 'bad': sys.exit('broken')\nwrite(inputs[0])", id_="weak"),
    )


def pipeline(*steps: dict[str, Any]) -> Pipeline:
    return parse_pipeline({"name": "test", "steps": list(steps)})


def step(name: str, tool: str, parameters: Any = None, **inputs: Any) -> dict[str, Any]:
    return {"name": name, "tool": f"{tool}_v1", "inputs": inputs or {"i": "data"}, "parameters": parameters or {}}


def run(home: Any, tools: Tools, *steps: dict[str, Any], **more: Any) -> Any:
    given = {"data": home.service, "tools": tools, "runner": home.runner, "user": "ada", **more}
    return run_pipeline(home.experiment, pipeline(*steps), **given)


def test_steps_use_each_others_results_in_whatever_order_they_are_written(home: Any, tools: Tools) -> None:
    home.add("a", "b")

    runs = run(
        home,
        tools,
        step("joined", "join", i="paired"),
        step("paired", "both", i="data", l="upper"),
        step("upper", "upper"),
    )

    assert list(home.contents("joined").values()) == ["aA+bB"]
    assert [r.process_name for r in runs] == ["upper_v1", "both_v1", "join_v1"]


def test_the_whole_is_one_record(local: Any, tools: Tools) -> None:
    local.add("a")

    runs = run(local, tools, step("one", "upper"), step("two", "add", i="one"))

    (record,) = local.service.get_experiment(local.experiment.md_uri).extra[PIPELINES]
    assert (record["name"], record["state"], record["user"]) == ("test", "done", "ada")
    assert [(s["name"], s["run"], s["state"], s["after"]) for s in record["steps"]] == [
        ("one", runs[0].uuid, "done", []),
        ("two", runs[1].uuid, "done", ["one"]),
    ]
    one = read_record(local.service.get_run(runs[0].md_uri))
    assert one is not None
    assert one.pipeline == {"uuid": record["uuid"], "name": "test", "step": "one"}


def test_progress_is_that_of_the_whole(local: Any, tools: Tools) -> None:
    heard = []

    class Listener(Observer):
        def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
            heard.append(progress)

    local.add("a", "b")
    run(local, tools, step("one", "upper"), step("two", "add", i="one"), observers=[Listener()])

    assert heard == [25, 50, 75, 100]


def test_a_pipeline_that_is_run_again_does_nothing_again(local: Any, tools: Tools) -> None:
    local.add("a")
    steps = (step("one", "upper"), step("two", "add", i="one"))
    first = run(local, tools, *steps)
    count = local.runner.calls.count("run")

    again = run(local, tools, *steps)

    assert local.runner.calls.count("run") == count
    assert [r.uuid for r in again] == [r.uuid for r in first]


def test_a_sweep_makes_a_dataset_for_each_value_and_carries_on(home: Any, tools: Tools) -> None:
    home.add("a")

    run(
        home,
        tools,
        step("added", "add", {"p": {"sweep": [1, 2]}}),
        step("again", "add", {"p": {"sweep": [7, 8]}}, i="added"),
        step("sum", "both", i="added", l="again"),
    )

    assert {d.name for d in home.experiment.processed_datasets} == {
        *("added_p-1", "added_p-2"),
        *(f"{name}_p-{p}_p-{q}" for name in ("again", "sum") for p in (1, 2) for q in (7, 8)),
    }
    assert list(home.contents("sum_p-2_p-7").values()) == ["a2a27"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], "has no steps"),
        ([step("a", "upper", i="b"), step("b", "upper", i="a")], "wait for each other: (a -> b -> a|b -> a -> b)"),
        ([step("a", "upper", i="a")], "wait for each other: a -> a"),
        ([step("a", "upper", i="nowhere")], "no dataset or step 'nowhere' .*there are: a, data"),
        ([step("a", "zebra")], "step 'a': no tool 'zebra_v1'"),
        ([step("a", "upper", x="data")], "upper_v1 has no input 'x'"),
        ([step("a", "add", {"p": "many"})], "step 'a': .*'p'"),
        ([step("a", "add", {"q": 1})], "step 'a': .*'q'"),
        ([step("a", "add", {"p": {"sweep": [1, "x"]}})], "step 'a': .*'p'"),
        ([step("a", "add", {"p": {"sweep": []}})], "0 combinations"),
        ([step("a", "upper"), step("a", "upper")], "two steps are named 'a'"),
        ([step("data", "upper")], "needs a dataset of its own"),
        ([step("a", "upper"), step("b", "upper", i={"dataset": "a", "output": "q"})], "step 'a' has no output 'q'"),
        ([step("a", "zebra"), step("b", "upper", i="nowhere")], "no tool 'zebra_v1'.*no dataset or step 'nowhere'"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_runs(
    published: Any, tools: Tools, steps: list[dict[str, Any]], expected: str
) -> None:
    published.add("a")

    with pytest.raises(PipelineError, match=expected):
        run(published, tools, *steps)

    assert published.service.calls == []
    assert published.runner.calls == []


def test_a_failing_step_stops_those_that_need_it_and_no_others(home: Any, tools: Tools) -> None:
    home.add("good", "bad")

    with pytest.raises(JobFailedError) as caught:
        run(home, tools, step("weak", "weak"), step("after", "upper", i="weak"), step("other", "upper"))

    assert set(caught.value.failures) == {"weak: bad.txt", "after"}
    assert "not run, because step 'weak' failed" in str(caught.value.failures["after"])
    assert home.contents("weak") == {"o_good": "good"}
    assert home.contents("other") == {"o_good": "GOOD", "o_bad": "BAD"}
    assert home.data("after") == []


def test_a_stopped_pipeline_says_so(home: Any, tools: Tools) -> None:
    home.add("a")
    stop = Stop()
    stop.request()

    with pytest.raises(JobCancelledError):
        run(home, tools, step("one", "upper"), stop=stop)

    assert home.runner.calls.count("run") == 0


def test_a_step_may_be_called_by_its_name_or_its_datasets(home: Any, tools: Tools) -> None:
    steps = [
        {**step("first", "upper"), "output_dataset_name": "big"},
        step("x", "upper", i="first"),
        step("y", "upper", i="big"),
    ]

    planned = plan_steps(home.experiment, pipeline(*steps), tools)

    assert [(p.dataset, p.inputs[0][1], p.after) for p in planned] == [
        ("big", "data", ()),
        ("x", "big", ("first",)),
        ("y", "big", ("first",)),
    ]


@pytest.fixture
def two_outputs(make_tool: MakeTool) -> Tools:
    body = "write(inputs[0]); put(arguments['q'], inputs[0] + '?')"
    return Tools(make_tool(body, id_="two", outputs=("o", "q")), make_tool(id_="upper"))


def test_an_output_that_is_not_saved_leaves_only_its_digest(home: Any, two_outputs: Tools) -> None:
    home.add("a")
    one = {**step("one", "two"), "outputs": {"q": False}}

    run(home, two_outputs, one)

    assert list(home.contents("one").values()) == ["a"]
    if home.service.__class__.__name__ == "LocalMetadataService":
        (again,) = run(home, two_outputs, one)
        (item,) = read_record(again).items  # type: ignore[union-attr]
        assert [(file.name, file.size) for file in item.dropped] == [("q", 2)]


def test_what_was_not_saved_is_made_where_it_is_wanted(local: Any, two_outputs: Tools) -> None:
    local.add("a")
    run(local, two_outputs, {**step("one", "two"), "outputs": {"q": False}})

    run(local, two_outputs, step("one", "two"))

    assert sorted(set(local.contents("one").values())) == ["a", "a?"]


def test_an_output_that_another_step_reads_is_kept(local: Any, two_outputs: Tools) -> None:
    local.add("a")
    read = {"name": "i", "dataset": "one", "origin_output_name": "q"}

    run(local, two_outputs, {**step("one", "two"), "outputs": {"o": False, "q": False}}, {
        **step("up", "upper"), "inputs": [read]})  # fmt: skip

    assert list(local.contents("one").values()) == ["a?"]
    assert list(local.contents("up").values()) == ["A?"]


@pytest.mark.parametrize(
    ("outputs", "said"),
    [({"o": False, "q": False}, "none of its outputs is saved"), ({"z": False}, "has no output 'z'")],
)
def test_outputs_that_cannot_be_dropped_are_errors_before_anything_runs(
    local: Any, two_outputs: Tools, outputs: dict[str, bool], said: str
) -> None:
    local.add("a")
    with pytest.raises(PipelineError, match=said):
        run(local, two_outputs, {**step("one", "two"), "outputs": outputs})
