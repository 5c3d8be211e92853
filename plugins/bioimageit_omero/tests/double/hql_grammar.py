"""The grammar of the queries: a part of HQL, read by lark; anything else is a syntax error."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import LarkError

from .store import StoreError

__all__ = ["Join", "Query", "Source", "parse"]

GRAMMAR = r"""
query: select? _from where? group? having? order?

_from: FROM source ("," source)*
source: path [[AS] NAME] join*
join: [LEFT [OUTER] | INNER] JOIN [FETCH] path [[AS] NAME] [WITH or_expr]

select: SELECT [DISTINCT] item ("," item)*
item: or_expr [AS NAME]
    | NEW MAP "(" item ("," item)* ")" -> new_map
where: WHERE or_expr
group: GROUP BY or_expr ("," or_expr)*
having: HAVING or_expr
order: ORDER BY key ("," key)*
key: or_expr [ASC | DESC]

?or_expr: and_expr (OR and_expr)*
?and_expr: not_expr (AND not_expr)*
?not_expr: NOT not_expr -> negation
         | comparison
?comparison: joined
    | joined OP joined -> compare
    | joined OP (ALL | ANY | SOME) in_list -> quantified
    | joined [NOT] IN in_list -> is_in
    | joined [NOT] LIKE joined [ESCAPE STRING] -> like
    | joined [NOT] BETWEEN joined AND joined -> between
    | joined IS [NOT] NULL -> is_null
    | joined IS [NOT] EMPTY -> is_empty
    | joined [NOT] MEMBER [OF] path -> is_member
    | EXISTS in_list -> exists
in_list: "(" or_expr ("," or_expr)* ")"
    | "(" query ")" -> in_query
    | PARAM -> in_param
    | ELEMENTS "(" path ")" -> in_elements
?joined: sum (CONCAT sum)*
?sum: product (PLUSMINUS product)*
?product: atom ((TIMES | STAR) atom)*
?atom: path
    | PLUSMINUS atom -> signed
    | NUMBER -> number
    | STRING -> string
    | PARAM -> param
    | TRUE -> true
    | FALSE -> false
    | NULL -> null
    | NAME "(" [DISTINCT] or_expr ("," or_expr)* ")" -> call
    | NAME "(" STAR ")" -> call_all
    | CAST "(" or_expr AS NAME ")" -> cast
    | CASE (WHEN or_expr THEN or_expr)+ [ELSE or_expr] END -> case
    | CASE or_expr (WHEN or_expr THEN or_expr)+ [ELSE or_expr] END -> simple_case
    | "(" or_expr ")"
    | "(" query ")" -> subquery
path: NAME ("." NAME)*

SELECT.3: /select\b/i
DISTINCT.3: /distinct\b/i
FROM.3: /from\b/i
AS.3: /as\b/i
LEFT.3: /left\b/i
OUTER.3: /outer\b/i
INNER.3: /inner\b/i
JOIN.3: /join\b/i
FETCH.3: /fetch\b/i
WITH.3: /with\b/i
WHERE.3: /where\b/i
GROUP.3: /group\b/i
HAVING.3: /having\b/i
ORDER.3: /order\b/i
BY.3: /by\b/i
ASC.3: /asc\b/i
DESC.3: /desc\b/i
OR.3: /or\b/i
AND.3: /and\b/i
NOT.3: /not\b/i
IN.3: /in\b/i
LIKE.3: /like\b/i
BETWEEN.3: /between\b/i
IS.3: /is\b/i
NULL.3: /null\b/i
EXISTS.3: /exists\b/i
NEW.3: /new\b/i
MAP.3: /map\b/i
TRUE.3: /true\b/i
FALSE.3: /false\b/i
CASE.3: /case\b/i
WHEN.3: /when\b/i
THEN.3: /then\b/i
ELSE.3: /else\b/i
END.3: /end\b/i
ALL.3: /all\b/i
ANY.3: /any\b/i
SOME.3: /some\b/i
ESCAPE.3: /escape\b/i
EMPTY.3: /empty\b/i
MEMBER.3: /member\b/i
OF.3: /of\b/i
ELEMENTS.3: /elements\b/i
CAST.3: /cast\b/i
CONCAT: "||"
OP: "<=" | ">=" | "<>" | "!=" | "=" | "<" | ">"
PLUSMINUS: "+" | "-"
TIMES: "/"
STAR: "*"
PARAM: /:[A-Za-z_]\w*/
STRING: /'(?:[^']|'')*'/
NUMBER: /\d+(\.\d+)?(e[+-]?\d+)?[lfd]?\b/i
NAME: /[A-Za-z_]\w*/
%ignore /\s+/
"""

Expression = tuple[Any, ...]
"""An operator and its operands: ``("path", ["obj", "name"])``, ``("=", left, right)``, ``("call", "count", …)``."""


@dataclass
class Join:
    """One join: ``left join fetch obj.annotationLinks as l``."""

    path: list[str]
    alias: str
    is_outer: bool
    is_fetched: bool
    condition: Expression | None = None


@dataclass
class Source:
    """One thing in ``from``, and the joins that follow it."""

    path: list[str]
    alias: str
    joins: list[Join]


@dataclass
class Query:
    """A whole query."""

    sources: list[Source]
    items: list[tuple[Expression, str]]
    is_distinct: bool = False
    is_map: bool = False
    where: Expression | None = None
    groups: list[Expression] | None = None
    having: Expression | None = None
    orders: list[tuple[Expression, bool]] | None = None


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, Token) and value.type == kind


class _Builder(Transformer[Token, Any]):
    """Makes the classes above from the parse tree."""

    def query(self, parts: list[Any]) -> Query:
        made = Query([], [])
        for part in parts:
            if isinstance(part, Source):
                made.sources.append(part)
            elif isinstance(part, dict):
                for name, value in part.items():
                    setattr(made, name, value)
        made.items = made.items or [(("path", [made.sources[0].alias]), "")]
        return made

    def source(self, parts: list[Any]) -> Source:
        joins = [p for p in parts if isinstance(p, Join)]
        alias = next((str(p) for p in parts[1:] if _is(p, "NAME")), parts[0][1][-1])
        return Source(parts[0][1], alias, joins)

    def join(self, parts: list[Any]) -> Join:
        path = next(p[1] for p in parts if isinstance(p, tuple))
        after = parts[next(i for i, p in enumerate(parts) if isinstance(p, tuple)) + 1 :]
        alias = next((str(p) for p in after if _is(p, "NAME")), ".".join(path))
        condition = next((p for p in after if isinstance(p, tuple)), None)
        return Join(path, alias, any(_is(p, "LEFT") for p in parts), any(_is(p, "FETCH") for p in parts), condition)

    def select(self, parts: list[Any]) -> dict[str, Any]:
        distinct = any(_is(p, "DISTINCT") for p in parts)
        items = [p for p in parts if isinstance(p, tuple)]
        if len(items) == 1 and items[0][0] == "map":
            return {"items": items[0][1], "is_distinct": distinct, "is_map": True}
        return {"items": items, "is_distinct": distinct}

    def item(self, parts: list[Any]) -> tuple[Expression, str]:
        return parts[0], next((str(p) for p in parts[1:] if _is(p, "NAME")), "")

    def new_map(self, parts: list[Any]) -> tuple[str, list[Any]]:
        return "map", [p for p in parts if isinstance(p, tuple)]

    def where(self, parts: list[Any]) -> dict[str, Any]:
        return {"where": parts[-1]}

    def having(self, parts: list[Any]) -> dict[str, Any]:
        return {"having": parts[-1]}

    def group(self, parts: list[Any]) -> dict[str, Any]:
        return {"groups": [p for p in parts if isinstance(p, tuple)]}

    def order(self, parts: list[Any]) -> dict[str, Any]:
        return {"orders": [p for p in parts if isinstance(p, tuple)]}

    def key(self, parts: list[Any]) -> tuple[Expression, bool]:
        return parts[0], any(_is(p, "DESC") for p in parts)

    def or_expr(self, parts: list[Any]) -> Expression:
        return ("or", *[p for p in parts if isinstance(p, tuple)])

    def and_expr(self, parts: list[Any]) -> Expression:
        return ("and", *[p for p in parts if isinstance(p, tuple)])

    def negation(self, parts: list[Any]) -> Expression:
        return ("not", parts[-1])

    def compare(self, parts: list[Any]) -> Expression:
        return ({"<>": "!="}.get(str(parts[1]), str(parts[1])), parts[0], parts[2])

    def is_in(self, parts: list[Any]) -> Expression:
        made = ("in", parts[0], parts[-1])
        return ("not", made) if any(_is(p, "NOT") for p in parts) else made

    def in_list(self, parts: list[Any]) -> Expression:
        return ("list", *parts)

    def in_query(self, parts: list[Any]) -> Expression:
        return ("query", parts[0])

    def in_param(self, parts: list[Any]) -> Expression:
        return ("list", ("param", str(parts[0])[1:]))

    def in_elements(self, parts: list[Any]) -> Expression:
        return ("elements", parts[-1][1])

    def quantified(self, parts: list[Any]) -> Expression:
        operator = {"<>": "!="}.get(str(parts[1]), str(parts[1]))
        return ("quantified", operator, parts[0], _is(parts[2], "ALL"), parts[3])

    def like(self, parts: list[Any]) -> Expression:
        value, pattern = [p for p in parts if isinstance(p, tuple)]
        escape = str(parts[-1])[1:-1] if _is(parts[-1], "STRING") else "\\"
        made = ("like", value, pattern, escape)
        return ("not", made) if any(_is(p, "NOT") for p in parts) else made

    def between(self, parts: list[Any]) -> Expression:
        value, low, high = [p for p in parts if isinstance(p, tuple)]
        made = ("and", (">=", value, low), ("<=", value, high))
        return ("not", made) if any(_is(p, "NOT") for p in parts) else made

    def is_null(self, parts: list[Any]) -> Expression:
        made = ("null?", parts[0])
        return ("not", made) if any(_is(p, "NOT") for p in parts) else made

    def is_empty(self, parts: list[Any]) -> Expression:
        made = ("=", ("size", parts[0][1]), ("value", 0))
        return ("not", made) if any(_is(p, "NOT") for p in parts) else made

    def is_member(self, parts: list[Any]) -> Expression:
        made = ("in", parts[0], ("elements", parts[-1][1]))
        return ("not", made) if any(_is(p, "NOT") for p in parts) else made

    def exists(self, parts: list[Any]) -> Expression:
        return ("exists", parts[-1])

    def joined(self, parts: list[Any]) -> Expression:
        return ("call", "concat", False, *[p for p in parts if isinstance(p, tuple)])

    def signed(self, parts: list[Any]) -> Expression:
        return ("arithmetic", str(parts[0]), ("value", 0), parts[1])

    def cast(self, parts: list[Any]) -> Expression:
        return ("call", f"cast as {str(parts[-1]).lower()}", False, parts[1])

    def sum(self, parts: list[Any]) -> Expression:
        return self._chain(parts)

    def product(self, parts: list[Any]) -> Expression:
        return self._chain(parts)

    def _chain(self, parts: list[Any]) -> Expression:
        made = parts[0]
        for sign, operand in zip(parts[1::2], parts[2::2], strict=True):
            made = ("arithmetic", str(sign), made, operand)
        return made

    def path(self, parts: list[Any]) -> Expression:
        return ("path", [str(p) for p in parts])

    def number(self, parts: list[Any]) -> Expression:
        text = str(parts[0]).lower()
        is_whole = text.removesuffix("l").isdigit()
        return ("value", int(text.removesuffix("l")) if is_whole else float(text.rstrip("fd")))

    def string(self, parts: list[Any]) -> Expression:
        return ("value", str(parts[0])[1:-1].replace("''", "'"))

    def param(self, parts: list[Any]) -> Expression:
        return ("param", str(parts[0])[1:])

    def true(self, _: list[Any]) -> Expression:
        return ("value", True)

    def false(self, _: list[Any]) -> Expression:
        return ("value", False)

    def null(self, _: list[Any]) -> Expression:
        return ("value", None)

    def call(self, parts: list[Any]) -> Expression:
        distinct = any(_is(p, "DISTINCT") for p in parts)
        return ("call", str(parts[0]).lower(), distinct, *[p for p in parts if isinstance(p, tuple)])

    def call_all(self, parts: list[Any]) -> Expression:
        return ("call", str(parts[0]).lower(), False)

    def case(self, parts: list[Any]) -> Expression:
        operands = [p for p in parts if isinstance(p, tuple)]
        has_else = any(_is(p, "ELSE") for p in parts)
        pairs = operands[:-1] if has_else else operands
        return ("case", list(zip(pairs[::2], pairs[1::2], strict=True)), operands[-1] if has_else else ("value", None))

    def simple_case(self, parts: list[Any]) -> Expression:
        value, *operands = [p for p in parts if isinstance(p, tuple)]
        has_else = any(_is(p, "ELSE") for p in parts)
        pairs = operands[:-1] if has_else else operands
        cases = [(("=", value, when), then) for when, then in zip(pairs[::2], pairs[1::2], strict=True)]
        return ("case", cases, operands[-1] if has_else else ("value", None))

    def subquery(self, parts: list[Any]) -> Expression:
        return ("scalar", parts[0])


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="query", parser="lalr", maybe_placeholders=False)


def parse(text: str) -> Query:
    """Read a query.

    Raises
    ------
    StoreError
        A ``QueryException``: it is not in the part of HQL that is known here.
    """
    try:
        made: Query = _Builder().transform(_parser().parse(text))
    except LarkError as error:
        raise StoreError("QueryException", f"cannot read the query {text!r}: {error}") from error
    return made
