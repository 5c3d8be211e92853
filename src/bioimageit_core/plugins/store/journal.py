"""The journal of an experiment: every change with who, when and what, and the checksums of its data files."""

from __future__ import annotations

import datetime as dt
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bioimageit_core.core.acting import actor
from bioimageit_core.core.json_text import decode_line, encode_line
from bioimageit_core.core.paths import join, relative_path
from bioimageit_core.plugins.store.files import Files, Stored
from bioimageit_core.plugins.store.layout import Layout

__all__ = ["REPLACING", "Journal", "changes_between", "new_change", "now"]

_BELOW = re.compile(r"/([^/\\.][^/\\]*(?:/[^/\\.][^/\\]*)*)")

REPLACING = "replacing"
"""The operation of a line that is written before a file is exchanged: either content is right until another line."""


def new_change() -> str:
    """Make the name of a change: what all its lines in the journal have in common."""
    return os.urandom(6).hex()


class Journal:
    """Append to and read the journals of experiments.

    A line is ``{"t": time in UTC, "who": name, "op": what was done, "batch": the change, "md": the document, ...}``;
    ``md`` and ``file`` are relative to the experiment. Lines about content have ``size`` and ``sha256``; lines about
    changes have ``old`` and ``new``, by path of keys.

    Parameters
    ----------
    who
        For whom changes are made, where nobody says otherwise (`bioimageit_core.core.acting`).
    """

    def __init__(self, files: Files, who: str) -> None:
        self._files = files
        self.who = who

    def line(
        self, layout: Layout, operation: str, md_uri: str, *, batch: str = "", time: str = "", **facts: Any
    ) -> bytes:
        """Make a line; lines of one `batch` are one change, and may share a `time`."""
        about = {"t": time or now(), "who": actor() or self.who, "op": operation, "batch": batch or new_change()}
        return encode_line({**about, "md": _relative(layout, md_uri), **facts})

    def content(
        self,
        layout: Layout,
        operation: str,
        md_uri: str,
        uuid: str,
        uri: str,
        stored: Stored,
        *,
        batch: str = "",
        time: str = "",
        pairs: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Make a line about a data file; `pairs` are the annotations that come with it."""
        facts: dict[str, Any] = {"file": _relative(layout, uri), "size": stored.size, "sha256": stored.sha256}
        if pairs:
            facts["new"] = dict(pairs)
        return self.line(layout, operation, md_uri, batch=batch, time=time, uuid=uuid, **facts)

    def append(self, layout: Layout, lines: Iterable[bytes], *, sync: bool = True) -> None:
        """Add lines."""
        if content := b"".join(lines):
            self._files.append(layout.journal, content, sync=sync)

    def read(self, layout: Layout, since: str = "") -> tuple[Iterator[dict[str, Any]], str]:
        """Give the lines after a position, oldest first, and the position after them."""
        content, position = self._files.read_log(layout.journal, since)
        return _records(content), position

    def checksums(self, layout: Layout) -> dict[str, tuple[Stored, ...]]:
        """Return what is said of data files, by URI: the last word, or two where a replacing was interrupted."""
        lines, _ = self.read(layout)
        found: dict[str, tuple[Stored, ...]] = {}
        for record in lines:
            file, size, sha256 = record.get("file"), record.get("size"), record.get("sha256")
            if isinstance(file, str) and isinstance(size, int) and isinstance(sha256, str):
                uri = join(layout.root, file)
                before = found.get(uri, ())[-1:] if record.get("op") == REPLACING else ()
                found[uri] = (*before, Stored(size, sha256))
        return found

    def lines_back(self, layout: Layout) -> Iterator[tuple[int, bytes]]:
        """Give all lines, newest first, each with its place; as bytes, because most are not looked at closer."""
        return self._files.read_log_back(layout.journal)


def now() -> str:
    """Return this moment as a journal tells it: UTC, with milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _records(content: bytes) -> Iterator[dict[str, Any]]:
    for line in io.BytesIO(content):  # a list of all lines would be as large again
        if (record := decode_line(line)) is not None:
            yield record  # what a line that was cut off told of is found by a check


def _relative(layout: Layout, uri: str) -> str:
    root = layout.root
    if uri.startswith(root) and (match := _BELOW.fullmatch(uri, len(root))):
        return match[1]  # the usual case
    return relative_path(uri, layout.experiment)


def changes_between(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Give what differs between two documents, as path of keys, old and new value; None for what is absent."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from changes_between(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    else:
        yield path, before, after
