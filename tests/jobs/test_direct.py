"""A tool on plain files: no experiment, no record."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import RunnerExecError, ToolsServiceError
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.jobs import exec_tool
from bioimageit_core.plugins.runner_local import LocalRunnerService

MakeTool = Callable[..., Tool]


def test_values_are_inputs_outputs_and_parameters_by_name(tmp_path: Path, make_tool: MakeTool) -> None:
    tool = make_tool("write(inputs[0] + arguments['p'])", parameters='<param type="integer" name="p" value="1"/>')
    (tmp_path / "a b;c.txt").write_text("x")
    out = tmp_path / "deep" / "out.csv"

    written = exec_tool(tool, {"i": str(tmp_path / "a b;c.txt"), "o": str(out), "p": 3}, runner=LocalRunnerService())

    assert out.read_text() == "x3"
    assert written == {"o": [str(out)]}


def test_a_merge_tool_takes_several_files(tmp_path: Path, make_tool: MakeTool) -> None:
    paths = [tmp_path / name for name in ("1", "2")]
    for path in paths:
        path.write_text(path.name)

    exec_tool(
        make_tool("write('+'.join(inputs))", type_="merge"),
        {"i": paths, "o": tmp_path / "out"},
        runner=LocalRunnerService(),
    )

    assert (tmp_path / "out").read_text() == "1+2"


def test_a_failure_tells_command_status_and_the_end_of_stderr(tmp_path: Path, make_tool: MakeTool) -> None:
    (tmp_path / "in").write_text("x")

    with pytest.raises(RunnerExecError, match="failed with exit status 1: no such axis") as caught:
        exec_tool(
            make_tool("sys.exit('no such axis')"),
            {"i": tmp_path / "in", "o": tmp_path / "out"},
            runner=LocalRunnerService(),
        )

    assert caught.value.exit_status == 1
    assert caught.value.stderr == "no such axis\n"
    assert caught.value.command[0] == "python"


def test_an_input_that_is_not_there_is_named(tmp_path: Path, make_tool: MakeTool) -> None:
    with pytest.raises(ToolsServiceError, match=r"input 'i': .*gone is not there"):
        exec_tool(make_tool(), {"i": tmp_path / "gone", "o": tmp_path / "out"}, runner=LocalRunnerService())


def test_a_time_limit_ends_it(tmp_path: Path, make_tool: MakeTool) -> None:
    (tmp_path / "in").write_text("x")

    with pytest.raises(RunnerExecError, match="took longer than 1 s"):
        exec_tool(
            make_tool("time.sleep(60)"),
            {"i": tmp_path / "in", "o": tmp_path / "out"},
            runner=LocalRunnerService(),
            timeout=1,
        )


def test_the_runner_is_torn_down_whatever_happens(tmp_path: Path, make_tool: MakeTool, old_runner: Any) -> None:
    (tmp_path / "in").write_text("x")
    runner = old_runner()

    with pytest.raises(RunnerExecError):
        exec_tool(make_tool("sys.exit(1)"), {"i": tmp_path / "in", "o": tmp_path / "out"}, runner=runner)

    assert runner.calls == ["set_up", "exec", "tear_down"]


DISCOVERS = """<tool id="split" name="Split" version="1" profile="23.0">
<command><![CDATA[mkdir parts && for n in one two; do cp '$i' "parts/\\$n.txt"; done && cp '$i' '$o'
]]></command>
<inputs><param type="data" name="i" format="txt"/></inputs>
<outputs>
<data name="o" format="txt"/>
<collection name="parts" type="list"><discover_datasets pattern="__name_and_ext__" directory="parts" format="txt"/>
</collection></outputs></tool>"""


def test_what_is_discovered_goes_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "split.xml").write_text(DISCOVERS)
    (tmp_path / "in.txt").write_text("x")
    values = {"i": tmp_path / "in.txt", "o": tmp_path / "out.txt", "parts": tmp_path / "found"}

    written = exec_tool(read_wrapper(tmp_path / "split.xml"), values, runner=LocalRunnerService())

    assert sorted(os.listdir(tmp_path / "found")) == ["one.txt", "two.txt"]
    assert len(written["parts"]) == 2


def test_what_is_discovered_becomes_data_named_after_what_it_is(home: Any, tmp_path: Path) -> None:
    (tmp_path / "split.xml").write_text(DISCOVERS)
    home.add("cell")

    home.run(home.job(read_wrapper(tmp_path / "split.xml")))

    assert home.contents() == {"o_cell": "cell", "parts_cell_one": "cell", "parts_cell_two": "cell"}
    assert {data.output["name"] for data in home.data()} == {"o", "parts"}


def test_an_old_runner_runs_galaxy_wrappers_too(home: Any, tmp_path: Path, old_runner: Any) -> None:
    (tmp_path / "split.xml").write_text(DISCOVERS)
    home.add("cell")

    home.run(home.job(read_wrapper(tmp_path / "split.xml")), runner=old_runner())

    assert len(home.data()) == 3
