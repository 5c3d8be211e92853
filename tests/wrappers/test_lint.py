from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bioimageit_core.core.wrappers import lint_tool

REQUIRES = '<requirements><requirement type="package" version="1">numpy</requirement></requirements>'
INPUT = '<param name="input" type="data" format="tiff" label="Image"/>'
TEST = '<tests><test expect_exit_code="0"/></tests>'
SELECT = '<param name="s" type="select" label="S"><option value="a">A</option><option value="b">B</option></param>'


def _said(make_tool: Callable[..., str], **kwargs: str) -> list[str]:
    kwargs = {"rest": REQUIRES + TEST, "inputs": INPUT, **kwargs}
    return [f"{message.level}: {message.message}" for message in lint_tool(make_tool(**kwargs))]


def test_there_is_nothing_to_say_of_a_good_wrapper(make_tool: Callable[..., str]) -> None:
    inputs = INPUT.replace("/>", ' optional="true"/>')
    assert _said(make_tool, inputs=inputs, command="x '$input' '$output'") == []


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"rest": TEST}, "warning: it says nothing of what it requires"),
        ({"rest": REQUIRES}, "warning: it has no tests"),
        ({"rest": REQUIRES.replace('version="1"', "") + TEST}, "warning: requirement 'numpy' has no version"),
        ({"rest": REQUIRES.replace('"1"', '"@V@"') + TEST}, "error: requirement numpy @V@: a token is not defined"),
        ({"outputs": ""}, "warning: it has no outputs"),
        ({"outputs": '<data name="output" format="odd"/>'}, "info: output 'output' is of 'odd'"),
        ({"outputs": '<data name="output" format_source="nope"/>'}, "error: output 'output' takes its format from"),
        ({"outputs": '<data name="output" format="csv"><filter>a ==</filter></data>'}, "error: filter 'a =='"),
        ({"inputs": '<param name="input" type="data" format="tiff"/>'}, "info: param 'input' has no label"),
        ({"inputs": INPUT.replace('format="tiff"', "")}, "warning: input 'input' does not say which formats"),
        ({"inputs": INPUT.replace("tiff", "odd")}, "info: input 'input' takes 'odd'"),
        ({"inputs": INPUT + '<param name="s" type="select" label="S"/>'}, "error: param 's' has no choices"),
        (
            {"inputs": INPUT + '<param name="s" type="select" label="S"><options from_url="http://x"/></param>'},
            "error: param 's' cannot be set here: its choices come from a web address",
        ),
        (
            {"inputs": INPUT + SELECT.replace('value="b"', 'value="a"')},
            "error: param 's' has the same choice twice",
        ),
        (
            {"inputs": f'{INPUT}<conditional name="c">{SELECT}<when value="a"/><when value="z"/></conditional>'},
            "error: conditional 'c': <when value='z'> is no choice of 's'",
        ),
        (
            {"inputs": f'{INPUT}<conditional name="c">{SELECT}<when value="a"/></conditional>'},
            "warning: conditional 'c' has no <when> for 'b'",
        ),
        (
            {"inputs": INPUT + '<param name="t" type="text" label="T"><sanitizer sanitize="false"/></param>'},
            "warning: param 't' reaches the shell as it is",
        ),
        (
            {
                "inputs": INPUT + '<param name="t" type="text" label="T"><sanitizer><valid initial="string.printable"/>'
                "</sanitizer></param>"
            },
            "warning: the sanitizer of 't' lets quotes pass to the shell",
        ),
        (
            {"inputs": INPUT + '<param name="t" type="text" label="T"><validator type="odd"/></param>'},
            "error: validator 'odd' of 't' is not known",
        ),
        ({"command": "x $input"}, "warning: the command has data 'input' without quotes"),
        ({"command": "x '$nope'"}, "warning: with default values and made-up inputs"),
        ({"command": "#if $input\nx"}, "warning: with default values and made-up inputs"),
        ({"command": ""}, "error: it cannot be executed here: it has no <command>"),
        ({"rest": REQUIRES + TEST + "<code file='x.py'/>"}, "error: it cannot be executed here: <code>"),
        (
            {"rest": REQUIRES + "<tests><test/></tests>"},
            "warning: test 1: it expects nothing",
        ),
        (
            {"rest": REQUIRES + '<tests><test><param name="zz" value="1"/><output name="q"/></test></tests>'},
            "warning: test 1: 'zz' is not a parameter of this tool: it is ignored",
        ),
        (
            {"rest": REQUIRES + '<tests><test><output name="q"/></test></tests>'},
            "error: test 1: there is no output 'q'",
        ),
        (
            {"rest": REQUIRES + '<tests><test><output name="output" file="no.tif"/></test></tests>'},
            "error: test 1: output 'output': test-data/no.tif is not there",
        ),
        (
            {
                "rest": REQUIRES
                + '<tests><test><output name="output"><assert_contents><has_x/></assert_contents></output></test>'
                "</tests>"
            },
            "error: test 1: assertion 'has_x' is not known",
        ),
    ],
)
def test_lint_says_what_is_wrong(make_tool: Callable[..., str], kwargs: dict[str, str], said: str) -> None:
    found = _said(make_tool, **kwargs)
    assert any(message.startswith(said) for message in found), found


def test_errors_come_first_and_have_a_place(tmp_path: Path) -> None:
    path = tmp_path / "t.xml"
    path.write_text(
        '<tool id="a b" profile="23.0">\n<command>x</command>\n<inputs>\n<param name="t" type="select"/>\n</inputs>'
        "</tool>"
    )
    found = lint_tool(path)
    assert [message.level for message in found][:2] == ["error", "error"]
    assert f"{path}:4: error: param 't' has no choices" in [str(message) for message in found]


def test_the_shipped_toolbox_has_nothing_to_lint() -> None:
    import bioimageit_core.toolbox

    top = Path(bioimageit_core.toolbox.__file__).parent
    wrappers = [
        path for path in sorted(top.rglob("*.xml")) if path.name != "macros.xml" and "test-data" not in str(path)
    ]
    assert len(wrappers) > 20
    for path in wrappers:
        assert [str(message) for message in lint_tool(path) if message.level != "info"] == []
