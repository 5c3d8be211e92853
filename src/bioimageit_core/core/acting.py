"""For whom something is done: told once at the edge, and kept with every change that follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["acting_as", "actor"]

_actor: ContextVar[str] = ContextVar("actor", default="")


def actor() -> str:
    """Return for whom this thread or task acts; ``''`` where nobody said."""
    return _actor.get()


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Do what is in the block for somebody; a server that serves several people has need of it.

    Examples
    --------
    >>> with acting_as("grace"):
    ...     actor()
    'grace'
    """
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)
