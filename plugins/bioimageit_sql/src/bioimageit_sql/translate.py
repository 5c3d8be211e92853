"""Queries as SQL.

What SQL cannot compare as Python does (regular expressions, blanks at the ends of texts, numbers beyond 2**53) becomes
a condition that selects at least what the query selects; then `Translated.is_exact` is False, and the query is asked
again of each data that was found.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bioimageit_core.core.query import All, And, Compare, Has, In, Not, Or, Query
from bioimageit_core.core.query_values import is_date, number_of
from bioimageit_sql.annotations import DATE, DICT, FLAG, MAX_PREFIX, NUMBER, TEXT, index_text
from bioimageit_sql.schema import annotation, data

__all__ = ["Translated", "translate"]

_LARGEST_EXACT = 2**53
_OWN_COLUMNS = {"author": data.c.author, "date": data.c.date, "format": data.c.format}
# what `str.strip` takes away
_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Translated:
    """A condition on rows of `data`.

    Attributes
    ----------
    is_exact
        Whether it selects what the query selects, and not more.
    """

    clause: sa.ColumnElement[bool]
    is_exact: bool


def translate(query: Query, terms: Mapping[str, int], *, is_sqlite: bool) -> Translated:
    """Translate a query on the data of one experiment.

    Parameters
    ----------
    terms
        The id of each key that the experiment's data have values of, by what `index_text` makes of the key.
    """
    return _Translator(terms, is_sqlite).translate(query, is_negated=False)


_EVERYTHING = Translated(sa.true(), False)


class _Translator:
    def __init__(self, terms: Mapping[str, int], is_sqlite: bool) -> None:
        self._terms = terms
        self._is_sqlite = is_sqlite

    def translate(self, query: Query, *, is_negated: bool) -> Translated:
        """Translate `query`, or what it does not select."""
        if isinstance(query, Not):
            return self.translate(query.term, is_negated=not is_negated)
        if isinstance(query, Compare) and query.op == "!=":
            return self.translate(Compare(query.key, "=", query.value), is_negated=not is_negated)
        if isinstance(query, And | Or):
            parts = [self.translate(term, is_negated=is_negated) for term in query.terms]
            join = sa.and_ if isinstance(query, And) != is_negated else sa.or_
            return Translated(join(*(part.clause for part in parts)), all(part.is_exact for part in parts))
        found = self._condition(query)
        if not is_negated:
            return found
        return Translated(sa.not_(found.clause), True) if found.is_exact else _EVERYTHING

    def _condition(self, query: Query) -> Translated:
        if isinstance(query, All):
            return Translated(sa.true(), True)
        if isinstance(query, Compare) and query.op == "~":
            return _EVERYTHING
        if not isinstance(query, Has | In | Compare):
            return _EVERYTHING
        if query.key == "name":
            return self._of_name(query)
        term = self._terms.get(index_text(query.key))
        if query.key in _OWN_COLUMNS:  # an annotation that is called so goes before the data's own
            return _of_column(query, _OWN_COLUMNS[query.key]) if term is None else _EVERYTHING
        return _of_annotation(query, _Values(term))

    def _of_name(self, query: Has | In | Compare) -> Translated:
        # names have no control characters and are never empty
        name = data.c.name
        if isinstance(query, Has):
            return Translated(sa.true(), True)
        if isinstance(query, In):
            trim = sa.func.trim if self._is_sqlite else sa.func.btrim
            texts = [text.strip() for text in query.values if _can_be_bound(text)]
            return Translated(trim(name, _BLANKS).in_(texts), True)
        if query.op not in {"=", "=="}:
            return _EVERYTHING
        if not _can_be_bound(query.value):
            return Translated(sa.false(), True)
        if query.op == "==":
            return Translated(name == query.value, True)
        position = sa.func.instr if self._is_sqlite else sa.func.strpos
        return Translated(position(name, query.value) > 0 if query.value else sa.true(), True)


def _of_column(query: Has | In | Compare, column: sa.ColumnElement[str]) -> Translated:
    """Translate a comparison of a data's author, date or format; the column has no blanks at its ends."""
    if isinstance(query, Has):
        return Translated(column != "", True)
    if isinstance(query, In):
        return Translated(column.in_([index_text(text.strip()) for text in query.values]), True)
    text = query.value.strip()
    if query.op == "==":
        return Translated(column == index_text(text), False)
    if query.op != "=":
        if not _is_like_a_date(query):
            return _EVERYTHING
        return Translated(_ordered(sa.func.substr(column, 1, len(text)), query.op, text), False)
    if query.key != "date" or not text:
        return Translated(column == index_text(text), True)
    if len(text) > MAX_PREFIX or index_text(text) != text:
        return _EVERYTHING
    return Translated(sa.func.substr(column, 1, len(text)) == text, True)


def _of_annotation(query: Has | In | Compare, values: _Values) -> Translated:
    if isinstance(query, Has):
        return Translated(values.any(annotation.c.kind != DICT), True)
    if isinstance(query, In):
        return _one_of(query.values, values, is_exact=False)
    if query.op in {"=", "=="}:
        return _one_of((query.value,), values, is_exact=query.op == "==")
    if _is_like_a_date(query):
        text = query.value.strip()
        is_comparable = sa.or_(
            annotation.c.kind == DATE, sa.and_(annotation.c.kind == TEXT, annotation.c.number.is_not(None))
        )
        return Translated(
            values.any(is_comparable, _ordered(sa.func.substr(annotation.c.text, 1, len(text)), query.op, text)), True
        )
    bound = number_of(query.value)
    if bound is None:
        return _EVERYTHING
    if abs(bound) >= _LARGEST_EXACT:  # may have been rounded to the same
        return Translated(values.any(_ordered(annotation.c.number, f"{query.op[0]}=", float(bound))), False)
    return Translated(values.any(_ordered(annotation.c.number, query.op, float(bound))), True)


def _one_of(texts: Sequence[str], values: _Values, *, is_exact: bool) -> Translated:
    """Translate "the value is one of these"; `is_exact` for blanks at the ends of texts that count, too."""
    stripped = [text.strip() for text in texts]
    parts: list[sa.ColumnElement[bool]] = []
    if "" in stripped:  # as if it had no value
        parts.append(sa.not_(values.any()))
    is_text: sa.ColumnElement[bool] = annotation.c.kind.in_((TEXT, DATE))
    if is_exact and list(texts) == stripped:
        is_text = sa.and_(is_text, annotation.c.is_exact)
    wanted = [index_text(text) for text in stripped]
    lowered = [index_text(text.lower()) for text in stripped]
    is_other = sa.and_(annotation.c.kind == FLAG, annotation.c.text.in_(lowered))
    candidates = {*wanted, *lowered}
    is_same = sa.and_(sa.or_(is_text, annotation.c.kind == DICT), annotation.c.text.in_(wanted))
    alternatives = [sa.and_(annotation.c.text.in_(sorted(candidates)), sa.or_(is_same, is_other))]
    numbers = [number for text in stripped if (number := number_of(text)) is not None]
    if numbers:
        is_number = sa.and_(annotation.c.kind == NUMBER, annotation.c.number.in_([float(n) for n in numbers]))
        alternatives.append(is_number)
    parts.append(values.any_of(alternatives))
    is_sure = all(abs(number) < _LARGEST_EXACT for number in numbers)
    if is_exact:
        is_sure = is_sure and list(texts) == stripped and "" not in stripped
    return Translated(sa.or_(*parts), is_sure)


class _Values:
    """The values that data have of one key; None where no data has any."""

    def __init__(self, term: int | None) -> None:
        self._term = term

    def any(self, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        """Say that a data, or its origin, has a value that all of these are true of."""
        return self.any_of([sa.and_(sa.true(), *conditions)])

    def any_of(self, alternatives: Sequence[sa.ColumnElement[bool]]) -> sa.ColumnElement[bool]:
        """Say that a data, or its origin, has a value that one of these is true of; each may use its own index."""
        if self._term is None:
            return sa.false()
        found = [
            sa.select(annotation.c.data_id).where(annotation.c.term_id == self._term, condition)
            for condition in alternatives
        ]
        return data.c.source_id.in_(found[0] if len(found) == 1 else sa.union_all(*found))


def _is_like_a_date(query: Compare) -> bool:
    text = query.value.strip()
    return (query.key == "date" or is_date(text)) and len(text) <= MAX_PREFIX and index_text(text) == text


def _can_be_bound(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _ordered(left: sa.ColumnElement[Any], op: str, right: Any) -> sa.ColumnElement[bool]:
    comparison: sa.ColumnElement[bool] = _ORDERS[op](left, right)
    return comparison
