"""How queries compare values; homes that translate queries compare in the same way."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from bioimageit_core.core.exceptions import DataQueryError

__all__ = ["MAX_PATTERN", "compare", "found", "has_value", "is_date", "number_of", "same", "texts_of"]

MAX_PATTERN = 1_000

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?:[T ][0-9:.,]*(?:Z|[+-][0-9:]+)?)?)?")


def number_of(value: Any) -> float | int | None:
    """Return a value as a number, or None if it is none; truth values are none.

    Examples
    --------
    >>> number_of(" 1.5 "), number_of("1.5 um"), number_of(True)
    (1.5, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()):
        return float(text)
    return None


def is_date(text: Any) -> bool:
    """Say whether a text is a month, a day or a moment in ISO 8601 form.

    Examples
    --------
    >>> is_date("2024-05-31"), is_date("2024-05"), is_date("31.5.2024")
    (True, True, False)
    """
    return isinstance(text, str) and _DATE.fullmatch(text.strip()) is not None


def has_value(value: Any) -> bool:
    """Say whether a value is more than nothing, blanks or an empty list."""
    if isinstance(value, str):
        return value.strip() != ""
    return value is not None and value != [] and value != {}


def texts_of(value: Any) -> list[str]:
    """Return the texts that a value of any JSON type is compared by: one, or those of a list's items."""
    if isinstance(value, str):
        return [value]
    if value is None:
        return [""]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_of(item)] or [""]
    if isinstance(value, dict):
        return [json.dumps(value, ensure_ascii=False, default=str)]
    return [str(value)]


def same(key: str, value: Any, text: str, exact: bool = False) -> bool:
    """Say whether a stored value is the one that a query names.

    Parameters
    ----------
    key
        ``name`` asks whether the value contains `text`, ``date`` whether it begins with it; others whether it is it.
    exact
        Compare blanks at the ends of texts, too.
    """
    if isinstance(value, str):
        if exact:
            return value == text
        if key == "name":
            return text in value
        if key == "date":
            return value.strip().startswith(text.strip()) if text.strip() else not value.strip()
        return value.strip() == text.strip()
    if isinstance(value, bool):
        return text.strip().lower() == ("true" if value else "false")
    if isinstance(value, int | float):
        return number_of(text) == value
    if isinstance(value, list | tuple) and value:
        return any(same(key, item, text, exact) for item in value)
    return any((item == text) if exact else (item.strip() == text.strip()) for item in texts_of(value))


def compare(key: str, value: Any, op: str, text: str) -> bool:
    """Say whether a stored value is less, at most, more or at least what a query names; False if it is none of these.

    Dates are compared as far as `text` says: 2024-05-31 is at most 2024-05.
    """
    if isinstance(value, list | tuple):
        return any(compare(key, item, op, text) for item in value)
    text, bound = _bound(text)
    if key == "date" or bound is None:
        if not isinstance(value, str) or not (is_date(value) or _NUMBER.fullmatch(value.strip())):
            return False
        return _ordered(value.strip()[: len(text)], op, text)
    number = number_of(value)
    return number is not None and _ordered(number, op, bound)


def found(pattern: str, value: Any) -> bool:
    """Say whether a regular expression is found in a value, or in an item of a list.

    Expressions are those of RE2, in which a search takes time linear in the text, whatever the expression.

    Raises
    ------
    DataQueryError
        The expression does not compile.
    """
    search = _compiled(pattern).search
    return any(search(text.encode("utf-8", "surrogatepass")) for text in texts_of(value))


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import re2

    if len(pattern) > MAX_PATTERN:
        raise DataQueryError(f"a regular expression has at most {MAX_PATTERN} characters here", pattern, MAX_PATTERN)
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        reason, _, part = said.partition(": ")
        position = len(pattern) if reason.startswith("missing") else max(pattern.find(part), 0)
        hint = " (look-around and back-references are not supported)" if part.startswith(("(?", "\\")) else ""
        raise DataQueryError(f"not a regular expression: {reason}{hint}", pattern, position) from None
    except UnicodeEncodeError as error:
        raise DataQueryError("a regular expression is Unicode text", pattern, error.start) from None


@lru_cache(maxsize=256)
def _bound(text: str) -> tuple[str, float | int | None]:
    return text.strip(), number_of(text)


def _ordered(left: Any, op: str, right: Any) -> bool:
    if op == "<":
        return bool(left < right)
    if op == "<=":
        return bool(left <= right)
    if op == ">":
        return bool(left > right)
    return bool(left >= right)
