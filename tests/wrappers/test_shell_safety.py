from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers import Call, InputFile, collect_outputs, prepare_call, read_wrapper
from bioimageit_core.core.wrappers.sanitizer import DEFAULT_SANITIZER, sanitize_name

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="'\"\\$`;|&<>(){}[]!#~*?\n\r\t -=ab", max_size=40),
    st.sampled_from(
        [
            "a'; touch pwned; '",
            "$(touch pwned)",
            "`touch pwned`",
            "a\ntouch pwned\n",
            "'\"'\"'$(touch pwned)",
            "\\'; touch pwned #",
            "${IFS}",
            "!!",
            "--output=/etc/passwd",
            "a && touch pwned",
            "\u2028touch pwned",
            "é'à",
        ]
    ),
)
WRAPPER = r"""<tool id="echo" name="echo" version="1" profile="23.0">
<command><![CDATA[
  printf '%s\0' '$text' '$group.inner' '$data' '$data.element_identifier' '$data.name'
    #for $turn in $turns
      '$turn.word'
    #end for
    'end' > '$out'
]]></command>
<inputs><param name="text" type="text"/><section name="group"><param name="inner" type="text"/></section>
<param name="data" type="data" format="txt"/><repeat name="turns"><param name="word" type="text"/></repeat></inputs>
<outputs><data name="out" format="txt" label="${tool.name}: $text"/></outputs></tool>"""
OLD = r"""<tool id="old" name="old" version="1" type="sequential"><command>/usr/bin/printf '%s|' ${text}
 "${data}" --text=$text -o '${out}'</command><inputs><param name="text" type="string"/>
<param name="data" type="data" format="imagetiff"/></inputs><outputs><data name="out" format="imagetiff"/></outputs>
</tool>"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tools")
    (directory / "echo.xml").write_text(WRAPPER)
    (directory / "old.xml").write_text(OLD)
    (directory / "data.txt").write_text("x")
    return directory


def _run(call: Call, work: Path) -> str:
    for name, text in call.files.items():
        path = Path(call.job_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(list(call.argv), cwd=work, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE, name=HOSTILE, word=HOSTILE)
def test_no_value_reaches_bash_unquoted(
    tools: Path, tmp_path_factory: pytest.TempPathFactory, text: str, name: str, word: str
) -> None:
    text, word = text.replace("\0", ""), word.replace("\0", "")
    work = tmp_path_factory.mktemp("job")
    tool = read_wrapper(tools / "echo.xml")
    inputs = {"data": InputFile(str(tools / "data.txt"), name, "txt")}
    values: dict[str, Any] = {"text": text, "group": {"inner": word}, "turns": [{"word": word}, {"word": text}]}

    call = prepare_call(tool, values, inputs, {"out": str(work / f"o'{'x' * 3};.txt")}, str(work))
    _run(call, work)
    (out,) = collect_outputs(tool, call, values, inputs)

    clean = DEFAULT_SANITIZER.clean
    assert Path(out.path).read_bytes().decode().split("\0")[:-1] == [
        clean(text),
        clean(word),
        str(work / "inputs" / "dataset_1.dat"),
        sanitize_name(name),
        sanitize_name(name),
        clean(word),
        clean(text),
        "end",
    ]
    assert not list(work.rglob("pwned"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE, name=HOSTILE)
def test_the_older_dialect_passes_every_value_as_one_argument(
    tools: Path, tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    text = text.replace("\0", "")
    path = f"/data/{name.replace(chr(0), '').replace('/', '_')}x"
    work = tmp_path_factory.mktemp("job")
    tool = read_wrapper(tools / "old.xml")

    call = prepare_call(
        tool, {"text": text}, {"data": InputFile(path, "x", "imagetiff")}, {"out": f"/o/{text}"}, str(work)
    )

    assert list(call.argv) == ["/usr/bin/printf", "%s|", text, path, f"--text={text}", "-o", f"/o/{text}"]
    assert _run(call, work).startswith(f"{text}|{path}|")


@pytest.mark.parametrize("name", ["it's", "a$b", "a`b", "a;b", "a\nb", "(a)"])
def test_a_job_directory_that_no_script_can_name_is_refused(tools: Path, tmp_path: Path, name: str) -> None:
    tool = read_wrapper(tools / "echo.xml")
    inputs = {"data": InputFile(str(tools / "data.txt"), "d", "txt")}
    with pytest.raises(ToolsServiceError, match="directory"):
        prepare_call(tool, {"text": "x"}, inputs, {}, str(tmp_path / name))


def test_a_job_directory_with_a_space_works(
    tools: Path, tmp_path: Path, run_call: Callable[[Call], subprocess.CompletedProcess[str]]
) -> None:
    tool = read_wrapper(tools / "echo.xml")
    inputs = {"data": InputFile(str(tools / "data.txt"), "d", "txt")}
    call = prepare_call(tool, {"text": "x"}, inputs, {}, str(tmp_path / "my job"))
    assert run_call(call).returncode == 0
    assert len(collect_outputs(tool, call, {"text": "x"}, inputs)) == 1


SANITIZERS = [
    ("", "a'[b]\n#", "a__sq____ob__b__cb____cn____pd__"),
    ("<sanitizer sanitize='false'/>", "a'b", "a'b"),
    ("<sanitizer invalid_char=''><valid initial='string.digits'/><mapping initial='none'/></sanitizer>", "a1;2", "12"),
    (
        ("<sanitizer><valid initial='string.printable'><remove value='&apos;'/></valid>"
        "<mapping initial='none'><add source='&apos;' target='_'/></mapping></sanitizer>"),
        "it's; $x",
        "it_s; $x",
    ),
    (
        "<sanitizer invalid_char=''><valid initial='string.letters,string.digits'><add value='#'/></valid></sanitizer>",
        "#ff00",
        "#ff00",
    ),
    ("<sanitizer><valid initial='default'><add value='['/><add preset='string.punctuation'/></valid></sanitizer>", "[|",
     "[|"),
    ("<sanitizer><valid initial='none'><add value='ab'/><add value='c'/></valid></sanitizer>", "abc", "XXc"),
    ("<sanitizer><mapping initial='default'><remove source='@'/></mapping></sanitizer>", "a@[", "aX__ob__"),
]  # fmt: skip


@pytest.mark.parametrize(("sanitizer", "value", "expected"), SANITIZERS)
def test_sanitizers_say_what_a_text_keeps(
    render: Callable[..., str], sanitizer: str, value: str, expected: str
) -> None:
    assert render("x:$t", f'<param name="t" type="text">{sanitizer}</param>', {"t": value}) == f"x:{expected}"


def test_a_colour_is_checked_and_keeps_its_sign(render: Callable[..., str]) -> None:
    assert render("x $c", '<param name="c" type="color" value="#ff0000"/>') == "x #ff0000"
