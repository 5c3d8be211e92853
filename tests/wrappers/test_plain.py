from __future__ import annotations

from pathlib import Path

import pytest

from bioimageit_core.containers import IO_INPUT, IO_OUTPUT, IO_PARAM, Tool, ToolParameterContainer
from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers import (
    InputFile,
    check_values,
    collect_outputs,
    judge,
    output_specs,
    prepare_call,
    read_wrapper,
)

OLD = """<tool id="spitfire" name="Denoise" version="0.1.2" {type}>
<requirements><package type="conda" env="spitfire">-c bioimageit spitfire=0.1</package>
<container type="docker">a/b:1</container></requirements>
<command>{command}</command>
<inputs><param type="data" name="i" format="imagetiff" label="Input image"/>
<param argument="-sigma" type="float" value="2" label="Sigma"/>
<param name="method" type="select"><option value="SV" selected="true">SV</option><option value="HV">HV</option></param>
<param name="fast" type="boolean" truevalue="--fast" falsevalue=""/></inputs>
<outputs><data name="o" format="imagetiff" label="Denoised"/><data name="t" format="tablecsv"/></outputs></tool>"""
COMMAND = 'simg -i ${i} -o "${o}" -sigma ${sigma} -m=$method ${fast} $t'


def _tool(tmp_path: Path, command: str = COMMAND, type_: str = "") -> Tool:
    path = tmp_path / "tool.xml"
    path.write_text(OLD.format(command=command, type=type_))
    return read_wrapper(path)


def test_values_are_put_into_argv_one_by_one(tmp_path: Path) -> None:
    tool = _tool(tmp_path)
    inputs = {"i": InputFile("/d/a b;c.tif", "a b;c.tif", "imagetiff")}

    call = prepare_call(tool, {"sigma": "$(x)"[2:3] and 4, "fast": True}, inputs, {"o": "/r/o $x.tif"}, "/job")

    assert list(call.argv) == [
        "simg", "-i", "/d/a b;c.tif", "-o", "/r/o $x.tif", "-sigma", "4.0", "-m=SV", "--fast", "/job/t.csv",
    ]  # fmt: skip
    assert call.outputs == {"o": "/r/o $x.tif", "t": "/job/t.csv"}
    assert not call.files
    assert not call.links


def test_a_flag_that_is_off_is_no_argument(tmp_path: Path) -> None:
    call = prepare_call(_tool(tmp_path), {}, {"i": InputFile("/a", "a")}, {"t": "/t"}, "/job")
    assert list(call.argv)[-2:] == ["-m=SV", "/t"]


def test_the_environment_of_a_package_is_told(tmp_path: Path) -> None:
    first, second = _tool(tmp_path).requirements
    assert (first["type"], first["env"], first["name"]) == ("conda", "spitfire", "-c bioimageit spitfire=0.1")
    assert (second["origin"], second["type"], second["name"]) == ("container", "docker", "a/b:1")


def test_a_merge_tool_gets_all_files_of_its_selection(tmp_path: Path) -> None:
    tool = _tool(tmp_path, "merge ${i} --one=${i} -o ${o} ${t}", 'type="merge"')
    assert tool.type == "merge"

    files = [InputFile("/a.tif", "a"), InputFile("/b c.tif", "b")]
    call = prepare_call(tool, {}, {"i": files}, {"o": "/o", "t": "/t"}, "/job")

    assert list(call.argv) == ["merge", "/a.tif", "/b c.tif", "--one=/a.tif", "--one=/b c.tif", "-o", "/o", "/t"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("x ${nope} ${o}", "names 'nope', which is no parameter"),
        ("x ${i} && y", "needs a shell"),
        ("x ${i} > ${o}", "needs a shell"),
        ("x '${i}", "No closing quotation"),
        (" ", "is empty"),
    ],
)
def test_a_command_that_cannot_be_an_argv_is_refused(tmp_path: Path, command: str, said: str) -> None:
    tool = _tool(tmp_path, command.replace("&", "&amp;").replace(">", "&gt;"))
    with pytest.raises(ToolsServiceError, match=said):
        prepare_call(tool, {}, {"i": InputFile("/a", "a")}, {}, "/job")


def test_the_tool_directory_is_the_wrappers(tmp_path: Path) -> None:
    call = prepare_call(
        _tool(tmp_path, "python '$__tool_directory__/x.py' ${__tool_directory__}"),
        {},
        {"i": InputFile("/a", "a")},
        {},
        "/j",
    )
    assert list(call.argv) == ["python", f"{tmp_path}/x.py", str(tmp_path)]


def test_outputs_are_those_that_were_written(tmp_path: Path) -> None:
    tool, inputs = _tool(tmp_path), {"i": InputFile("/a", "a")}
    call = prepare_call(tool, {}, inputs, {"o": str(tmp_path / "o.tif")}, str(tmp_path))
    (tmp_path / "o.tif").write_text("x")

    with pytest.raises(ToolsServiceError, match="wrote nothing for 't'"):
        collect_outputs(tool, call, {}, inputs)
    (tmp_path / "t.csv").write_text("x")

    found = [(file.name, file.format, file.label) for file in collect_outputs(tool, call, {}, inputs)]
    assert found == [("o", "imagetiff", "Denoised"), ("t", "tablecsv", "t")]
    assert judge(tool, 0, "", "warning: nothing serious") is None
    assert judge(tool, 3) == "exit status 3"


def test_a_tool_of_a_plugin_that_has_no_wrapper_is_called_by_its_container() -> None:
    tool = Tool(
        id="third",
        name="Third",
        version="1",
        command="third -i ${i} -n ${n} -o ${o}",
        inputs=[
            ToolParameterContainer(name="i", io=IO_INPUT, is_data=True, format="imagetiff"),
            ToolParameterContainer(name="n", type="number", io=IO_PARAM, default_value="3"),
        ],
        outputs=[ToolParameterContainer(name="o", io=IO_OUTPUT, is_data=True, format="tablecsv")],
    )

    call = prepare_call(tool, {"n": 7}, {"i": InputFile("/a b", "a")}, {"o": "/o.csv"}, "/job")

    assert list(call.argv) == ["third", "-i", "/a b", "-n", "7", "-o", "/o.csv"]
    assert check_values(tool, {}) == {"n": "3"}
    assert [(spec.name, spec.format, spec.extension) for spec in output_specs(tool, {})] == [("o", "tablecsv", "csv")]
    with pytest.raises(ToolsServiceError, match="'m': is not a parameter"):
        check_values(tool, {"m": 1})


def test_a_tool_without_a_command_is_refused() -> None:
    with pytest.raises(ToolsServiceError, match="no command"):
        prepare_call(Tool(id="x"), {}, {}, {}, "/job")
