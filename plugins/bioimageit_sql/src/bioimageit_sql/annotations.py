"""Values of annotations as rows: what of them a database can compare as `bioimageit_core.core.query_values` does."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bioimageit_core.core.query_values import has_value, is_date, number_of, texts_of

__all__ = ["DATE", "DICT", "FLAG", "MAX_PREFIX", "MAX_TEXT", "NUMBER", "TEXT", "index_text", "rows_of"]

MAX_TEXT = 200
"""Longer texts are indexed by their beginning and a digest: a B-tree of PostgreSQL holds some 2,700 bytes."""

TEXT, DATE, NUMBER, FLAG, DICT = "t", "a", "n", "b", "d"  # a date is a text too

MAX_PREFIX = 150
"""How much of a longer text is in the index as it stands."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL has no NUL, and UTF-8 no lone surrogates


def index_text(text: str) -> str:
    """Give the text that stands for `text` in an index; equal for equal texts only.

    Examples
    --------
    >>> index_text("p53"), len(index_text("x" * 65536))
    ('p53', 215)
    """
    if len(text) <= MAX_TEXT and not _UNSTORABLE.search(text) and "\ufffd" not in text:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_UNSTORABLE.sub(chr(0xFFFD), text[:MAX_PREFIX])}\ufffd{digest}"


def rows_of(pairs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a row for each value; what has none (see `has_value`) gives no row.

    A row's ``key`` and ``text`` are made by `index_text`; ``is_exact`` says that the text had no blanks at its ends.
    """
    for key, value in pairs.items():
        if not has_value(value):
            if value == {}:
                yield {"key": index_text(key), **_row(DICT, "{}", None)}
            continue
        for item in _items(value):
            yield {"key": index_text(key), **item}


def _items(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list | tuple) and value:
        for item in value:
            yield from _items(item)
    elif isinstance(value, bool):
        yield _row(FLAG, "true" if value else "false", None)
    elif isinstance(value, int | float):
        yield _row(NUMBER, None, value)
    else:
        text = texts_of(value)[0]
        yield _row(DATE if is_date(value) else TEXT, text, number_of(value) if isinstance(value, str) else None)


def _row(kind: str, text: str | None, number: float | None) -> dict[str, Any]:
    stripped = None if text is None else text.strip()
    return {
        "kind": kind,
        "text": None if stripped is None else index_text(stripped),
        "number": _float(number),
        "is_exact": stripped == text,
    }


def _float(number: float | None) -> float | None:
    if number is None:
        return None
    try:
        value = float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    return None if math.isnan(value) else value
