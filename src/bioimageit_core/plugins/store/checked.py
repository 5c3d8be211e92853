"""What a check has read before: each file with its signature then and its SHA-256, so that the next reads what changed.

An SQLite file in the experiment's folder of ours, derived and thrown away at any doubt; where it cannot be written,
everything is read.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence

from bioimageit_core.plugins.store.disk import strange_in

__all__ = ["Checked", "as_text"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS checked (path TEXT PRIMARY KEY, signature TEXT, sha256 TEXT) WITHOUT ROWID"
_VARIABLES = 500  # of one statement


class Checked:
    """The files that were read below an experiment; `path` is where that is kept, empty for nowhere."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        if path and os.path.isdir(os.path.dirname(path)) and not strange_in(os.path.dirname(path)):
            self._open()

    def _open(self) -> None:
        for _ in range(2):
            try:
                self._database = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
                self._database.execute("PRAGMA synchronous = OFF")
                self._database.execute(_SCHEMA)
                return
            except sqlite3.DatabaseError as error:
                self._database = None
                if isinstance(error, sqlite3.OperationalError):
                    return  # it cannot be written here
                with contextlib.suppress(OSError):
                    os.unlink(self._path)

    def known(self, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return signature and SHA-256 of files when they were read before; for use by several threads."""
        found: dict[str, tuple[str, str]] = {}
        if self._database is None:
            return found
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            for start in range(0, len(paths), _VARIABLES):
                some = paths[start : start + _VARIABLES]
                marks = ",".join("?" * len(some))
                query = f"SELECT path, signature, sha256 FROM checked WHERE path IN ({marks})"  # noqa: S608 - marks only
                rows = self._database.execute(query, some)
                found.update((path, (signature, sha256)) for path, signature, sha256 in rows)
        return found

    def remember(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Keep path, signature and SHA-256 of files that hold."""
        if self._database is not None:
            with self._lock, contextlib.suppress(sqlite3.DatabaseError):
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT OR REPLACE INTO checked VALUES (?, ?, ?)", rows)
                self._database.execute("COMMIT")

    def close(self) -> None:
        """Release the file."""
        if self._database is not None:
            self._database.close()


def as_text(signature: object) -> str:
    """Return a signature as it is kept; ``''`` where there is none."""
    return "" if signature is None else str(signature)
