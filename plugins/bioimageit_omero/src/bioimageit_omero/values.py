"""Key-value pairs: a dict of any JSON values here, an ordered list of texts with duplicates in OMERO."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bioimageit_core.core.exceptions import InvalidNameError

__all__ = ["Pairs", "as_values", "check_text", "exact_values", "grouped", "merged", "storable", "texts_of"]

Pairs = list[tuple[str, str]]

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What neither PostgreSQL's text nor UTF-8 can hold."""


def check_text(kind: str, text: str, longest: int = 0) -> str:
    """Return a text if OMERO can keep it.

    Raises
    ------
    InvalidNameError
        It holds a character that it cannot keep, or is longer than `longest`.
    """
    if match := _UNSTORABLE.search(text):
        raise InvalidNameError(kind, text, f"OMERO cannot keep the character U+{ord(match.group()):04X}")
    if longest and len(text) > longest:
        raise InvalidNameError(kind, text, f"it has {len(text)} characters, OMERO keeps {longest}")
    return text


def storable(text: str) -> str:
    """Return a text without what OMERO cannot keep."""
    return _UNSTORABLE.sub("\ufffd", text)


def texts_of(value: Any) -> list[str]:
    """Return the texts that stand for a value in OMERO: one for each item of a list.

    Examples
    --------
    >>> texts_of("p53"), texts_of(["a", 1]), texts_of(None), texts_of(True), texts_of([])
    (['p53'], ['a', '1'], [''], ['true'], [''])
    """
    if isinstance(value, list | tuple) and value and not any(isinstance(v, list | tuple | dict) for v in value):
        return [text for item in value for text in texts_of(item)]
    if isinstance(value, str):
        return [storable(value)]
    if value is None or value == []:
        return [""]
    return [storable(json.dumps(value, ensure_ascii=False))]


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Give the values of each key, in their order.

    Examples
    --------
    >>> grouped([("gene", "a"), ("day", "1"), ("gene", "b")])
    {'gene': ['a', 'b'], 'day': ['1']}
    """
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def exact_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the values that would not come back from their texts: numbers, truth values, lists of one.

    Examples
    --------
    >>> exact_values({"a": "1", "b": 1, "c": ["x", "y"], "d": ["x"]})
    {'b': 1, 'd': ['x']}
    """
    return {key: value for key, value in values.items() if _from_texts(texts_of(value)) != value or _is_odd(value)}


def _is_odd(value: Any) -> bool:
    return not isinstance(value, str | list)


def _from_texts(texts: list[str]) -> Any:
    return texts[0] if len(texts) == 1 else list(texts)


def as_values(pairs: Iterable[tuple[str, str]], exact: Mapping[str, Any]) -> dict[str, Any]:
    """Make values of texts; where what is kept beside them has the same texts, it is the value.

    Examples
    --------
    >>> as_values([("a", "1"), ("g", "x"), ("g", "y")], {"a": 1, "gone": 2, "empty": ""})
    {'a': 1, 'g': ['x', 'y'], 'empty': ''}
    """
    found: dict[str, Any] = {}
    for key, texts in grouped(pairs).items():
        is_same = key in exact and texts_of(exact[key]) == texts
        found[key] = exact[key] if is_same else _from_texts(texts)
    for key, value in exact.items():
        if key not in found and texts_of(value) == [""]:
            found[key] = value
    return found


def merged(old: Pairs, wanted: Mapping[str, list[str]]) -> Pairs:
    """Change a list of pairs into one that says what is wanted, and leave the rest where it stands.

    A key whose values stay as they are keeps its places; new values of a key stand where its first one stood.

    Examples
    --------
    >>> merged([("g", "a"), ("d", "1"), ("g", "b"), ("x", "")], {"d": ["2"], "g": ["a", "b"], "n": ["3"]})
    [('g', 'a'), ('d', '2'), ('g', 'b'), ('n', '3')]
    """
    before, placed = grouped(old), set()
    made: Pairs = []
    for key, value in old:
        if key not in wanted:
            continue
        if wanted[key] == before[key]:
            made.append((key, value))
        elif key not in placed:
            made += [(key, text) for text in wanted[key]]
        placed.add(key)
    made += [(key, text) for key, texts in wanted.items() if key not in placed for text in texts]
    return made
