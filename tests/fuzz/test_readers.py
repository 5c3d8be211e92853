"""Readers of strangers' bytes answer, or refuse with an error of ours; what was found once stays found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioimageit_core.core.exceptions import DocumentError

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS, WORDS, Target

_DEEP = 20_000
_DAMAGE = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(WORDS) | st.binary(max_size=8)), max_size=4
)


def _damaged(content: bytes, damage: list[tuple[float, int, bytes]]) -> bytes:
    for share, length, splice in damage:
        place = int(share * len(content))
        content = content[:place] + splice + content[place + length :]
    return content


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_input_is_read_or_refused(name: str, data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(TARGETS[name].examples))
    TARGETS[name](_damaged(example, data.draw(_DAMAGE)))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=50)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name: str, content: bytes) -> None:
    TARGETS[name](content)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "content",
    [
        b"[" * _DEEP,
        b'{"a":' * _DEEP,
        b"(" * _DEEP,
        b"NOT " * _DEEP,
        b"<a>" * _DEEP,
        b"- " * _DEEP,
        b"a AND " * _DEEP + b"a",
        b"a: &a [x]\n" + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (c + 1, c + 1, c, c, c, c) for c in range(97, 121)),
        b"",
        b"\0" * 1000,
    ],
    ids=["lists", "objects", "parentheses", "nots", "elements", "yaml lists", "ands", "aliases", "nothing", "zeros"],
)
def test_bombs_are_refused(name: str, content: bytes) -> None:
    TARGETS[name](content)


def test_a_key_with_half_a_character_is_refused() -> None:
    with pytest.raises(DocumentError, match="half a character"):
        TARGETS["dataset"].read(b'{"uuid": "1", "name": "data", "u\\ud800": 1, "urls": []}')


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("crate", b'"ro-crate-metadata.json"'),  # rocrate takes a text for a path
        ("ome_xml", b'<O><Image><Pixels SizeX="1e999"/></Image></O>'),
        ("study", b"study: {release_date: 2024-13-01}"),
        ("study", b"study: {keywords: &a [*a]}"),
        ("trash", b'{"id": "1", "else": ' + b"[" * _DEEP),
        ("journal", b'{"op":"undo","md":"data/a.md.json","last":true,"batch":[]}'),
    ],
)
def test_what_was_found_is_read_or_refused(name: str, content: bytes) -> None:
    TARGETS[name](content)


@pytest.mark.parametrize("name", TARGETS)
def test_the_examples_are_read(name: str) -> None:
    for example in TARGETS[name].examples:
        TARGETS[name].read(example)


def test_a_reader_that_fails_otherwise_is_caught() -> None:
    def careless(_: bytes) -> None:
        raise KeyError("uuid")

    with pytest.raises(KeyError):
        Target(careless, ())(b"")


def test_the_coverage_guided_runs_begin(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed (it has wheels for CPython on Linux)")
    command = [sys.executable, str(Path(__file__).with_name("coverage_guided.py")), "query", "--runs", "200"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env={**os.environ}
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "query: " in ended.stdout
