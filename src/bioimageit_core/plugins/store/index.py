"""The index of an experiment: derived from its documents, thrown away at any doubt, right at any time.

An SQLite file in the experiment's folder of ours. Before it answers, it looks at name, time, size and inode of every
document (or, where the system tells of changes, at those only that changed) and reads again what is not as it was. So
it notices what an editor, other software or another process did. Where it cannot be written it is made in memory.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from bioimageit_core.containers import ProcessedData, RawData
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.core.json_text import decode
from bioimageit_core.core.paths import MD_SUFFIX, join, name_of, parent, relative_path
from bioimageit_core.core.query_values import has_value, number_of
from bioimageit_core.plugins.store.documents import Documents
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.watch import Watch

__all__ = ["Index"]

_VERSION = 1
_SCHEMA = """
CREATE TABLE dataset (id INTEGER PRIMARY KEY, folder TEXT UNIQUE, seen TEXT, listed TEXT);
CREATE TABLE doc (
    id INTEGER PRIMARY KEY, dataset INTEGER, file TEXT, mtime INTEGER, size INTEGER, inode INTEGER,
    position INTEGER, name TEXT, author TEXT, date TEXT, format TEXT, output TEXT, label TEXT,
    parent TEXT, origin INTEGER, bad INTEGER DEFAULT 0, UNIQUE (dataset, file));
CREATE INDEX doc_order ON doc (dataset, position, name);
CREATE INDEX doc_origin ON doc (dataset, origin);
CREATE INDEX doc_bad ON doc (dataset) WHERE bad;
CREATE TABLE body (doc INTEGER PRIMARY KEY, content BLOB);
CREATE TABLE value (
    id INTEGER PRIMARY KEY, key TEXT, is_text INTEGER, text TEXT, bare TEXT, number REAL, blank INTEGER,
    UNIQUE (key, is_text, text));
CREATE INDEX value_bare ON value (key, bare);
CREATE INDEX value_number ON value (key, number);
CREATE TABLE pair (value INTEGER, doc INTEGER, PRIMARY KEY (value, doc)) WITHOUT ROWID;
CREATE INDEX pair_doc ON pair (doc);
"""


class Index:
    """The index of the experiment of `layout`; not for use by several threads at once."""

    def __init__(self, documents: Documents, listings: Listings, layout: Layout) -> None:
        self._documents = documents
        self._listings = listings
        self._layout = layout
        self._watches: dict[str, Watch] = {}
        self._values: dict[tuple[str, int, str], int] = {}
        self.database = self._open()

    # The file

    def _open(self) -> sqlite3.Connection:
        path = join(self._layout.ours, "index.sqlite")
        for _ in range(2):
            try:
                return _connect(path)
            except sqlite3.OperationalError:
                break  # it cannot be opened or written here
            except sqlite3.DatabaseError:
                _forget(path)
        return _connect(":memory:")

    def close(self) -> None:
        """Release the file."""
        for watch in self._watches.values():
            watch.close()
        self.database.close()

    # Being right

    def refresh(self, md_uri: str, *, lineage: bool = True) -> int:
        """Bring the rows of a dataset, and with `lineage` of all datasets, up to date; return the dataset's id."""
        layout = self._layout
        wanted = [name_of(parent(md_uri))]
        if lineage:
            names = sorted(entry.name for entry in self._documents.files.entries(layout.root) if entry.is_dir)
            wanted += [name for name in names if name not in wanted and not name.startswith(".")]
        try:
            return self._refresh(wanted)
        except sqlite3.DatabaseError as error:
            # damaged under our hands, or held by a process that does not end: nothing is lost by starting anew
            self.database.close()
            if "locked" not in str(error):
                _forget(join(layout.ours, "index.sqlite"))
            self.database, self._values = _connect(":memory:"), {}
            for watch in self._watches.values():
                watch.miss()
            return self._refresh(wanted)

    def _refresh(self, folders: list[str]) -> int:
        changed, first = False, 0
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                dataset, different = self._refresh_folder(folder)
                first, changed = first or dataset, changed or different
        if changed:
            self._trace_origins()
        if self.database.in_transaction:
            self.database.execute("COMMIT")
        return first

    def _refresh_folder(self, folder: str) -> tuple[int, bool]:
        directory = join(self._layout.root, folder)
        row = self.database.execute("SELECT id, seen, listed FROM dataset WHERE folder = ?", (folder,)).fetchone()
        watch = self._watches.get(folder)
        if watch is None:  # watching begins before looking, so that nothing falls between
            watch = self._watches[folder] = Watch(directory)
        names = watch.changes() if row else None
        if names is not None and not names:
            return int(row[0]), False
        if not self.database.in_transaction:
            self.database.execute("BEGIN IMMEDIATE")
        if row is None:
            cursor = self.database.execute("INSERT INTO dataset (folder, seen, listed) VALUES (?, '', '')", (folder,))
            row = (cursor.lastrowid, "", "")
        dataset = int(row[0])
        changed = (
            self._look_at(dataset, directory, names) if names is not None else self._look(dataset, directory, row[1])
        )
        listed = self._order(dataset, directory, row[2], changed)
        return dataset, changed or listed

    def _look(self, dataset: int, directory: str, seen: str) -> bool:
        """Look at every document of a folder; True if one is not as it was."""
        now, digest = [], 0
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(MD_SUFFIX):
                    status = entry.stat()
                    now.append((entry.name, status.st_mtime_ns, status.st_size, status.st_ino))
                    digest += zlib.crc32(entry.name.encode(errors="surrogateescape")) * (
                        status.st_mtime_ns ^ status.st_ino
                    )
                    digest += status.st_size
        said = f"{len(now)}-{digest:x}"
        if said == seen:
            return False
        query = "SELECT file, mtime, size, inode FROM doc WHERE dataset = ?"
        before = {row[0]: row[1:] for row in self.database.execute(query, (dataset,))}
        self._remove(dataset, before.keys() - {item[0] for item in now})
        self._read(dataset, directory, (item for item in now if before.get(item[0]) != item[1:]))
        self.database.execute("UPDATE dataset SET seen = ? WHERE id = ?", (said, dataset))
        return True

    def _look_at(self, dataset: int, directory: str, names: set[str]) -> bool:
        """Look at some documents of a folder, those that the system says were touched."""
        now, gone = [], []
        for name in names:
            if name.endswith(MD_SUFFIX):
                try:
                    status = os.stat(join(directory, name))
                except FileNotFoundError:
                    gone.append(name)
                else:
                    now.append((name, status.st_mtime_ns, status.st_size, status.st_ino))
        self._remove(dataset, gone)
        self._read(dataset, directory, now)
        if now or gone:
            self.database.execute("UPDATE dataset SET seen = '' WHERE id = ?", (dataset,))
        return bool(now or gone)

    def _remove(self, dataset: int, names: Iterable[str]) -> None:
        for name in names:
            row = self.database.execute("SELECT id FROM doc WHERE dataset = ? AND file = ?", (dataset, name)).fetchone()
            if row:
                self._clear(row[0])
                self.database.execute("DELETE FROM doc WHERE id = ?", row)

    def _clear(self, doc: int) -> None:
        self.database.execute("DELETE FROM pair WHERE doc = ?", (doc,))
        self.database.execute("DELETE FROM body WHERE doc = ?", (doc,))

    def _read(self, dataset: int, directory: str, items: Iterable[tuple[str, int, int, int]]) -> None:
        fields = "dataset, file, mtime, size, inode, name, author, date, format, output, label, parent, bad"
        insert = (
            f"INSERT INTO doc ({fields}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (dataset, file) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in fields.split(", ")[2:])
            + " RETURNING id"
        )
        for name, mtime, size, inode in items:
            content, data = self._load(join(directory, name))
            about: tuple[Any, ...] = ("", "", "", "", "", "", None, 1)
            if data is not None:
                output = data.output if isinstance(data, ProcessedData) else {}
                about = (
                    data.name,
                    data.author,
                    data.date,
                    data.format,
                    output.get("name", ""),
                    output.get("label", ""),
                )
                about += (self._parent(data), 0)
            row = self.database.execute(insert, (dataset, name, mtime, size, inode, *about)).fetchone()
            self._clear(row[0])
            if data is not None:
                self.database.execute("INSERT INTO body VALUES (?, ?)", (row[0], content))
                self._pair(row[0], data)

    def _load(self, md_uri: str) -> tuple[bytes, RawData | ProcessedData | None]:
        try:
            content = self._documents.files.read(md_uri)
            document = decode(content, md_uri)
            if "common" not in document:
                return content, None
            return content, self._documents.parse_data(content, md_uri)
        except (BioImageITError, OSError):
            return b"", None

    def _parent(self, data: RawData | ProcessedData) -> str | None:
        if isinstance(data, RawData) or not data.inputs:
            return None
        return relative_path(data.inputs[0].uri, self._layout.experiment)

    def _pair(self, doc: int, data: RawData | ProcessedData) -> None:
        if isinstance(data, RawData):
            rows = {(self._value(key, value), doc) for key, value in data.key_value_pairs.items()}
            self.database.executemany("INSERT OR IGNORE INTO pair VALUES (?, ?)", rows)

    def _value(self, key: str, value: Any) -> int:
        is_text = isinstance(value, str)
        row = (key, int(is_text), value if is_text else msgspec.json.encode(value).decode())
        if (known := self._values.get(row)) is not None:
            return known
        insert = "INSERT OR IGNORE INTO value (key, is_text, text, bare, number, blank) VALUES (?, ?, ?, ?, ?, ?)"
        bare = value.strip() if is_text else None
        self.database.execute(insert, (*row, bare, _real(value), int(not has_value(value))))
        query = "SELECT id FROM value WHERE key = ? AND is_text = ? AND text = ?"
        number = int(self.database.execute(query, row).fetchone()[0])
        if len(self._values) < 10_000:
            self._values[row] = number
        return number

    def _order(self, dataset: int, directory: str, listed: str, changed: bool) -> bool:
        """Give every document its place in the dataset's list, None to those that are not in it."""
        md_uri = self._list_of(directory)
        pending = self._documents.files.signature(self._layout.pending(md_uri))
        now = f"{self._documents.files.signature(md_uri)}-{pending}"
        if now == listed and not changed:
            return False
        wanted = {name_of(item.md_uri): place for place, item in enumerate(self._listings.read(md_uri).uris)}
        query = "SELECT file, position FROM doc WHERE dataset = ?"
        stored = dict(self.database.execute(query, (dataset,)).fetchall())
        moves = [(wanted.get(file), dataset, file) for file, place in stored.items() if wanted.get(file) != place]
        self.database.executemany("UPDATE doc SET position = ? WHERE dataset = ? AND file = ?", moves)
        missing = [(dataset, file, place) for file, place in wanted.items() if file not in stored]
        self.database.executemany("INSERT INTO doc (dataset, file, position, bad) VALUES (?, ?, ?, 1)", missing)
        self.database.execute("UPDATE dataset SET listed = ? WHERE id = ?", (now, dataset))
        return True

    def _list_of(self, directory: str) -> str:
        layout = self._layout
        raw = directory == parent(layout.raw_dataset)
        return layout.raw_dataset if raw else join(directory, "processed_dataset.md.json")

    def _trace_origins(self) -> None:
        """Follow every data to the raw data that it comes from, through the first of its inputs."""
        update = self.database.execute
        folder = "(SELECT id FROM dataset WHERE folder = 'data')"
        update(f"UPDATE doc SET origin = CASE WHEN dataset = {folder} THEN id ELSE NULL END")
        update("CREATE TEMP TABLE IF NOT EXISTS path (path TEXT PRIMARY KEY, doc INTEGER)")
        update("DELETE FROM path")
        update("INSERT INTO path SELECT s.folder || '/' || d.file, d.id FROM doc d JOIN dataset s ON s.id = d.dataset")
        while update(
            "UPDATE doc SET origin = p.origin FROM path JOIN doc p ON p.id = path.doc"
            " WHERE doc.origin IS NULL AND doc.parent = path.path AND p.origin IS NOT NULL"
        ).rowcount:
            pass

    def unreadable(self, dataset: int) -> list[str]:
        """List the documents of a dataset that are listed and cannot be read."""
        query = "SELECT file FROM doc WHERE dataset = ? AND bad AND position IS NOT NULL"
        return [file for (file,) in self.database.execute(query, (dataset,))]

    def bodies(self, where: str, parameters: list[Any]) -> Iterator[tuple[str, bytes]]:
        """Give the file name and content of the documents that a condition on ``doc d`` selects, in their order."""
        query = f"SELECT d.file, b.content FROM doc d JOIN body b ON b.doc = d.id WHERE {where} ORDER BY d.position"
        yield from self.database.execute(query, parameters)


def _real(value: Any) -> float | None:
    """Return what a value is as a number, as far as a float can say."""
    try:
        number = number_of(value)
        return None if number is None else float(number)
    except OverflowError:
        return None


def _connect(path: str) -> sqlite3.Connection:
    if path != ":memory:" and not os.path.isdir(os.path.dirname(path)):
        raise sqlite3.OperationalError("no folder for an index")
    database = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
    try:
        # derived: what a power cut takes is made again
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = MEMORY")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version != _VERSION:
            if version or database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("an index of another version")
            database.executescript(_SCHEMA + f"PRAGMA user_version = {_VERSION};")
        database.execute("BEGIN IMMEDIATE")  # fails here rather than later where nothing can be written
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
