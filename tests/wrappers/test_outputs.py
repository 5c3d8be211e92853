from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers import (
    Call,
    InputFile,
    collect_outputs,
    judge,
    output_specs,
    prepare_call,
    read_wrapper,
)
from bioimageit_core.core.wrappers.datatypes import accepts, datatype_of_file, extension_of, format_of

Make = Callable[..., str]
Data = Callable[..., InputFile]
Run = Callable[[Call], subprocess.CompletedProcess[str]]

INPUTS = """<param name="input" type="data" format="tiff,png"/>
<param name="kind" type="select"><option value="csv">c</option><option value="tsv">t</option></param>
<param name="both" type="boolean" truevalue="--both" falsevalue=""/>
<param name="m" type="select" multiple="true"><option value="a">A</option><option value="b">B</option></param>
<conditional name="c"><param name="sel" type="select"><option value="x">X</option><option value="y">Y</option></param>
<when value="x"/><when value="y"><param name="z" type="integer" value="1"/></when></conditional>"""


def _specs(make_tool: Make, output: str, values: dict[str, Any] | None = None, **inputs: InputFile) -> list[Any]:
    return output_specs(read_wrapper(make_tool("x", INPUTS, output)), values or {}, inputs)


@pytest.mark.parametrize(
    ("text", "values", "is_there"),
    [
        ("both", {}, False),
        ("both", {"both": True}, True),
        ("not both", {}, True),
        ("both is True and kind == 'csv'", {"both": True}, True),
        ("'a' in m", {"m": "a"}, True),
        ("m and 'b' in m", {"m": "a"}, False),
        ("c['sel'] == 'y'", {"c|sel": "y"}, True),
        ("c['sel'] == 'y' and c['z'] > 1", {"c|sel": "y", "c|z": 2}, True),
        ("input.ext == 'png'", {}, False),
        ("nothing['like'] == 'that'", {}, True),
    ],
)
def test_filters_choose_the_outputs(
    make_tool: Make, data_file: Data, text: str, values: dict[str, Any], is_there: bool
) -> None:
    specs = _specs(make_tool, f'<data name="o" format="csv"><filter>{text}</filter></data>', values, input=data_file())
    assert bool(specs) is is_there


@pytest.mark.parametrize(
    ("output", "values", "datatype", "format_", "extension"),
    [
        ('<data name="o" format="tabular"/>', {}, "tabular", "tabletsv", "tsv"),
        ('<data name="o" format_source="input"/>', {}, "png", "imagepng", "png"),
        ('<data name="o" format_source="input" format="tiff"/>', {}, "png", "imagepng", "png"),
        ('<data name="o" format="input"/>', {}, "png", "imagepng", "png"),
        (
            (
                '<data name="o" format="csv"><change_format><when input="kind" value="tsv" format="tabular"/>'
                "</change_format></data>"
            ),
            {"kind": "tsv"},
            "tabular",
            "tabletsv",
            "tsv",
        ),
        (
            (
                '<data name="o" format="csv"><change_format><when input="c.sel" value="y" format="json"/>'
                "</change_format></data>"
            ),
            {"c|sel": "y"},
            "json",
            "json",
            "json",
        ),
        (
            (
                '<data name="o" format="csv"><change_format><when input="both" value="--both" format="txt"/>'
                "</change_format></data>"
            ),
            {"both": True},
            "txt",
            "raw",
            "txt",
        ),
        ('<data name="o" format="ome.tiff"/>', {}, "ome.tiff", "imagetiff", "ome.tif"),
        ('<data name="o" format="zarr"/>', {}, "zarr", "imagezarr", "zarr"),
    ],
)
def test_formats_follow_inputs_and_parameters(
    make_tool: Make, data_file: Data, output: str, values: dict[str, Any], datatype: str, format_: str, extension: str
) -> None:
    (spec,) = _specs(make_tool, output, values, input=data_file("a.png", format_="imagepng"))
    assert (spec.datatype, spec.format, spec.extension) == (datatype, format_, extension)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("", "o"),
        ("Labels", "Labels"),
        ("${tool.name} on ${on_string}", "A tool on cells.tif"),
        ("${tool.name}: $input.name as ${kind} $nope", "A tool: cells.tif as csv $nope"),
        ("${c.sel} of ${input.element_identifier}", "x of cells.tif"),
    ],
)
def test_labels_name_tool_inputs_and_parameters(make_tool: Make, data_file: Data, label: str, expected: str) -> None:
    (spec,) = _specs(make_tool, f'<data name="o" format="csv" label="{label}"/>', input=data_file())
    assert spec.label == expected


def test_an_output_of_a_galaxy_wrapper_ends_where_its_caller_wants_it(
    make_tool: Make, data_file: Data, run_call: Run, tmp_path: Path
) -> None:
    tool, inputs = read_wrapper(make_tool()), {"input": data_file("a'; b.tif", "pixels")}
    target = str(tmp_path / "results" / "o'; $x.tif")
    call = prepare_call(tool, {}, inputs, {"output": target}, str(tmp_path / "job"))

    assert run_call(call).returncode == 0
    (file,) = collect_outputs(tool, call, {}, inputs)

    assert (file.path, file.format) == (target, "imagetiff")
    assert Path(target).read_text() == "pixels"


def test_an_output_that_is_a_link_to_its_input_becomes_a_file(
    make_tool: Make, data_file: Data, run_call: Run, tmp_path: Path
) -> None:
    tool, inputs = read_wrapper(make_tool("ln -s '$input' '$output'")), {"input": data_file(content="pixels")}
    call = prepare_call(tool, {}, inputs, {"output": str(tmp_path / "o.tif")}, str(tmp_path / "job"))
    run_call(call)
    (file,) = collect_outputs(tool, call, {}, inputs)
    assert not Path(file.path).is_symlink()
    assert Path(inputs["input"].path).read_text() == "pixels"


DISCOVERY = """mkdir -p tiles/sub && echo 1 > tiles/t_10.tif && echo 2 > tiles/t_2.tif && echo 3 > tiles/sub/u.png &&
echo 4 > result.csv && echo 5 > a_forward.tif && echo 6 > a_reverse.tif && echo 7 > tiles/notes"""


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ('<data name="o" format="csv" from_work_dir="result.csv"/>', [("o", "", "tablecsv", "4")]),
        ('<data name="o" format="csv" from_work_dir="res*.csv"/>', [("o", "", "tablecsv", "4")]),
        (
            (
                '<collection name="o" type="list" format="tiff"><discover_datasets pattern="__name_and_ext__" '
                'directory="tiles"/></collection>'
            ),
            [("o", "t_10", "imagetiff", "1"), ("o", "t_2", "imagetiff", "2")],
        ),
        (
            (
                '<collection name="o" type="list"><discover_datasets pattern="t_(?P&lt;designation&gt;\\d+)\\.tif" '
                'directory="tiles" format="tiff" sort_by="numeric_designation"/></collection>'
            ),
            [("o", "2", "imagetiff", "2"), ("o", "10", "imagetiff", "1")],
        ),
        (
            (
                '<collection name="o" type="list"><discover_datasets pattern=".+/(?P&lt;name&gt;.+)\\.png" format="png"'
                ' directory="." recurse="true" match_relative_path="true"/></collection>'
            ),
            [("o", "u", "imagepng", "3")],
        ),
        (
            (
                '<collection name="o" type="list:list"><discover_datasets format="tiff" '
                'pattern="(?P&lt;identifier_0&gt;[^_]+)_(?P&lt;identifier_1&gt;[^_]+)\\.tif"/></collection>'
            ),
            [("o", "a|forward", "imagetiff", "5"), ("o", "a|reverse", "imagetiff", "6")],
        ),
        (
            (
                '<collection name="o" type="paired"><data name="forward" format="tiff" from_work_dir="a_forward.tif"/>'
                '<data name="reverse" format="tiff" from_work_dir="a_reverse.tif"/></collection>'
            ),
            [("o", "forward", "imagetiff", "5"), ("o", "reverse", "imagetiff", "6")],
        ),
        (
            (
                '<data name="o" format="csv" from_work_dir="result.csv"><discover_datasets directory="tiles" '
                'pattern="__designation_and_ext__"/></data>'
            ),
            [("o", "", "tablecsv", "4"), ("o", "t_10", "imagetiff", "1"), ("o", "t_2", "imagetiff", "2")],
        ),
        (
            (
                '<data name="o" format="tiff"><discover_datasets directory="tiles" pattern="t_(?P&lt;name&gt;.+)\\.tif"'
                ' format="tiff" assign_primary_output="true"/></data>'
            ),
            [("o", "", "imagetiff", "1"), ("o", "2", "imagetiff", "2")],
        ),
    ],
)
def test_outputs_are_found_in_the_working_directory(
    make_tool: Make, run_call: Run, tmp_path: Path, outputs: str, expected: list[tuple[str, str, str, str]]
) -> None:
    tool = read_wrapper(make_tool(DISCOVERY, "", outputs))
    call = prepare_call(tool, {}, {}, {}, str(tmp_path / "job"))
    assert run_call(call).returncode == 0

    found = collect_outputs(tool, call, {}, {})

    assert [(f.name, f.designation, f.format, Path(f.path).read_text().strip()) for f in found] == expected


@pytest.mark.parametrize("from_work_dir", ["", 'from_work_dir="result.csv"'])
def test_an_output_that_does_not_fit_leaves_nothing_where_it_was_copied(
    make_tool: Make, run_call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_work_dir: str
) -> None:
    definition = read_wrapper(
        make_tool("echo 1 > '$o' && echo 4 > result.csv", "", f'<data name="o" format="csv" {from_work_dir}/>')
    )
    place = tmp_path / "place"
    call = prepare_call(definition, {}, {}, {"o": str(place / "o.csv")}, str(tmp_path / "job"))
    run_call(call)

    def on_another_disk(*_paths: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    def on_a_full_disk(source: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device", source, None, target)

    monkeypatch.setattr(os, "replace", on_another_disk)
    monkeypatch.setattr(os, "link", on_another_disk)
    monkeypatch.setattr(shutil, "copyfile", on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        collect_outputs(definition, call, {}, {})
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "outputs",
    [
        '<data name="o" format="csv" from_work_dir="../../../secret"/>',
        '<collection name="o" type="list"><discover_datasets pattern="__name__" directory="../.."/></collection>',
    ],
)
def test_outputs_from_outside_of_the_working_directory_are_refused(
    make_tool: Make, run_call: Run, tmp_path: Path, outputs: str
) -> None:
    tool = read_wrapper(make_tool("echo 1", "", outputs))
    call = prepare_call(tool, {}, {}, {}, str(tmp_path / "job"))
    run_call(call)
    with pytest.raises(ToolsServiceError, match="leaves"):
        collect_outputs(tool, call, {}, {})


def test_configuration_files_and_variables_are_rendered(
    make_tool: Make, data_file: Data, run_call: Run, tmp_path: Path
) -> None:
    rest = """<environment_variables><environment_variable name="N">n is $n; \\$(date)</environment_variable>
    </environment_variables><configfiles><configfile name="script"><![CDATA[print($n + 1, '$t')]]></configfile>
    <configfile filename="plain.txt">$t</configfile><inputs name="params"/>
    <inputs name="with_paths" data_style="paths"/></configfiles>"""
    inputs = """<param name="input" type="data" format="tiff" optional="true"/>
    <param name="n" type="integer" value="3"/>
    <param name="t" type="text" value="it's"/><param name="b" type="boolean" checked="true" truevalue="-b"/>
    <param name="m" type="select" multiple="true"><option value="x" selected="true">x</option></param>
    <conditional name="c"><param name="sel" type="select"><option value="a">a</option></param><when value="a">
    <param name="f" type="float" value="1"/></when></conditional>
    <repeat name="r" default="1"><param name="y" type="text"/></repeat>"""
    command = (
        "python3 '$script' && cat plain.txt && echo && cat '$params' && echo && cat '$with_paths' && echo && printenv N"
    )
    tool = read_wrapper(make_tool(command, inputs, "", rest))
    files = {"input": data_file()}

    done = run_call(prepare_call(tool, {}, files, {}, str(tmp_path / "job")))

    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:2] == ["4 it__sq__s", "it__sq__s"]
    body = (
        '{%s"n": 3, "t": "it\'s", "b": true, "m": ["x"], "c": {"sel": "a", "__current_case__": 0, "f": 1.0}, '
        '"r": [{"__index__": 0, "y": ""}]}'
    )
    assert lines[2] == body % ""
    assert lines[3] == body % f'"input": "{tmp_path}/job/inputs/dataset_1.dat", '
    assert lines[4] == "n is 3; $(date)"


def test_a_script_runs_in_a_home_and_with_slots_of_its_own(make_tool: Make, run_call: Run, tmp_path: Path) -> None:
    tool = read_wrapper(make_tool('echo "\\${GALAXY_SLOTS:-9}" && pwd && echo \\$HOME \\$TMPDIR', "", ""))
    lines = run_call(prepare_call(tool, {}, {}, {}, str(tmp_path / "job"))).stdout.split()
    job = str(tmp_path / "job")
    assert lines == ["1", f"{job}/working", f"{job}/home", f"{job}/tmp"]


@pytest.mark.parametrize(
    ("attributes", "rest", "head", "status", "stdout", "stderr", "said"),
    [
        ('detect_errors="exit_code"', "", "", 0, "", "Error: x", None),
        ('detect_errors="exit_code"', "", "", 2, "", "", "exit status 2"),
        ('detect_errors="aggressive"', "", "", 0, "", "ValueError: bad", "ValueError: bad"),
        ('detect_errors="aggressive"', "", "", 0, "an exception: x", "", "exception"),
        ('detect_errors="aggressive"', "", "", 0, "fine", "warning", None),
        ("", "", 'profile="20.01"', 1, "", "", "exit status 1"),
        ("", "", 'profile="20.01"', -9, "", "", "exit status -9"),
        ("", '<stdio><exit_code range="2:" level="fatal" description="bad"/></stdio>', "", 1, "", "", None),
        ("", '<stdio><exit_code range="2:" description="bad"/></stdio>', "", 2, "", "", "bad"),
        ("", '<stdio><exit_code range=":-1"/><exit_code range="1:"/></stdio>', "", 1, "", "", "exit status 1"),
        ("", '<stdio><exit_code range="1" level="warning"/></stdio>', "", 1, "", "", None),
        ("", '<stdio><regex match="no cells" source="stderr"/></stdio>', "", 0, "", "x\nNo cells found\n", "No cells"),
        ("", '<stdio><regex match="no cells" source="stdout"/></stdio>', "", 0, "", "no cells", None),
        ("", '<stdio><regex match="no cells" level="warning"/></stdio>', "", 0, "", "no cells", None),
        ("", '<stdio><regex match="no cells"/></stdio>', 'profile="21.05"', 1, "", "", None),
        ("", '<stdio><regex match="no cells"/></stdio>', 'profile="21.05"', 127, "", "", "cannot be executed"),
        ("", '<stdio><regex match="no (c)ells" description="\\1!"/></stdio>', "", 0, "no cells", "", "no cells"),
    ],
)
def test_an_execution_is_judged_as_the_wrapper_says(
    make_tool: Make, attributes: str, rest: str, head: str, status: int, stdout: str, stderr: str, said: str | None
) -> None:
    tool = read_wrapper(make_tool("#if 1\nx\n#end if", "", "", rest, head=head, command_attributes=attributes))
    reason = judge(tool, status, stdout, stderr)
    assert reason is None if said is None else said in str(reason)


@pytest.mark.parametrize(
    ("name", "format_", "extension"),
    [("tiff", "imagetiff", "tif"), ("csv", "tablecsv", "csv"), ("tabular", "tabletsv", "tsv"),
     ("imagetiff", "imagetiff", "tif"), ("arraycsv", "arraycsv", "csv"), ("zarr", "imagezarr", "zarr"),
     ("nonsense", "raw", "nonsense")],
)  # fmt: skip
def test_datatypes_have_a_format_and_an_extension(name: str, format_: str, extension: str) -> None:
    assert (format_of(name), extension_of(name)) == (format_, extension)


def test_what_a_file_is_follows_its_declaration_and_its_name() -> None:
    assert datatype_of_file("/a/b.OME.TIFF").name == "ome.tiff"
    assert datatype_of_file("/a/b.dat", "imagetiff").name == "tiff"
    assert datatype_of_file("/a/b.tif", "png").name == "png"
    assert datatype_of_file("/a/b.czi", "bioformat").name == "czi"
    assert datatype_of_file("/a/b.zarr/", "").name == "zarr"
    assert accepts(["tiff"], "b.ome.tif")
    assert accepts(["imagetiff"], "b.tif", "imagetiff")
    assert accepts([], "b.tif")
    assert not accepts(["png", "jpg"], "b.tif")
