"""What the tables of an index say, once they are right."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from typing import Any

from bioimageit_core.plugins.store.layout import DATA

__all__ = ["Answers"]


class Answers(ABC):
    """The questions that an index answers."""

    @property
    @abstractmethod
    def database(self) -> sqlite3.Connection:
        """The tables, to be asked."""

    def is_raw(self, dataset: int) -> bool:
        """Say whether a dataset is the raw one."""
        row = self.database.execute("SELECT folder FROM dataset WHERE id = ?", (dataset,)).fetchone()
        return row is not None and row[0] == DATA

    def unreadable(self, dataset: int) -> list[str]:
        """List the documents of a dataset that are listed and cannot be read."""
        query = "SELECT file FROM doc INDEXED BY doc_bad WHERE dataset = ? AND bad AND position IS NOT NULL"
        return [file for (file,) in self.database.execute(query, (dataset,))]

    def bodies(self, source: str, where: str, parameters: list[Any]) -> list[tuple[bytes]]:
        """Return the documents that a condition selects, in their order; `file_and_content` reads one.

        They are ``d`` in `source`, the tables, and in `where`; the parameters are those of both.
        """
        query = f"SELECT b.said FROM {source} JOIN body b ON b.doc = d.id WHERE {where} ORDER BY d.position"
        return self.database.execute(query, parameters).fetchall()

    def page(
        self, source: str, where: str, parameters: list[Any], after: int, limit: int, offset: int = 0
    ) -> list[tuple[int, bytes]]:
        """Give the places of at most `limit` of these documents, and them.

        Those are meant that follow the place `after`, without the first `offset` of them.
        """
        # what is skipped is counted before contents are looked up
        found = f"SELECT d.id, d.position FROM {source} WHERE {where} AND d.position > ?"
        found += " ORDER BY d.position LIMIT ? OFFSET ?"
        query = f"SELECT f.position, b.said FROM ({found}) f JOIN body b ON b.doc = f.id ORDER BY f.position"
        return self.database.execute(query, (*parameters, after, limit, offset)).fetchall()

    def count(self, source: str, where: str, parameters: list[Any]) -> int:
        """Count the documents that a condition selects."""
        row = self.database.execute(f"SELECT count(*) FROM {source} WHERE {where}", parameters).fetchone()
        return int(row[0])

    def texts(self, key: str, prefix: str, limit: int) -> list[str]:
        """List the values of a key, as text, that begin with `prefix`."""
        query = "SELECT DISTINCT text FROM value v WHERE key = ? AND NOT blank AND substr(text, 1, ?) = ?"
        query += " AND EXISTS (SELECT 1 FROM pair p WHERE p.value = v.id) ORDER BY text LIMIT ?"
        return [text for (text,) in self.database.execute(query, (key, len(prefix), prefix, limit))]
