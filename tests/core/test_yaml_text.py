"""YAML of strangers is read as JSON would be; what grows, turns in circles or makes objects is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from bioimageit_core.core import yaml_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("a: 1\nb: [x, 2.5, true, null]", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("2024-05-31", dt.date(2024, 5, 31)),
        ("a: &a {x: 1}\nb: *a", {"a": {"x": 1}, "b": {"x": 1}}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}", {"a": {"x": 1}, "b": {"x": 1, "y": 2}}),
    ],
)
def test_a_document_is_read(text: str, expected: Any) -> None:
    assert yaml_text.decode(text) == expected


def _doubled(line: str) -> str:
    lines = (line.format(new=chr(code + 1), old=chr(code)) for code in range(ord("a"), ord("z")))
    return "a: &a {x: 1, y: 2}\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "is not YAML: .*line 2"),
        ("2024-13-01", "is not YAML: month"),
        ("0b_", "is not YAML"),
        ("a: \x07", "is not YAML"),
        ("!!python/object/apply:os.system ['true']", "has a tag.*line 1, column 1"),
        ("a: !!bool x", "has a tag"),
        ("a: !!timestamp x", "has a tag"),
        ("a: !!set {x}", "has a tag"),
        ("a: *a", "alias"),
        ("a: &a [*a]", r"an alias \*a to what it is in"),
        ("a: &a {b: *a}", r"an alias \*a to what it is in"),
        ("[" * 100, "nested too deeply"),
        (_doubled("{new}: &{new} [*{old}, *{old}]"), "more than 1000000 values"),
        (_doubled("{new}: &{new} {{<<: [*{old}, *{old}]}}"), "more than 1000000 values"),
    ],
)
def test_what_is_not_wanted_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        yaml_text.decode(text)
