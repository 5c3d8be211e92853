"""What may come next in a query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bioimageit_core.core.query import OWN_KEYS
from bioimageit_core.web.shapes import Completion

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.containers import Experiment

__all__ = ["complete"]

_OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~", "IN")
_PLAIN = re.compile(r"[\w.+-]+(?: [\w.+-]+)*")
_KEY = re.compile(r"[^\W\d]\w*(?: [^\W\d]\w*)*")
_WORDS = re.compile(r"\b(?:AND|OR|NOT|IN)\b")
_BREAK = re.compile(r"(?:^|\b)(?:AND|OR|NOT)\s+|\(\s*|^\s*")
_COMPARISON = re.compile(
    r"^(?P<key>\"(?:\\.|[^\"\\])*\"|[^=!<>~]+?)\s*(?P<op>==|!=|<=|>=|=|<|>|~|\bIN\s*\()\s*(?P<value>.*)$", re.S
)
_MOST = 50


def complete(request: Request, experiment: Experiment, text: str, position: int) -> list[Completion]:
    """Say what may come next at a place of a query: keys, values of the key before it, or words that join.

    Parameters
    ----------
    position
        In characters from 0.
    """
    start = _start_of_condition(text[:position])
    condition = text[start:position]
    match = _COMPARISON.match(condition)
    if match is None:
        return _keys(experiment, condition, start, position)
    value, place = match["value"], start + match.start("value")
    if match["op"].startswith("IN") and "," in value:
        place += value.rindex(",") + 1
        value = value.rpartition(",")[2]
    stripped = value.lstrip()
    place += len(value) - len(stripped)
    if stripped.endswith(" ") and stripped.strip():
        return _joining("", position, position)
    return _values(request, experiment, match["key"].strip().strip('"'), stripped, place, position)


def _start_of_condition(text: str) -> int:
    starts = [match.end() for match in _BREAK.finditer(text) if not _in_quotes(text, match.start())]
    opened = [place for place in starts if not re.search(r"\bIN\s*\(\s*$", text[:place])]
    return opened[-1] if opened else 0


def _in_quotes(text: str, place: int) -> bool:
    quote = ""
    for character in text[:place]:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
    return bool(quote)


def _keys(experiment: Experiment, written: str, start: int, end: int) -> list[Completion]:
    known = [*experiment.keys, *(key for key in OWN_KEYS if key not in experiment.keys)]
    part = written.strip().strip('"').lower()
    if part in (key.lower() for key in known) and written.endswith(" "):
        return [Completion(insert=op, label=op, kind="operator", start=end, end=end) for op in _OPERATORS]
    found = [key for key in known if isinstance(key, str) and part in key.lower()]
    found.sort(key=lambda key: not key.lower().startswith(part))
    is_exact = any(key.lower() == part for key in found)
    keys = [
        Completion(insert=_quoted(key, _KEY), label=key, kind="key", start=start, end=end)
        for key in found[:_MOST]
        if not (is_exact and key.lower() == part)
    ]
    operators = [Completion(insert=op, label=op, kind="operator", start=end, end=end) for op in _OPERATORS]
    return operators + keys if is_exact else keys


def _values(request: Request, experiment: Experiment, key: str, written: str, start: int, end: int) -> list[Completion]:
    prefix = written.lstrip("\"'")
    if key in OWN_KEYS and key not in experiment.keys:
        found = request.formats.names() if key == "format" else []
        found = [value for value in found if value.startswith(prefix)]
    else:
        found = request.list_values(experiment, key, prefix, _MOST)
    values = [
        Completion(insert=_quoted(value, _PLAIN), label=value, kind="value", start=start, end=end)
        for value in found
        if value != prefix
    ]
    return values or (_joining(" ", end, end) if written.strip() else [])


def _joining(space: str, start: int, end: int) -> list[Completion]:
    return [
        Completion(insert=f"{space}{word} ", label=word, kind="operator", start=start, end=end)
        for word in ("AND", "OR")
    ]


def _quoted(text: str, plain: re.Pattern[str]) -> str:
    if plain.fullmatch(text) and not _WORDS.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
