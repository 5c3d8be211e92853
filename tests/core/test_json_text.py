"""Documents are written as the published software writes them, and whatever cannot be read is told clearly."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioimageit_core.core.exceptions import DocumentError
from bioimageit_core.core.json_text import decode, encode, encode_line

TEXT = st.text(st.characters(codec=None, exclude_categories=())) | st.text()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12)
DOCUMENTS = st.dictionaries(TEXT, JSON)


@given(DOCUMENTS)
def test_the_bytes_are_those_of_json_dump(document: dict[str, Any]) -> None:
    assert encode(document) == json.dumps(document, indent=4).encode("ascii")


@given(DOCUMENTS)
def test_what_is_written_is_read(document: dict[str, Any]) -> None:
    assert repr(decode(encode(document), "x")) == repr(json.loads(json.dumps(document)))


@given(DOCUMENTS)
def test_a_line_is_one_line(document: dict[str, Any]) -> None:
    line = encode_line(document)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, dt.date(2024, 1, 1), object(), 1j])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(DocumentError, match="cannot be written as JSON"):
        encode({"value": value})


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(DocumentError):
        encode({"value": nested(100_000)})
    with pytest.raises(DocumentError, match="nested too deeply"):
        decode(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"a": 1', "is cut off"),
        (b'{"a": "unfini', "is cut off"),
        (b'{"a": ', "is cut off"),
        (b"{'a': 1}", "is not JSON"),
        (b"\x89PNG\r\n\x1a\n", "is not JSON"),
        (b'{"a": "\xff"}', "is not JSON"),
        (b'{"a": 1} {"b": 2}', "is not JSON"),
        (b"[1, 2]", "expected a JSON object, found list"),
        (b'"text"', "expected a JSON object, found str"),
        (b"null", "expected a JSON object, found NoneType"),
    ],
)
def test_what_is_no_document_is_told(content: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match=said) as caught:
        decode(content, "/somewhere/a.md.json")
    assert str(caught.value).startswith("/somewhere/a.md.json: ")
    assert "\n" not in str(caught.value)


@given(st.binary() | DOCUMENTS.map(encode).flatmap(lambda b: st.integers(0, len(b)).map(lambda n: b[:n])))
def test_any_bytes_are_a_document_or_an_error_of_ours(content: bytes) -> None:
    try:
        assert isinstance(decode(content, "x"), dict)
    except DocumentError as error:
        assert error.uri == "x"
