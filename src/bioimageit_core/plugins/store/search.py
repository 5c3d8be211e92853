"""Queries answered by an index: values are judged by the query itself, data found by SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.core.query import All, And, Compare, Has, In, Not, Or, Query
from bioimageit_core.core.query_values import number_of
from bioimageit_core.plugins.store.index import Index

__all__ = ["Condition", "condition"]

_OWN = ("author", "date", "format")
_MANY = 500  # values that one condition names before SQL is no help
_BEYOND = {"<", "<=", ">", ">="}
_RARE = 8  # a value is rare where one in so many documents has it


@dataclass(frozen=True)
class Condition:
    """What selects documents: ``FROM source WHERE where``, with the parameters of both; the documents are ``d``."""

    source: str
    where: str
    parameters: list[Any]


def condition(index: Index, dataset: int, query: Query, output: str, keys: list[str]) -> Condition:
    """Return the SQL condition that selects what a query selects.

    Parameters
    ----------
    output
        Name or label of the tool's output; empty for all.
    keys
        The vocabulary of the experiment: a raw data that lacks one of these has ``''`` there.
    """
    # what every hit has to match; where one of these is rare, the others need not be looked at
    writer = _Writer(index, dataset, keys, query.terms if isinstance(query, And) else (query,))
    parts = ["d.dataset = ?", "d.position IS NOT NULL"]
    parameters: list[Any] = [dataset]
    if output:
        parts.append("(d.output = ? OR d.label = ?)")
        parameters += [output, output]
    if not isinstance(query, All):
        parts.append(writer.write(query))
        parameters += writer.parameters
    source, near = writer.source()
    return Condition(source, " AND ".join(parts), [*near, *parameters])


class _Writer:
    def __init__(self, index: Index, dataset: int, keys: list[str], required: Sequence[Query]) -> None:
        self._database = index.database
        self._dataset = dataset
        self._keys = set(keys)
        # whose annotations count: a raw data's own, those of its origin for a result
        self._origin = "d.id" if index.is_raw(dataset) else "d.origin"
        self._required = required
        self._rarest: tuple[int, str, list[Any]] | None = None
        self._picks = 0
        self.parameters: list[Any] = []
        self._database.execute("CREATE TEMP TABLE IF NOT EXISTS picked (term INTEGER, value INTEGER)")
        self._database.execute("DELETE FROM picked")

    def write(self, query: Query) -> str:
        if isinstance(query, And | Or):
            word = " AND " if isinstance(query, And) else " OR "
            return _balanced([self.write(term) for term in query.terms], word)
        if isinstance(query, Not):
            return f"(NOT {self.write(query.term)})"
        key = _key_of(query)
        if key == "name":
            return self._name(query)
        return self._own(query, key) if key in _OWN else self._annotation(query, key)

    def _name(self, query: Query) -> str:
        if isinstance(query, Compare) and query.op in {"=", "!=", "=="}:
            self.parameters.append(query.value)
            if query.op == "==":
                return "(d.name = ?)"
            # instr finds an empty text at 1, and counts characters as Python does
            return f"(instr(d.name, ?) {'>' if query.op == '=' else '='} 0)"
        return self._by_function(query, "name")

    def _by_function(self, query: Query, key: str) -> str:
        """Ask the query itself about every distinct value of a column."""
        rows = self._database.execute(f"SELECT DISTINCT {key} FROM doc WHERE dataset = ?", (self._dataset,))
        chosen = [value for (value,) in rows if value is not None and query.matches({key: value})]
        if len(chosen) <= 100:
            self.parameters += chosen
            return f"(d.{key} IN ({', '.join('?' * len(chosen))}))"
        return f"(d.{key} IN (SELECT value FROM picked WHERE term = {self._pick(chosen)}))"

    def _own(self, query: Query, key: str) -> str:
        """Ask for a data's own author, date or format, unless an annotation of that name goes before."""
        speaking = "SELECT id FROM value WHERE key = ? AND NOT blank"
        own_parameters, self.parameters = self.parameters, []
        own = self._by_function(query, key)
        own_parameters, self.parameters = self.parameters, own_parameters
        if not self._database.execute(f"{speaking} LIMIT 1", (key,)).fetchone():
            self.parameters += own_parameters
            return own
        said = self._having(self._matching(query, key))
        self.parameters += [key]
        spoken = self._having(speaking)
        self.parameters += [key, *own_parameters]
        return f"(({said} AND {spoken}) OR (NOT {spoken} AND {own}))"

    def source(self) -> tuple[str, list[Any]]:
        """Return the tables to select from, with parameters: all documents, or those with the rarest of the values."""
        if self._rarest is None:
            return "doc d", []
        _, values, parameters = self._rarest
        near = f"(SELECT DISTINCT doc FROM pair WHERE value IN ({values})) near"
        if self._origin == "d.id":
            return f"{near} CROSS JOIN doc d ON d.id = near.doc", parameters
        return f"{near} CROSS JOIN doc d ON d.dataset = ? AND d.origin = near.doc", [*parameters, self._dataset]

    def _note_rare(self, values: str, parameters: list[Any]) -> None:
        most = (self._database.execute("SELECT max(id) FROM doc").fetchone()[0] or 0) // _RARE
        query = f"SELECT count(*) FROM (SELECT 1 FROM pair WHERE value IN ({values}) LIMIT ?)"
        count = int(self._database.execute(query, (*parameters, most + 1)).fetchone()[0])
        if count <= most and (self._rarest is None or count < self._rarest[0]):
            self._rarest = count, values, parameters

    def _annotation(self, query: Query, key: str) -> str:
        before = len(self.parameters)
        values = self._matching(query, key)
        found = self._having(values)
        if not query.matches({}) and not query.matches({key: ""}) and any(query is each for each in self._required):
            self._note_rare(values, self.parameters[before:])
        if query.matches({key: ""} if key in self._keys else {}):
            self.parameters.append(key)
            lacking = f"{self._origin} IS NOT NULL AND NOT {self._having('SELECT id FROM value WHERE key = ?')}"
            found = f"({found} OR ({lacking}))"
        # of a data whose origin is gone nothing is known
        return f"({found} OR {self._origin} IS NULL)" if query.matches({}) else found

    def _matching(self, query: Query, key: str) -> str:
        """Return a SELECT of the values of a key that a leaf matches; what SQL cannot judge, the leaf does."""
        sure, candidates, parameters = "", "1", list[Any]()
        if isinstance(query, Has):
            self.parameters.append(key)
            return "SELECT id FROM value WHERE key = ? AND NOT blank"
        if isinstance(query, Compare) and query.op == "!=":
            self.parameters.append(key)
            same = self._matching(Compare(key, "=", query.value), key)
            return f"SELECT id FROM value WHERE key = ? AND id NOT IN ({same})"
        texts = query.values if isinstance(query, In) else (query.value,) if isinstance(query, Compare) else ()
        bound = _number(query.value) if isinstance(query, Compare) and query.op in _BEYOND else None
        if key == "date" or len(texts) > _MANY:
            pass  # a part of a date matches too
        elif isinstance(query, In) or (isinstance(query, Compare) and query.op in {"=", "=="}):
            marks = ", ".join("?" * len(texts))
            candidates = f"(bare IN ({marks}) OR number IN ({marks}) OR (NOT is_text AND number IS NULL))"
            parameters = [*(text.strip() for text in texts), *map(_number, texts)]
        elif bound is not None and isinstance(query, Compare):
            sure = f"number {query.op[0]} ?"  # a float that is less is so exactly too; equal ones are looked at
            candidates, parameters = "(number = ? OR (NOT is_text AND number IS NULL))", [bound]
        rows = self._database.execute(
            f"SELECT id, is_text, text FROM value WHERE key = ? AND {candidates}",
            (key, *parameters),
        )
        chosen = [number for number, is_text, text in rows if query.matches({key: _value(is_text, text)})]
        picked = f"SELECT value FROM picked WHERE term = {self._pick(chosen)}"
        if not sure:
            return picked
        self.parameters += [key, *parameters]
        return f"SELECT id FROM value WHERE key = ? AND {sure} UNION ALL {picked}"

    def _having(self, values: str) -> str:
        docs = f"SELECT doc FROM pair WHERE value IN ({values})"
        return f"({self._origin} IS NOT NULL AND {self._origin} IN ({docs}))"

    def _pick(self, values: list[Any]) -> int:
        self._picks += 1
        rows: Iterator[tuple[int, Any]] = ((self._picks, value) for value in values)
        self._database.executemany("INSERT INTO picked VALUES (?, ?)", rows)
        return self._picks


def _balanced(terms: list[str], word: str) -> str:
    """Join conditions as a flat tree: SQLite refuses one that is deeper than 1000."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({_balanced(terms[:half], word)}{word}{_balanced(terms[half:], word)})"


def _number(text: str) -> float | None:
    try:
        number = number_of(text)
        return None if number is None else float(number)
    except OverflowError:
        return None


def _value(is_text: int, text: str) -> Any:
    return text if is_text else json.loads(text)  # NaN and Infinity too


def _key_of(query: Query) -> str:
    if isinstance(query, Compare | Has | In):
        return query.key
    raise TypeError(f"no leaf of a query: {query!r}")
