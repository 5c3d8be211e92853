"""Cells of text tables, such that no spreadsheet takes one for a formula, and what was written is what is read.

A spreadsheet computes what begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, whoever typed it (OWASP,
"CSV Injection"). Such a text gets an apostrophe in front, which spreadsheets take for "this is text"; so does one that
begins with apostrophes and then such a sign, so that taking one apostrophe away gives every text back. Numbers stay.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["guarded", "is_number", "text_of", "unguarded"]

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|nan|inf)", re.IGNORECASE | re.ASCII)


def text_of(value: Any) -> str:
    """Write a value as text: as it is, as JSON where it is no text, empty for None."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def is_number(text: str) -> bool:
    """Say whether a text is a number: in figures, or ``nan`` or ``inf``.

    Examples
    --------
    >>> is_number("-1.5e3"), is_number("1,5"), is_number("-inf"), is_number("=1")
    (True, False, True, False)
    """
    return _NUMBER.fullmatch(text) is not None


def guarded(text: str) -> str:
    """Write a text so that no spreadsheet computes it.

    Examples
    --------
    >>> guarded("=1+1"), guarded("-1.5"), guarded("-x"), guarded("'=1"), guarded("'tis")
    ("'=1+1", '-1.5', "'-x", "''=1", "'tis")
    """
    return f"'{text}" if _FORMULA.match(text) and not is_number(text) else text


def unguarded(text: str) -> str:
    """Read a text that `guarded` wrote.

    Examples
    --------
    >>> [unguarded(guarded(text)) for text in ("=1", "''=1", "'tis", "-1")]
    ['=1', "''=1", "'tis", '-1']
    """
    return text[1:] if _GUARDED.match(text) else text
