"""Whether a dataset is current, and because of what it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import JobFailedError, ToolNotFoundError
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.jobs.record import EXECUTION
from bioimageit_core.jobs.staleness import dataset_status
from bioimageit_core.plugins.runner_local import LocalRunnerService

MakeTool = Callable[..., Tool]


class Tools:
    def get_tool(self, fullname: str) -> Tool:
        raise ToolNotFoundError(fullname)

    def read_tool(self, uri: str) -> Tool:
        return read_wrapper(uri)


class LockingRunner(LocalRunnerService):
    lock = "a" * 64

    def environment_digest(self, tool: Tool) -> str | None:
        return self.lock


def reasons(home: Any, dataset: str = "out", **more: Any) -> list[tuple[str, str]]:
    info = next(info for info in home.experiment.processed_datasets if info.name == dataset)
    found = dataset_status(home.service, Tools(), home.experiment, home.service.get_dataset(info.url), **more)
    return [(reason.kind, str(reason)) for reason in found]


@pytest.fixture
def tool(make_tool: MakeTool) -> Tool:
    return make_tool(
        "if inputs[0] == 'bad': sys.exit('no')\nwrite(inputs[0] + arguments['p'])",
        parameters='<param type="integer" name="p" value="1"/>',
    )


def test_what_was_just_made_is_current(local: Any, tool: Tool) -> None:
    local.add("a", "b")
    local.run(local.job(tool))

    assert reasons(local) == []


def test_a_changed_input_is_named(local: Any, tool: Tool) -> None:
    raw, _ = local.add("a", "b")
    local.run(local.job(tool))

    Path(raw.uri).write_text("other")

    assert reasons(local) == [("input", "the content of input 'a.txt' changed")]


def test_a_changed_annotation_is_named(local: Any, tool: Tool) -> None:
    local.add("a", Day="1")
    (other,) = local.add("b", Day="2")
    local.run(local.job(tool, inputs={"i": ("data", "Day=1")}))

    other = local.service.get_raw_data(other.md_uri)
    other.set_key_value_pair("Day", "1")
    local.service.update_raw_data(other)

    assert reasons(local) == [("annotation", "annotation Day: 'b.txt' is selected now and was not")]


def test_a_new_data_is_named(local: Any, tool: Tool) -> None:
    local.add("a")
    local.run(local.job(tool))

    local.add("b")

    assert reasons(local) == [("input", "'b.txt' is selected now and was not")]


def test_a_changed_tool_is_named_with_its_files(local: Any, tool: Tool) -> None:
    local.add("a")
    local.run(local.job(tool))

    script = Path(tool.uri).parent / "tool.py"
    script.write_text(script.read_text() + "# new")

    assert reasons(local) == [("tool", "tool upper changed: tool.py")]


def test_a_tool_that_is_gone_is_named(local: Any, tool: Tool) -> None:
    local.add("a")
    local.run(local.job(tool))

    Path(tool.uri).unlink()

    assert reasons(local) == [("tool", "tool upper_v1 is not known any more")]


def test_a_changed_default_is_a_changed_parameter(local: Any, tool: Tool) -> None:
    local.add("a")
    local.run(local.job(tool))

    wrapper = Path(tool.uri)
    wrapper.write_text(wrapper.read_text().replace('value="1"', 'value="5"'))

    assert reasons(local) == [
        ("tool", "tool upper changed: tool.xml"),
        ("parameter", "parameter 'p' was 1; the default of tool upper is now 5"),
    ]


def test_results_of_an_older_parameter_are_named(local: Any, tool: Tool) -> None:
    local.add("a")
    local.run(local.job(tool, p=1))
    local.run(local.job(tool, p=2))

    assert reasons(local) == [("parameter", "parameter 'p' was 1; the latest run of this dataset used 2")]


def test_a_changed_environment_is_named(local: Any, tool: Tool) -> None:
    local.add("a")
    runner = LockingRunner()
    local.run(local.job(tool), runner=runner)
    assert reasons(local, runner=runner) == []

    runner.lock = "b" * 64

    assert reasons(local, runner=runner) == [("environment", "the environment of tool upper changed")]


def test_a_changed_output_is_named(local: Any, tool: Tool) -> None:
    local.add("a")
    local.run(local.job(tool))

    Path(local.data()[0].uri).write_text("tampered")

    assert reasons(local) == [("output", "the content of output 'o_a' changed")]


def test_what_depends_on_something_stale_is_stale(local: Any, tool: Tool, make_tool: MakeTool) -> None:
    (raw,) = local.add("a")
    local.run(local.job(tool, "first"))
    local.run(local.job(make_tool(id_="next"), "second", {"i": "first"}))

    Path(raw.uri).write_text("other")

    assert reasons(local, "second") == [
        ("input", "dataset 'first' is not current: the content of input 'a.txt' changed")
    ]


def test_what_failed_is_unfinished_until_it_is_done(local: Any, tool: Tool) -> None:
    raw, _ = local.add("bad", "a")
    with pytest.raises(JobFailedError):
        local.run(local.job(tool))
    assert reasons(local) == [("unfinished", "item 'bad.txt' failed")]

    Path(raw.uri).write_text("good")
    local.run(local.job(tool))

    assert ("unfinished", "item 'bad.txt' failed") not in reasons(local)


def test_runs_of_other_software_are_unknown(local: Any, tool: Tool) -> None:
    local.add("a")
    run = local.run(local.job(tool))
    del run.extra[EXECUTION]
    local.service.update_run(run)

    assert [kind for kind, _ in reasons(local)] == ["unknown"]


def test_a_home_that_cannot_update_runs_is_not_said_to_be_still_running(published: Any, tool: Tool) -> None:
    published.add("a")
    published.run(published.job(tool))

    assert published.service.get_run(published.data()[0].run.md_uri).extra[EXECUTION].get("state", "") == ""
    assert [kind for kind, _ in reasons(published)] == ["unknown"]
