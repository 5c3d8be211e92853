"""What the journal of an experiment tells: its changes, newest first, and how an annotation is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bioimageit_core.core.exceptions import ConflictError, DataQueryError, DataServiceError, NotFoundError
from bioimageit_core.core.json_text import decode_line
from bioimageit_core.core.paths import MD_SUFFIX, absolute_path, is_within, join, relative_path
from bioimageit_core.plugins.changes import HistoryEntry, HistoryPage, Kept, Undone
from bioimageit_core.plugins.store.annotations import Annotated, annotate
from bioimageit_core.plugins.store.documents import Documents
from bioimageit_core.plugins.store.journal import REPLACING, Journal, new_change
from bioimageit_core.plugins.store.layout import DATA, Layout

__all__ = ["History"]

_SHOWN = 10  # documents of a change that are named
_PAIRS = "key_value_pairs."
_UNDOABLE = {"annotate", "update", "undo"}
_CHUNK = 256  # documents between two additions to the journal


@dataclass
class _Change:
    """The lines of one change, as they come together."""

    batch: str
    time: str
    who: str
    operation: str
    undoes: str = ""
    count: int = 0
    mds: list[str] = field(default_factory=list)
    keys: dict[str, None] = field(default_factory=dict)
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)

    def add(self, record: dict[str, Any]) -> None:
        old, new = _values(record)
        if not self.count:
            self.old, self.new = old, new
        self.count += 1
        self.keys |= dict.fromkeys(new)
        for mine, theirs in ((self.old, old), (self.new, new)):
            for key in [key for key in mine if key not in theirs or theirs[key] != mine[key]]:
                del mine[key]
        self.mds = [str(record["md"]), *self.mds[: _SHOWN - 1]]  # they come last first

    def entry(self, layout: Layout, is_undone: bool) -> HistoryEntry:
        uris = tuple(join(layout.root, md) for md in self.mds)
        told = (self.batch, self.time, self.who, self.operation, self.count, uris, tuple(self.keys))
        return HistoryEntry(*told, self.old, self.new, self.undoes, is_undone)


class History:
    """Read the journals of experiments, and take annotations back."""

    def __init__(self, documents: Documents, journal: Journal) -> None:
        self._documents = documents
        self._journal = journal

    def page(self, layout: Layout, md_uri: str, cursor: str, limit: int) -> HistoryPage:
        """Give up to `limit` changes, newest first; with `md_uri` those of one document."""
        until = _place(cursor)
        needle = b'"md":' + msgspec.json.encode(relative_path(md_uri, layout.experiment)) if md_uri else b""
        undone: set[str] = set()
        found: list[_Change] = []
        last = 0
        for place, line in self._journal.lines_back(layout):
            if b'"op":"undo"' in line:
                _note_undo(line, undone)
            if (until is not None and place >= until) or needle not in line:
                continue
            if (record := _record(line)) is None or record["op"] == REPLACING:
                continue
            batch = str(record.get("batch", ""))
            if not (batch and found and found[-1].batch == batch):
                if len(found) == limit:
                    return HistoryPage(_entries(found, layout, undone), str(last))
                about = (str(record.get("t", "")), str(record.get("who", "")), str(record["op"]))
                found.append(_Change(batch, *about, str(record.get("of", ""))))
            found[-1].add(record)
            last = place
        return HistoryPage(_entries(found, layout, undone))

    def undo(self, layout: Layout, change: str) -> Undone:
        """Take an annotation back, the last one if `change` is empty; to be called with the lock held.

        Raises
        ------
        NotFoundError
            The journal knows no such change, or nothing is there to be taken back.
        ConflictError
            The change was taken back already, or is no annotation.
        """
        batch, lines = self._annotation(layout, change)
        undo, kept, count = new_change(), [], 0
        last: list[Annotated] = []  # it is told of in the end, with the mark that all was done
        for start in range(0, len(lines), _CHUNK):
            pairs: dict[str, dict[str, Any]] = {}
            for record in lines[start : start + _CHUNK]:
                md_uri = self._document(layout, record)
                back, left = self._to_take_back(md_uri, *_values(record))
                kept += left
                if back:
                    pairs[md_uri] = back
            changed = [each for some in annotate(self._documents, layout.temp, pairs) for each in some]
            count += len(changed)
            self._documents.files.sync(layout.root)  # so that the journal never knows more than the documents
            self._tell(layout, undo, batch, [*last, *changed][:-1])
            last = changed[-1:] or last
        about = (last[0].md_uri, last[0].old, last[0].new) if last else (self._document(layout, lines[-1]), {}, {})
        self._journal.append(layout, [self._line(layout, undo, batch, *about, last=True)], sync=False)
        return Undone(batch, count, tuple(kept))

    def _to_take_back(self, md_uri: str, old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], list[Kept]]:
        """Give each value that is still what the change wrote the value from before it; leave the others."""
        try:
            pairs = self._documents.load(md_uri, "raw data").get("key_value_pairs") or {}
        except NotFoundError:  # deleted since
            return {}, [Kept(md_uri, key, value, None) for key, value in new.items()]
        back: dict[str, Any] = {}
        kept = []
        for key, written in new.items():
            found, before = pairs.get(key), old.get(key)
            if found == written:
                back[key] = before
            elif found != before:
                kept.append(Kept(md_uri, key, written, found))
        return back, kept

    def _tell(self, layout: Layout, undo: str, of: str, changed: list[Annotated]) -> None:
        lines = [self._line(layout, undo, of, each.md_uri, each.old, each.new) for each in changed]
        self._journal.append(layout, lines, sync=False)

    def _line(
        self,
        layout: Layout,
        undo: str,
        of: str,
        md_uri: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        **mark: Any,
    ) -> bytes:
        """Make a line of an undo; where none has the mark `last`, it was interrupted and can be done again."""
        return self._journal.line(layout, "undo", md_uri, batch=undo, of=of, old=old, new=new, **mark)

    def _annotation(self, layout: Layout, change: str) -> tuple[str, list[dict[str, Any]]]:
        """Find the lines of a change that can be taken back, in their order."""
        needle = f'"batch":"{change}"'.encode() if change else b""
        undone: set[str] = set()
        lines: list[dict[str, Any]] = []
        for _, line in self._journal.lines_back(layout):
            if b'"op":"undo"' in line:
                _note_undo(line, undone)
            if needle not in line or (record := _record(line)) is None:
                continue
            batch = str(record.get("batch", ""))
            if not needle and batch and batch not in undone and record["op"] != "undo" and _is_annotation(record):
                change, needle = batch, f'"batch":"{batch}"'.encode()
            if needle and batch == change:
                lines.append(record)
        if not lines:
            raise NotFoundError("change", change) if change else NotFoundError("annotation to undo", layout.root)
        if change in undone:
            raise ConflictError(f"the change {change!r} was undone already")
        if not all(map(_is_annotation, lines)):
            what = lines[0]["op"]
            raise ConflictError(f"the change {change!r} is no annotation ({what!r}): only annotations can be undone")
        return change, lines[::-1]

    def _document(self, layout: Layout, record: dict[str, Any]) -> str:
        md_uri = absolute_path(str(record["md"]), layout.experiment)
        if not is_within(md_uri, join(layout.root, DATA)) or not md_uri.endswith(MD_SUFFIX):
            raise DataServiceError(f"the journal {layout.journal} names {record['md']!r}, which is no data of it")
        return md_uri


def _record(line: bytes) -> dict[str, Any] | None:
    record = decode_line(line)
    return record if record and isinstance(record.get("op"), str) and "md" in record else None


def _values(record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values before and after; annotation keys without the field that they are in."""
    old, new = ({} if not isinstance(record.get(name), dict) else record[name] for name in ("old", "new"))
    return {k.removeprefix(_PAIRS): v for k, v in old.items()}, {k.removeprefix(_PAIRS): v for k, v in new.items()}


def _is_annotation(record: dict[str, Any]) -> bool:
    if record["op"] not in _UNDOABLE or not isinstance(record.get("new"), dict):
        return False
    return record["op"] != "update" or all(key.startswith(_PAIRS) for key in record["new"])


def _note_undo(line: bytes, undone: set[str]) -> None:
    """Remember what an undo took back to its end, unless it was taken back itself; lines come newest first."""
    record = _record(line)
    if record and record["op"] == "undo" and record.get("last") and str(record.get("batch")) not in undone:
        undone.add(str(record.get("of", "")))


def _entries(found: list[_Change], layout: Layout, undone: set[str]) -> tuple[HistoryEntry, ...]:
    return tuple(change.entry(layout, bool(change.batch) and change.batch in undone) for change in found)


def _place(cursor: str) -> int | None:
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        raise DataQueryError(f"{cursor[:40]!r} is no cursor of this history")
    return int(cursor) if cursor else None
