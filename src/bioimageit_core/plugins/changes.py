"""What services tell of changes: entries of a history, what became of an undo, what lies in the trash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["HistoryEntry", "HistoryPage", "Kept", "TrashEntry", "Undone"]


@dataclass(frozen=True)
class HistoryEntry:
    """A change, however many documents it was made to.

    Attributes
    ----------
    change
        What `undo` takes; empty for what was written before changes had names.
    time
        When, in UTC (ISO 8601).
    who
        For whom.
    operation
        ``create``, ``import``, ``replace``, ``adopt``, ``annotate``, ``update``, ``run``, ``result``, ``undo``,
        ``delete``, ``restore``, ``purge``, ``trash``, or what another version wrote.
    count
        How many documents it touched.
    md_uris
        Those documents, at most the first ten.
    keys
        What was changed in them: annotation keys, or fields as paths.
    old, new
        Values before and after, where they are the same in all documents; None for what was absent.
    undoes
        The change that this one took back.
    is_undone
        Whether it was taken back.
    """

    change: str
    time: str
    who: str
    operation: str
    count: int = 1
    md_uris: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    undoes: str = ""
    is_undone: bool = False


@dataclass(frozen=True)
class HistoryPage:
    """Some entries, newest first, and the `cursor` of those before them; empty where there are none."""

    entries: tuple[HistoryEntry, ...]
    cursor: str = ""


@dataclass(frozen=True)
class Kept:
    """A value that an undo left as it is, because somebody changed it since.

    Attributes
    ----------
    written
        What the change that was to be undone had written.
    found
        What is there now; None for nothing.
    """

    md_uri: str
    key: str
    written: Any
    found: Any


@dataclass(frozen=True)
class Undone:
    """What became of an undo.

    Attributes
    ----------
    change
        The change that was taken back.
    count
        How many documents are as they were before it.
    kept
        What was not taken back.
    """

    change: str
    count: int
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class TrashEntry:
    """Something that was deleted, and can be restored until it is purged.

    Attributes
    ----------
    id
        What `restore` and `purge` take; the name of the change in the history.
    what
        What was deleted, in words.
    name
        How it was called, where it is one thing.
    state
        ``deleted``; ``purged`` where the bytes are gone and only the records with their hashes are left; ``deleting``,
        ``restoring`` or ``purging`` where that was interrupted; ``file`` for a file that was replaced, or that no
        document described.
    count
        How many data it holds.
    size
        Their bytes, as they were.
    place
        Where it is kept.
    """

    id: str
    time: str
    who: str
    what: str
    name: str
    state: str
    count: int
    size: int
    place: str
