r"""The grammar of the query language, and what is said where a text does not keep it.

Keys and values may stand unquoted with blanks and balanced parentheses in them, so blanks are not given to the grammar
and words are told apart by where they stand: ``AND`` is a word of the language only after a blank or a closing
parenthesis, and ``IN`` only before an opening one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from bioimageit_core.core.exceptions import DataQueryError
from bioimageit_core.core.query import And, Compare, Has, In, Not, Or, Query

__all__ = ["parse"]

_GRAMMAR = r"""
?start: either
?either: both (OR both)*
?both: negation (AND negation)*
?negation: NOT negation -> not_
         | "(" either ")"
         | condition
condition: key
         | key OPERATOR
         | key OPERATOR value
         | key IN "(" [item ("," item)*] ")"
         | key NOT_IN "(" [item ("," item)*] ")" -> excluded

key: QUOTED | KEY_START (KEY_WORD | key_nested)*
value: QUOTED | (VALUE_START | nested) (VALUE_WORD | nested)*
item: QUOTED | (ITEM_START | item_nested) (ITEM_WORD | item_nested)*
key_nested: "(" (KEY_WORD | key_nested)* ")"
nested: "(" (VALUE_WORD | nested)* ")"
item_nested: "(" (ITEM_WORD | item_nested)* ")"

OPERATOR.3: "==" | "!=" | "<=" | ">=" | "=" | "<" | ">" | "~"
AND.3: /(?<=[\s)])AND(?=[\s("']|$)/
OR.3: /(?<=[\s)])OR(?=[\s("']|$)/
NOT.3: /NOT(?=[\s("']|$)/
IN.3: /(?<=[\s"'])IN(?=\s*\()/
NOT_IN.4: /(?<=[\s"'])NOT\s+IN(?=\s*\()/
QUOTED.2: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s

KEY_START: /(?!(?:AND|OR)(?:\s+[^\s=<>~!]|\s*$))(?:[^\s()<>=!~"']|!(?!=))(?:[^\s()<>=!~]|!(?!=))*/
KEY_WORD: /(?:[^\s()<>=!~]|!(?!=))+/
VALUE_START: /[^\s()<>="'][^\s()<>=]*/
VALUE_WORD: /[^\s()<>=]+/
ITEM_START: /[^\s()<>=,"'][^\s()<>=,]*/
ITEM_WORD: /[^\s()<>=,]+/

BLANK: /\s+/
%ignore BLANK
"""

_JOINING_WORD = re.compile(r"\b(and|or|not|in)(?=\s|\(|$)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([\\'\"])")


def parse(text: str) -> Query:
    """Parse a query that is not empty.

    Raises
    ------
    DataQueryError
        It does not keep the grammar, or holds something that can never be compared.
    """
    try:
        tree = _parser().parse(text)
        query: Query = _Builder(text).transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, DataQueryError):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    except RecursionError:
        raise DataQueryError("the query is nested too deeply", text, 0) from None
    return query


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=False)


class _Builder(Transformer[Token, Query]):
    """Makes the nodes of a query; keys and values are slices of the text, so that their blanks stay."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    @v_args(meta=True)
    def key(self, meta: Any, children: list[Any]) -> tuple[str, int, bool]:
        return self._slice(meta, children)

    value = item = key

    def condition(self, children: list[Any]) -> Query:
        key, *rest = children
        if not rest:
            return self._has(*key)
        operator, *values = rest
        if operator.type == "IN":
            return In(key[0], tuple(value[0] for value in values))
        value, start, is_quoted = values[0] if values else ("", operator.end_pos, False)
        try:
            return Compare(key[0], str(operator), value)  # type: ignore[arg-type]
        except DataQueryError as error:
            offset = max(error.position, 0) + is_quoted
            raise DataQueryError(error.message, self._text, start + offset) from None

    def _has(self, key: str, start: int, is_quoted: bool) -> Query:
        word = None if is_quoted else _JOINING_WORD.search(key)
        if word:
            said = f"conditions are joined with AND, OR, NOT and IN (a, b) in upper case; a key with the word {word[1]}"
            raise DataQueryError(f"{said} in it must be quoted", self._text, start + word.start(1))
        return Has(key)

    def excluded(self, children: list[Any]) -> Query:
        return Not(In(children[0][0], tuple(value[0] for value in children[2:])))

    def not_(self, children: list[Any]) -> Query:
        return self._placed(children[0].start_pos, Not, children[1])

    def both(self, children: list[Any]) -> Query:
        return self._placed(children[1].start_pos, And, tuple(children[::2]))

    def either(self, children: list[Any]) -> Query:
        return self._placed(children[1].start_pos, Or, tuple(children[::2]))

    def _placed(self, position: int, node: Any, terms: Any) -> Query:
        try:
            made: Query = node(terms)
        except DataQueryError as error:
            raise DataQueryError(error.message, self._text, position) from None
        return made

    def _slice(self, meta: Any, children: list[Any]) -> tuple[str, int, bool]:
        text = self._text[meta.start_pos : meta.end_pos]
        if len(children) == 1 and isinstance(children[0], Token) and children[0].type == "QUOTED":
            return _ESCAPE.sub(r"\1", text[1:-1]), meta.start_pos, True
        return text, meta.start_pos, False


def _explained(text: str, error: UnexpectedInput) -> DataQueryError:
    position = error.pos_in_stream
    at_end = False
    expected: set[str] = set()
    if isinstance(error, UnexpectedToken):
        at_end, expected = error.token.type == "$END", set(error.accepts or error.expected)
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
    if position is None or at_end or not 0 <= position < len(text):
        position = len(text.rstrip())
    found = text[position : position + 1]
    if found in {'"', "'"} and "QUOTED" in expected:
        return DataQueryError(f"this quote is not closed; expected {found} after it", text, position)
    message = f"expected {_expected(expected)} here"
    if found in {"<", ">", "="} and "VALUE_WORD" in expected:
        message = f"a value with {found!r} in it must be quoted; to join conditions, write AND or OR in upper case"
    elif found == ")" and not expected & {"RPAR", "ITEM_START"}:
        message = f"this parenthesis was not opened; expected {_expected(expected)}"
    elif not found and "RPAR" in expected and not expected & {"QUOTED"}:
        message = "a parenthesis is not closed; expected ')' here"
    return DataQueryError(message, text, position)


def _expected(terminals: set[str]) -> str:
    if "KEY_START" in terminals:
        return "a condition, such as key=value,"
    if "ITEM_START" in terminals:
        return "a value or ')'" if "RPAR" in terminals else "a value"
    if "VALUE_START" in terminals:
        return "a value"
    names = {
        "OPERATOR": "a comparison (= == != < <= > >= ~ IN)",
        "COMMA": "','",
        "AND": "AND",
        "OR": "OR",
        "LPAR": "'('" if "KEY_WORD" not in terminals and "VALUE_WORD" not in terminals else "",
        "RPAR": "')'",
        "$END": "the end",
    }
    said = [names[terminal] for terminal in names if terminal in terminals and names[terminal]]
    return " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "something else"
