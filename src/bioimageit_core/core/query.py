r"""The query language: which data of a dataset are meant.

``Population=p1 AND Day>=3`` is a query; `parse_query` makes a tree of it that says whether it `matches` the fields of a
data, and that homes with an engine of their own translate.

=========================  =============================================================================
``Day=3`` ``Day!=3``       has that value, has not; spaces at the ends of the stored text do not count
``name=p1`` ``name!=p1``   the name contains ``p1``, does not contain it
``date=2024-05``           of that day, month or year
``Day==3``                 is exactly that, for every key
``Day<3`` ``>=`` …         less, at most, more, at least: as numbers, or as dates where a date is given
``Day IN (1, 2)``          is one of these; ``NOT IN`` for none of them
``name~p\d+d$``            a regular expression is found in it
``Day``                    has a value
``a AND b`` ``a OR b``     both, at least one; ``AND`` binds tighter, parentheses group; upper case only
``NOT a``                  what ``a`` does not select
=========================  =============================================================================

A value may hold spaces and balanced parentheses as it stands (``name=f96 (17)``); one that holds ``=``, ``<``, ``>``
or the word ``AND`` is put into single or double quotes, in which ``\`` goes before a quote or another ``\``. Keys too
may be quoted. A data without a key is like one whose value of it is empty. Regular expressions are those of RE2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Literal, cast

import msgspec

from bioimageit_core.containers import Data, RawData
from bioimageit_core.core.exceptions import DataQueryError
from bioimageit_core.core.query_values import compare, found, has_value, is_date, number_of, same

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "OWN_KEYS",
    "All",
    "And",
    "Compare",
    "Has",
    "In",
    "Not",
    "Operator",
    "Or",
    "Query",
    "fields_of",
    "parse_query",
]

Operator = Literal["=", "==", "!=", "<", "<=", ">", ">=", "~"]

OWN_KEYS = ("name", "author", "date", "format")  # that every data has, whatever the vocabulary of its experiment
MAX_LENGTH = 200_000
MAX_DEPTH = 100

_PLAIN_KEY = re.compile(r"[^\W\d]\w*(?: [^\W\d]\w*)*")
_PLAIN_CONDITION = re.compile(r"(?P<key>[^\W\d]\w*)(?P<operator>==|!=|<=|>=|=|<|>)(?P<value>[\w.+-]+)")
_PLAIN_VALUE = re.compile(r"[\w.+-]+")
_WORDS_OF_THE_LANGUAGE = frozenset({"AND", "OR", "NOT", "IN"})


class Query(msgspec.Struct, frozen=True):  # made in a fifth of a dataclass's time, when a command starts
    """A condition on the fields of a data."""

    @property
    def depth(self) -> int:
        """How deep its conditions are nested."""
        return 1

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether a data with these fields (see `fields_of`) is selected."""
        raise NotImplementedError

    def keys(self) -> set[str]:
        """Name the keys that the query asks for."""
        raise NotImplementedError


class All(Query, frozen=True):
    """Selects everything."""

    def matches(self, fields: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    def keys(self) -> set[str]:
        """Return an empty set."""
        return set()

    def __str__(self) -> str:
        return ""


class Compare(Query, frozen=True):
    """Compares the value of a key.

    Attributes
    ----------
    key
        ``name``, ``author``, ``date``, ``format`` or the key of an annotation.
    op
        ``=`` is 'contains' for ``name`` and 'begins with' for ``date``, else equality; ``!=`` is its negation; ``==``
        is exact; ``<`` ``<=`` ``>`` ``>=`` compare numbers, or dates if `value` is a date or the key is ``date``, and
        are false where the data has none; ``~`` searches a regular expression.
    value
        As written, without its quotes.
    """

    key: str
    op: Operator
    value: str

    def __post_init__(self) -> None:
        """Refuse what can never be compared."""
        if self.op in {"<", "<=", ">", ">="} and number_of(self.value) is None and not is_date(self.value):
            raise DataQueryError(
                f"{self.key}{self.op}… expects a number or a date (2024-05-31) here, not {_shown(self.value)}"
            )
        if self.op == "~":
            found(self.value, "")

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether the value of the key compares as asked."""
        value = fields.get(self.key)
        if self.op == "~":
            return found(self.value, value)
        if self.op == "!=":
            return not same(self.key, value, self.value)
        if self.op == "=":
            return same(self.key, value, self.value)
        if self.op == "==":
            return same("", value, self.value, exact=True)
        return compare(self.key, value, self.op, self.value)

    def keys(self) -> set[str]:
        """Return the key."""
        return {self.key}

    def __str__(self) -> str:
        return f"{_key(self.key)}{self.op}{_value(self.value)}"


class Has(Query, frozen=True):
    """Selects the data that have a value of a key."""

    key: str

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether the key has a value."""
        return has_value(fields.get(self.key))

    def keys(self) -> set[str]:
        """Return the key."""
        return {self.key}

    def __str__(self) -> str:
        return _key(self.key)


class In(Query, frozen=True):
    """Selects the data whose value of a key is one of some; names are compared whole."""

    key: str
    values: tuple[str, ...]

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether the value of the key is one of `values`."""
        value = fields.get(self.key)
        if isinstance(value, str):
            return value.strip() in self._texts
        return any(same("", value, text) for text in self.values)

    @property
    def _texts(self) -> frozenset[str]:
        return _stripped(self.values)

    def keys(self) -> set[str]:
        """Return the key."""
        return {self.key}

    def __str__(self) -> str:
        return f"{_key(self.key)} IN ({', '.join(_value(value) for value in self.values)})"


class _Group(Query, frozen=True, dict=True):
    terms: tuple[Query, ...]

    def __post_init__(self) -> None:
        if len(self.terms) < 2:
            raise DataQueryError(f"{type(self).__name__} joins two conditions or more")
        _ = self.depth

    @cached_property
    def depth(self) -> int:
        """How deep the terms are nested."""
        return _deeper(*self.terms)

    def keys(self) -> set[str]:
        """Return the keys of all terms."""
        return set().union(*(term.keys() for term in self.terms))

    def _joined(self, word: str) -> str:
        return word.join(f"({term})" if isinstance(term, _Group) else str(term) for term in self.terms)


class And(_Group, frozen=True):
    """Selects what all its terms select."""

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether all terms match."""
        return all(term.matches(fields) for term in self.terms)

    def __str__(self) -> str:
        return self._joined(" AND ")


class Or(_Group, frozen=True):
    """Selects what at least one of its terms selects."""

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether one term matches."""
        return any(term.matches(fields) for term in self.terms)

    def __str__(self) -> str:
        return self._joined(" OR ")


class Not(Query, frozen=True, dict=True):
    """Selects what its term does not select."""

    term: Query

    def __post_init__(self) -> None:
        _ = self.depth

    @cached_property
    def depth(self) -> int:
        """How deep the term is nested."""
        return _deeper(self.term)

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Say whether the term does not match."""
        return not self.term.matches(fields)

    def keys(self) -> set[str]:
        """Return the keys of the term."""
        return self.term.keys()

    def __str__(self) -> str:
        return f"NOT ({self.term})"


def parse_query(text: str) -> Query:
    """Parse a query; an empty one selects all.

    Raises
    ------
    DataQueryError
        `text` cannot be understood; it says where and what was expected there.

    Examples
    --------
    >>> query = parse_query("name=f96 (17) AND Day>=3")
    >>> query.matches({"name": "f96 (17)_1.tif", "Day": "4"})
    True
    >>> parse_query("Gene_name IN (p53, p21) OR NOT Day")
    Or(terms=(In(key='Gene_name', values=('p53', 'p21')), Not(term=Has(key='Day'))))
    """
    if not text.strip():
        return All()
    if len(text) > MAX_LENGTH:
        raise DataQueryError(f"a query has at most {MAX_LENGTH} characters, this one has {len(text)}")
    return _parsed(text)


def fields_of(data: Data, origin: RawData | None = None) -> dict[str, Any]:
    """Return what queries ask of a data: its own name, author, date and format, and the annotations of its origin.

    An annotation that is called ``author``, ``date`` or ``format`` goes before the data's own; ``name`` is always the
    name.

    Parameters
    ----------
    origin
        The raw data that `data` was made from; None if `data` is raw, or its origin is not known.
    """
    source = data if origin is None else origin
    fields: dict[str, Any] = {"author": data.author, "date": data.date, "format": data.format}
    pairs = source.key_value_pairs if isinstance(source, RawData) else {}
    fields.update((key, value) for key, value in pairs.items() if key not in fields or has_value(value))
    fields["name"] = data.name
    return fields


@lru_cache(maxsize=64)
def _parsed(text: str) -> Query:
    if plain := _plain(text):
        return plain
    from bioimageit_core.core.query_grammar import parse

    return parse(text)


def _plain(text: str) -> Query | None:
    """Read conditions of one word and one value joined by AND, which nearly all queries are; None for any other.

    The grammar says the same of them, but the library that reads it takes longer to load than such a query to answer.
    """
    terms: list[Query] = []
    for part in text.strip().split(" AND "):
        match = _PLAIN_CONDITION.fullmatch(part)
        if match is None or not _WORDS_OF_THE_LANGUAGE.isdisjoint((match["key"], match["value"])):
            return None
        try:
            terms.append(Compare(match["key"], cast("Operator", match["operator"]), match["value"]))
        except DataQueryError:  # the grammar knows where it stands
            return None
    return terms[0] if len(terms) == 1 else And(tuple(terms))


@lru_cache(maxsize=64)
def _stripped(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value.strip() for value in values)


def _deeper(*terms: Query) -> int:
    depth = 1 + max(term.depth for term in terms)
    if depth > MAX_DEPTH:
        raise DataQueryError(f"conditions may be nested {MAX_DEPTH} deep, not deeper")
    return depth


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and not _WORDS_OF_THE_LANGUAGE.intersection(key.split())
    return key if plain else _quoted(key)


def _value(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) and value not in _WORDS_OF_THE_LANGUAGE else _quoted(value)


def _quoted(text: str) -> str:
    escaped = "".join(_escaped(text))
    return f'"{escaped}"'


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        yield f"\\{character}" if character in '"\\' else character


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:37]}...") if value else "nothing"
