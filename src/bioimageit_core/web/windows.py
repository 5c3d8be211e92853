"""Pages of lists that are read whole: the cursor is the place in the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from bioimageit_core.web.problems import ProblemError

__all__ = ["start_of", "window"]

Item = TypeVar("Item")


def window(items: Sequence[Item], cursor: str, limit: int) -> tuple[Sequence[Item], str | None]:
    """Return at most `limit` items after a cursor, and the cursor of those after them.

    Raises
    ------
    ProblemError
        No page told that cursor.

    Examples
    --------
    >>> window("abcde", "", 2), window("abcde", "4", 2)
    (('ab', '2'), ('e', None))
    """
    start = start_of(cursor)
    end = start + limit
    return items[start:end], str(end) if end < len(items) else None


def start_of(cursor: str) -> int:
    """Return the place that a cursor stands for.

    Raises
    ------
    ProblemError
        No page told that cursor.
    """
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 18):
        raise ProblemError(422, f"{cursor[:40]!r} is no cursor of this list")
    return int(cursor)
