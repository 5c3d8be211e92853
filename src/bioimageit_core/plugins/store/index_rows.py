"""The rows of an index: what it keeps of each document, written many at a time."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from bioimageit_core.core.paths import MD_SUFFIX, name_of
from bioimageit_core.core.query_values import has_value, number_of
from bioimageit_core.plugins.store.annotations import Annotated
from bioimageit_core.plugins.store.disk import Signature, signature_of

__all__ = ["SCHEMA", "Row", "Rows", "Sum", "file_and_content", "speakable", "total_of"]

SCHEMA = """
CREATE TABLE dataset (id INTEGER PRIMARY KEY, folder TEXT UNIQUE, seen TEXT, listed TEXT, heard TEXT);
CREATE TABLE doc (
    id INTEGER PRIMARY KEY, dataset INTEGER, file TEXT, mtime INTEGER, size INTEGER, inode INTEGER,
    ctime INTEGER, position INTEGER, name TEXT, author TEXT, date TEXT, format TEXT, output TEXT, label TEXT,
    parent TEXT, origin INTEGER, bad INTEGER DEFAULT 0, UNIQUE (dataset, file));
CREATE INDEX doc_order ON doc (dataset, position, name, file);
CREATE INDEX doc_origin ON doc (dataset, origin) WHERE origin IS NOT NULL;
CREATE INDEX doc_bad ON doc (dataset) WHERE bad;
CREATE TABLE body (doc INTEGER PRIMARY KEY, said BLOB);
CREATE TABLE value (
    id INTEGER PRIMARY KEY, key TEXT, is_text INTEGER, text TEXT, bare TEXT, number REAL, blank INTEGER,
    UNIQUE (key, is_text, text));
CREATE INDEX value_bare ON value (key, bare);
CREATE INDEX value_number ON value (key, number);
CREATE TABLE pair (value INTEGER, doc INTEGER, PRIMARY KEY (value, doc)) WITHOUT ROWID;
CREATE INDEX pair_doc ON pair (doc);
"""


_AT_ONCE = 500  # names in one question; older SQLites take 999 parameters


@dataclass(slots=True)
class Row:
    """What an index keeps of a document; `content` is None where it is none of a data."""

    file: str
    signature: Signature
    content: bytes | None = None
    about: tuple[str, str, str, str] = ("", "", "", "")
    """Name, author, date and format."""
    output: tuple[str, str] = ("", "")
    parent: str | None = None
    pairs: Mapping[str, Any] = field(default_factory=dict)
    position: int | None = None


class Sum:
    """What tells the documents of a folder from others: a sum over all, so that one can be exchanged."""

    def __init__(self, said: str = "") -> None:
        count, _, total = said.partition(" ")
        self._count, self._total = (int(count), int(total, 16)) if total else (0, 0)

    @property
    def number(self) -> int:
        """How many documents these are."""
        return self._count

    def add(self, file: str, signature: Signature, times: int = 1) -> None:
        """Take a document in; `times` -1 takes it out."""
        mtime, size, inode, ctime = signature
        self._count += times
        key = zlib.crc32(file.encode())
        self._total += times * (key * (ctime ^ inode) + size + mtime)

    def count(self, documents: Mapping[str, Signature]) -> None:
        """Begin anew with these documents."""
        self._count = self._total = 0
        for file, signature in documents.items():
            self.add(file, signature)

    def __str__(self) -> str:
        return f"{self._count} {self._total:x}"


def total_of(directory: str, but: str) -> tuple[Sum, bool]:
    """Look at every document of a directory but one; the same as `Sum.add` of each, in as few steps as can be.

    Returns also whether one of them has a second name elsewhere, or is a link.
    """
    count = total = names = 0
    is_linked = False
    crc32, suffix, length = zlib.crc32, MD_SUFFIX, -len(MD_SUFFIX)
    with os.scandir(directory) as entries:
        for entry in entries:
            file = entry.name
            if file[length:] == suffix and file != but:
                try:
                    key, status = crc32(file.encode()), entry.stat()
                except (OSError, UnicodeEncodeError):  # removed meanwhile, a link to nothing or itself, or no text
                    continue
                mtime, size, inode, ctime = signature_of(status)
                total += key * (ctime ^ inode) + size + mtime
                count += 1
                names += status.st_nlink
                is_linked |= entry.is_symlink()
    return Sum(f"{count} {total:x}"), is_linked or names > count


def _said(file: str, content: bytes) -> bytes:
    """Return a document as one value: two of each would take half as long again to fetch, where there are many."""
    return b"\0".join((file.encode(), content))


def file_and_content(said: bytes) -> tuple[str, bytes]:
    """Return the name of a document and its content, as the tables hold them."""
    file, _, content = said.partition(b"\0")
    return file.decode(), content


def speakable(text: str) -> str:
    """Return a text as the tables hold it: half of a pair of surrogates, which JSON can say, is a U+FFFD there.

    Examples
    --------
    >>> speakable("café"), speakable(chr(0xD800)) == chr(0xFFFD) * 3
    ('café', True)
    """
    return text if text.isascii() else text.encode(errors="surrogatepass").decode(errors="replace")


class Rows:
    """The tables of an index."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self._values: dict[tuple[str, int, str], int] = {}

    def stored(self, dataset: int) -> dict[str, Signature]:
        """Return the documents that are known of a dataset."""
        query = "SELECT file, mtime, size, inode, ctime FROM doc WHERE dataset = ? AND mtime IS NOT NULL"
        return {row[0]: row[1:] for row in self.database.execute(query, (dataset,))}

    def signature(self, dataset: int, file: str) -> Signature | None:
        """Return the signature by which a document is known."""
        query = "SELECT mtime, size, inode, ctime FROM doc WHERE dataset = ? AND file = ?"
        row: Signature | None = self.database.execute(query, (dataset, file)).fetchone()
        return row

    def has_unplaced(self, dataset: int) -> bool:
        """Say whether a data is not in its dataset's list, as far as we know that."""
        query = "SELECT 1 FROM doc WHERE dataset = ? AND position IS NULL AND NOT bad LIMIT 1"
        return self.database.execute(query, (dataset,)).fetchone() is not None

    def has_results(self) -> bool:
        """Say whether a dataset besides the raw one is known, so that origins have to be traced."""
        return self.database.execute("SELECT 1 FROM dataset WHERE folder != 'data'").fetchone() is not None

    def put(self, dataset: int, rows: Iterable[Row], total: Sum) -> bool:
        """Add or replace documents, and count them in `total`; say whether what comes from what is to be traced."""
        rows = list(rows)
        known_as = self._known(dataset, [row.file for row in rows], "position, parent, bad, origin")
        following = int(self.database.execute("SELECT coalesce(max(id), 0) FROM doc").fetchone()[0])
        docs: list[tuple[Any, ...]] = []
        bodies: list[tuple[int, bytes]] = []
        pairs: list[tuple[int, int]] = []
        old: list[tuple[int]] = []
        is_traced = True
        for row in rows:
            known = known_as.get(row.file)
            if known is None:
                following += 1
                number, position, origin = following, row.position, None
                is_traced = False
            else:
                number, signature, position, parent, bad, origin = known  # its number stays, and so do origins
                is_traced &= parent == row.parent and bool(bad) == (row.content is None)
                old.append((number,))
                if signature[0] is not None:
                    total.add(row.file, signature, -1)
            total.add(row.file, row.signature)
            said: tuple[str | None, ...] = (*row.about, *row.output, row.parent)
            if not "".join(text or "" for text in said).isascii():
                said = tuple(text and speakable(text) for text in said)
            fixed = (number, dataset, row.file, *row.signature, position, *said)
            docs.append((*fixed, origin, int(row.content is None)))
            if row.content is not None:
                bodies.append((number, _said(row.file, row.content)))
                pairs += [(self._value(key, value), number) for key, value in row.pairs.items()]
        self._forget(old)
        self.database.executemany(f"INSERT INTO doc VALUES ({', '.join('?' * 17)})", docs)
        self.database.executemany("INSERT INTO body VALUES (?, ?)", bodies)
        self.database.executemany("INSERT OR IGNORE INTO pair VALUES (?, ?)", pairs)
        return not is_traced

    def annotate(self, dataset: int, changed: Iterable[Annotated], total: Sum) -> None:
        """Exchange annotations of documents that are known as they were before."""
        docs, bodies, gone, come = [], [], [], []
        by_file = {name_of(each.md_uri): each for each in changed}
        for file, (number, known, bad) in self._known(dataset, list(by_file), "bad").items():
            each = by_file[file]
            if bad or known != each.before:
                continue
            signature = cast("Signature", each.signature)
            total.add(file, known, -1)
            total.add(file, signature)
            docs.append((*signature, number))
            bodies.append((_said(file, each.content), number))
            gone += [(self._value(key, value), number) for key, value in each.old.items()]
            come += [(self._value(key, value), number) for key, value in each.new.items() if value is not None]
        self.database.executemany("UPDATE doc SET mtime = ?, size = ?, inode = ?, ctime = ? WHERE id = ?", docs)
        self.database.executemany("UPDATE body SET said = ? WHERE doc = ?", bodies)
        self.database.executemany("DELETE FROM pair WHERE value = ? AND doc = ?", gone)
        self.database.executemany("INSERT OR IGNORE INTO pair VALUES (?, ?)", come)

    def remove(self, dataset: int, files: Iterable[str], total: Sum) -> bool:
        """Forget documents; say whether one was known."""
        query = "SELECT id, mtime, size, inode, ctime FROM doc WHERE dataset = ? AND file = ?"
        gone = []
        for file in files:
            if row := self.database.execute(query, (dataset, file)).fetchone():
                gone.append(row[:1])
                if row[1] is not None:
                    total.add(file, row[1:], -1)
        self._forget(gone)
        return bool(gone)

    def remove_all(self, dataset: int) -> None:
        """Forget all documents of a dataset."""
        self._forget(self.database.execute("SELECT id FROM doc WHERE dataset = ?", (dataset,)).fetchall())

    def _known(self, dataset: int, files: Sequence[str], columns: str) -> dict[str, tuple[Any, ...]]:
        """Return what is known of files, by name: number, signature and these columns."""
        found: dict[str, tuple[Any, ...]] = {}
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            query = f"SELECT file, id, mtime, size, inode, ctime, {columns} FROM doc"
            query += f" WHERE dataset = ? AND file IN ({', '.join('?' * len(some))})"
            for file, number, *rest in self.database.execute(query, (dataset, *some)):
                found[file] = (number, tuple(rest[:4]), *rest[4:])
        return found

    def _forget(self, numbers: Sequence[tuple[int]]) -> None:
        for table, column in (("pair", "doc"), ("body", "doc"), ("doc", "id")):
            self.database.executemany(f"DELETE FROM {table} WHERE {column} = ?", numbers)

    def _value(self, key: str, value: Any) -> int:
        is_text = isinstance(value, str)
        row = (speakable(key), int(is_text), speakable(value if is_text else _as_json(value)))
        if (known := self._values.get(row)) is not None:
            return known
        insert = "INSERT OR IGNORE INTO value (key, is_text, text, bare, number, blank) VALUES (?, ?, ?, ?, ?, ?)"
        bare = row[2].strip() if is_text else None
        self.database.execute(insert, (*row, bare, _real(value), int(not has_value(value))))
        query = "SELECT id FROM value WHERE key = ? AND is_text = ? AND text = ?"
        number = int(self.database.execute(query, row).fetchone()[0])
        if len(self._values) < 10_000:
            self._values[row] = number
        return number


def _as_json(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)  # NaN or Infinity, where msgspec would say null
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False)


def _real(value: Any) -> float | None:
    """Return what a value is as a number, as far as a float can say."""
    try:
        number = number_of(value)
        return None if number is None else float(number)
    except OverflowError:
        return None
