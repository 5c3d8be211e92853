"""The file of an index: opened if it is one of ours, whole and where it was made; else made."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from bioimageit_core.plugins.store.disk import strange_in
from bioimageit_core.plugins.store.index_rows import SCHEMA

__all__ = ["connect", "forget"]

_VERSION = 5


def connect(path: str, *, durable: bool = False) -> sqlite3.Connection:
    """Open an index, or make one.

    A transaction that a kill interrupts is rolled back by who opens it next; after a power cut that holds where it is
    `durable`. Half a transaction could go unnoticed: the rows of one document and the sum over all of another moment.
    """
    folder = os.path.dirname(path)
    if path != ":memory:" and (not os.path.isdir(folder) or strange_in(folder)):
        raise sqlite3.OperationalError("no folder for an index")
    database = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
    try:
        database.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        database.execute("PRAGMA journal_mode = TRUNCATE")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version != _VERSION:
            if version or database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("an index of another version")
            database.executescript(SCHEMA + f"PRAGMA application_id = {_own(path)}; PRAGMA user_version = {_VERSION};")
        elif database.execute("PRAGMA application_id").fetchone()[0] != _own(path):
            raise sqlite3.DatabaseError("a copy, perhaps of half a transaction")
        database.execute("BEGIN IMMEDIATE")  # fails here rather than later where nothing can be written
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _own(path: str) -> int:
    """Return what an index file is known by to itself, and what a copy of it is not."""
    return 0 if path == ":memory:" else os.stat(path).st_ino & 0x7FFFFFFF


def forget(path: str) -> None:
    """Remove an index, and what a transaction left of it."""
    for each in (f"{path}-journal", path):
        with contextlib.suppress(OSError):
            os.unlink(each)
