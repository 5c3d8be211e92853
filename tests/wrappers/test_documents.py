from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers import lint_tool, read_wrapper, wrapper_sources
from bioimageit_core.core.wrappers.reader import read_definition

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<tool id="t" name="&b;"><command>x</command></tool>"""
EXTERNAL = """<!DOCTYPE tool [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<tool id="t" name="t"><command>&x;</command></tool>"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, r":2: has a document type"),
        (EXTERNAL, r":1: has a document type"),
        (BOMB.encode("utf-16").decode("latin-1"), "document type|not well-formed"),
        ('<tool id="t"><command>', r":1: not well-formed"),
        ("", "not well-formed"),
        ("{}", "not well-formed"),
        ("<macros/>", "root element is <macros>"),
        ('<tool name="t"><command>x</command></tool>', "needs an id"),
        ('<tool id="t" profile="new"><command>x</command></tool>', "profile 'new'"),
        ('<tool id="t"><inputs><param type="text"/></inputs></tool>', "needs a name"),
        ('<tool id="t"><inputs><param name="a" type="txt"/></inputs></tool>', "'txt'; known are"),
        ('<tool id="t"><inputs><param name="a"/><param name="a"/></inputs></tool>', "two inputs are named 'a'"),
        ('<tool id="t"><inputs><conditional name="c"/></inputs></tool>', "needs a <param>"),
        ('<tool id="t"><outputs><data format="x"/></outputs></tool>', "needs a name"),
        ('<tool id="t"><stdio><exit_code range="a:"/></stdio></tool>', "range of exit statuses"),
        ('<tool id="t"><stdio><regex match="("/></stdio></tool>', "regular expression"),
        ('<tool id="t"><command detect_errors="no">x</command></tool>', "detect_errors='no'"),
        ('<tool id="t"><expand macro="m"/></tool>', "no macro 'm' is defined"),
        ('<tool id="t"><macros><import>no.xml</import></macros></tool>', "no.xml"),
        ('<tool id="t"><macros><import>/etc/passwd</import></macros></tool>', "relative path"),
        ('<tool id="t"><macros><import>tool.xml</import></macros></tool>', "imports itself"),
        (
            '<tool id="t"><macros><xml name="m"><expand macro="m"/></xml></macros><expand macro="m"/></tool>',
            "expands to itself",
        ),
        (
            '<tool id="t"><macros><xml name="m" tokens="a">@A@</xml></macros><expand macro="m"/></tool>',
            "needs a value for its parameter 'a'",
        ),
        (
            (
                '<tool id="t"><environment_variables><environment_variable name="A B">x</environment_variable>'
                "</environment_variables></tool>"
            ),
            "cannot be an environment variable",
        ),
    ],
)
def test_a_wrapper_that_cannot_be_read_is_an_error_that_names_file_and_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "tool.xml"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(ToolsServiceError, match=said) as raised:
        read_wrapper(path)

    assert str(path) in str(raised.value)
    assert [message.level for message in lint_tool(path)] == ["error"]


def test_a_wrapper_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolsServiceError, match=r"no\.xml: cannot be read: No such file"):
        read_wrapper(tmp_path / "no.xml")


def test_expansion_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    macros = "".join(f'<xml name="m{n}">{f"<expand macro={chr(34)}m{n + 1}{chr(34)}/>" * 12}</xml>' for n in range(8))
    path = tmp_path / "tool.xml"
    path.write_text(f'<tool id="t"><macros>{macros}<xml name="m8"><a/></xml></macros><expand macro="m0"/></tool>')
    with pytest.raises(ToolsServiceError, match="expand to more than"):
        read_wrapper(path)


MACROS = """<macros>
  <import>deep/more.xml</import>
  <token name="@TOOL_VERSION@">1.2</token>
  <token name="@VERSION@">@TOOL_VERSION@+galaxy0</token>
  <macro name="@CMD@" type="token">python '$__tool_directory__/x.py'</macro>
  <xml name="requirements"><requirements><requirement type="package" version="@TOOL_VERSION@">numpy</requirement>
    <yield/></requirements></xml>
  <xml name="number" tokens="name,label" token_label="A number" token_min="0">
    <param name="@NAME@" type="float" label="@LABEL@" min="@MIN@" value="1"><yield name="inside"/></param><yield/>
  </xml>
  <macro name="suffix" type="template">-s 1</macro>
</macros>"""
MORE = """<macros><token name="@TOOL_VERSION@">0.1</token><xml name="out">
<data name="o" format="tiff"/><expand macro="group"/></xml>
<xml name="group"><data name="p" format="csv"/></xml></macros>"""
TOOL = """<tool id="t" name="T" version="@VERSION@" profile="23.0">
  <macros><import>macros.xml</import><token name="@OWN@">yes</token></macros>
  <description>about @OWN@</description>
  <expand macro="requirements"><requirement type="package" version="2">scipy</requirement></expand>
  <command>@CMD@ $a $b $suffix</command>
  <inputs>
    <expand macro="number" name="a"/>
    <expand macro="number" name="b" label="B" min="2">
      <token name="inside"><validator type="in_range" max="5"/></token>
      <param name="c" type="text"/>
    </expand>
  </inputs>
  <outputs><expand macro="out"/></outputs>
</tool>"""


@pytest.fixture
def with_macros(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "more.xml").write_text(MORE)
    (tmp_path / "macros.xml").write_text(MACROS)
    (tmp_path / "tool.xml").write_text(TOOL)
    return tmp_path / "tool.xml"


def test_macros_tokens_yields_and_parameters_are_expanded(with_macros: Path) -> None:
    tool = read_wrapper(with_macros)

    assert (tool.version, tool.description) == ("1.2+galaxy0", "about yes")
    assert [(r["name"], r["version"]) for r in tool.requirements] == [("numpy", "1.2"), ("scipy", "2")]
    assert tool.command == "python '$__tool_directory__/x.py' $a $b $suffix"
    assert [(p.name, p.description) for p in tool.inputs] == [("a", "A number"), ("b", "B"), ("c", "")]
    assert [output.name for output in tool.outputs] == ["o", "p"]
    definition = read_definition(str(with_macros))
    first, second, _ = definition.members
    assert (first.minimum, second.minimum) == ("0", "2")  # type: ignore[union-attr]
    assert [v.type for v in second.validators] == ["in_range"]  # type: ignore[union-attr]
    assert definition.templates == {"suffix": "-s 1"}


def test_the_files_that_a_wrapper_is_made_of_are_known(with_macros: Path) -> None:
    names = [Path(source).name for source in wrapper_sources(read_wrapper(with_macros))]
    assert sorted(names) == ["macros.xml", "more.xml", "tool.xml"]


def test_a_change_of_a_macro_file_is_noticed(with_macros: Path) -> None:
    read_wrapper(with_macros)
    macros = with_macros.parent / "macros.xml"
    macros.write_text(MACROS.replace("+galaxy0", "+galaxy123"))
    assert read_wrapper(with_macros).version == "1.2+galaxy123"


def test_errors_in_macros_name_the_macro_file(with_macros: Path) -> None:
    macros = with_macros.parent / "macros.xml"
    macros.write_text(MACROS.replace('type="float"', 'type="flaot"'))
    with pytest.raises(ToolsServiceError, match=r"macros\.xml:9: param 'a' is of type 'flaot'"):
        read_wrapper(with_macros)


@pytest.mark.parametrize(
    ("kwargs", "dialect"),
    [
        ({"rest": "<requirements><package type='conda' env='e'>-c c p=1</package></requirements>"}, "plain"),
        ({"command": "x -i ${input} -o ${output}", "head": ""}, "plain"),
        ({"command": "x -i ${input} -o ${output}", "head": 'type="merge"'}, "plain"),
        ({"command": "x -i ${input} > ${output}", "head": ""}, "galaxy"),
        ({"command": "x -i $input", "head": ""}, "galaxy"),
        ({"command": "x -i $input", "head": "", "outputs": '<data name="output" format="imagetiff"/>'}, "plain"),
        ({"command": "#if 1\nx ${input}\n#end if", "head": ""}, "galaxy"),
        ({"rest": "<requirements><requirement type='package'>numpy</requirement></requirements>"}, "galaxy"),
        ({"command": "x ${input}"}, "galaxy"),
    ],
)
def test_the_dialect_is_recognised(make_tool: Callable[..., str], kwargs: dict[str, str], dialect: str) -> None:
    assert read_definition(make_tool(**kwargs)).dialect == dialect


def test_the_container_says_what_the_wrapper_says(make_tool: Callable[..., str]) -> None:
    tool = read_wrapper(
        make_tool(
            inputs='<param name="input" type="data" format="tiff,png" label="Image"/>'
            '<param argument="--foo-bar" type="float" value="1.5" label="Foo"/>'
            '<param name="s" type="select"><option value="a">A</option><option value="b" selected="true">B</option>'
            '</param><param name="flag" type="boolean" checked="true"/><param name="h" type="hidden" value="x"/>',
            rest='<requirements><container type="docker">a/b:1</container></requirements>',
        )
    )
    assert [(p.name, p.type, p.io, p.default_value, p.format) for p in tool.inputs] == [
        ("input", "file", "input", "", "tiff,png"),
        ("foo_bar", "number", "param", "1.5", ""),
        ("s", "select", "param", "b", ""),
        ("flag", "boolean", "param", "true", ""),
        ("h", "string", "param", "x", ""),
    ]
    assert tool.inputs[2].select_info.values == ["a", "b"]
    assert tool.requirements[0] == {"origin": "container", "type": "docker", "name": "a/b:1", "version": "", "env": ""}
    assert (tool.fullname(), tool.type) == ("t_v1.0", "sequential")


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ('<param name="i" type="data" multiple="true"/>', "merge"),
        ('<param name="i" type="data_collection" collection_type="list"/>', "merge"),
        ('<param name="i" type="data" multiple="true" optional="true"/>', "sequential"),
        ('<param name="i" type="data"/>', "sequential"),
    ],
)
def test_a_tool_that_needs_several_files_merges(make_tool: Callable[..., str], inputs: str, kind: str) -> None:
    assert read_wrapper(make_tool("x $i", inputs)).type == kind


def test_a_wrapper_that_was_moved_away_still_has_its_container(make_tool: Callable[..., str]) -> None:
    path = Path(make_tool("x ${input} ${output}", head=""))
    tool = read_wrapper(path)
    shutil.rmtree(path.parent)
    assert tool.outputs[0].name == "output"
