"""What ``bioimageit log`` and ``bioimageit undo`` show."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.output import cell, show_json, show_table, show_text

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment
    from bioimageit_core.plugins.changes import HistoryEntry, Undone

__all__ = ["show", "show_undone"]

_LONGEST = 60  # characters of a value


def show(session: Session, experiment: Experiment, data: str, limit: int, as_json: bool) -> None:
    """Show changes, newest first."""
    entries = itertools.islice(_entries(session.request, experiment, data), limit or None)
    if as_json:
        show_json({"experiment": experiment.md_uri, "changes": [dataclasses.asdict(entry) for entry in entries]})
        return
    columns = ["when (UTC)", "who", "what", "where", "values", "change"]
    show_table(columns, (_row(experiment, entry) for entry in entries))


def show_undone(experiment: Experiment, undone: Undone, as_json: bool) -> None:
    """Show what an undo took back, and what it left."""
    if as_json:
        show_json({"experiment": experiment.md_uri, **dataclasses.asdict(undone)})
        return
    show_text(f"{undone.change}: {undone.count} data are as they were before")
    if undone.kept:
        show_text("left as it is, because it was changed since:")
        rows = ((_name(experiment, each.md_uri), each.key, each.written, each.found) for each in undone.kept)
        show_table(["data", "key", "was changed to", "is now"], rows, count=len(undone.kept))


def _entries(request: Request, experiment: Experiment, data: str) -> Iterator[HistoryEntry]:
    cursor = ""
    while True:
        page = request.history(experiment, data, cursor=cursor, limit=500)
        yield from page.entries
        cursor = page.cursor
        if not cursor:
            return


def _row(experiment: Experiment, entry: HistoryEntry) -> tuple[Any, ...]:
    first = _name(experiment, entry.md_uris[0]) if entry.md_uris else ""
    where = f"{entry.count} documents" if entry.count > 1 else first
    what = f"{entry.operation} {entry.undoes}" if entry.undoes else entry.operation
    return (
        entry.time[:19].replace("T", " "),
        entry.who,
        f"{what} (undone)" if entry.is_undone else what,
        where,
        ", ".join(_value(entry, key) for key in entry.keys),
        entry.change,
    )


def _value(entry: HistoryEntry, key: str) -> str:
    if key not in entry.new:
        return key
    before = f"{_short(entry.old[key])} → " if entry.old.get(key) is not None else ""
    return f"{key}: {before}{'removed' if entry.new[key] is None else _short(entry.new[key])}"


def _short(value: Any) -> str:
    text = cell(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _name(experiment: Experiment, md_uri: str) -> str:
    root = experiment.md_uri.removesuffix("/experiment.md.json")
    return md_uri.removeprefix(f"{root}/").removesuffix(".md.json")
