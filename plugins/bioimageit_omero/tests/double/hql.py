"""An interpreter of queries over the store: joins row by row, three-valued logic, groups, order, fetched paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from .graph import SMALL_INTEGERS, Loader
from .hql_grammar import Expression, Join, Query, Source, parse
from .hql_values import Environment, Evaluation, Pair, hashable, sortable, unique
from .model import CLASSES, class_named
from .store import Caller, Quantity, Row, Store, StoreError

__all__ = ["Interpreter", "Page"]

_DETAILS = {"owner": "Experimenter", "group": "ExperimenterGroup", "creationEvent": "Event", "updateEvent": "Event"}


@dataclass(frozen=True)
class Page:
    """Which of the results are wanted, and whose."""

    offset: int = 0
    limit: int = 0


class Interpreter(Evaluation):
    """Answers queries for one call."""

    def __init__(self, store: Store, caller: Caller, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(store, parameters)
        self.caller = caller

    def objects(self, text: str, page: Page) -> list[Any]:
        """Answer a query for objects; what it fetches is loaded."""
        query = parse(text)
        if len(query.items) != 1 or query.is_map:
            raise StoreError("QueryException", "a query for objects selects one thing")
        loader = Loader(self.store, self.caller)
        chosen = self._chosen(query)
        rows: list[Row] = []
        for values, environment in chosen:
            if values[0] is not None and not isinstance(values[0], Row):
                raise StoreError("QueryException", f"{text!r} selects a value, not an object")
            if values[0] is None:
                continue
            rows.append(values[0])
            self._fetch(query, environment, loader)
        if query.is_distinct or any(join.is_fetched for source in query.sources for join in source.joins):
            rows = list({id(row): row for row in rows}.values())  # before the page is cut, as Hibernate does it
        return [loader.load(row) for row in self._cut(rows, page)]

    def table(self, text: str, page: Page) -> list[list[Any]]:
        """Answer a query for values."""
        query = parse(text)
        loader = Loader(self.store, self.caller)
        rows = [[self._value_of(v, loader) for v in values] for values, _ in self._chosen(query)]
        if query.is_map:
            rows = [[dict(zip([name for _, name in query.items], row, strict=True))] for row in rows]
        if query.is_distinct:
            rows = [row for i, row in enumerate(rows) if row not in rows[:i]] if len(rows) < 500 else unique(rows)
        return self._cut(rows, page)

    def _value_of(self, value: Any, loader: Loader) -> Any:
        if isinstance(value, Row):
            return loader.load(value)
        if isinstance(value, Quantity):
            return value.value
        return value

    def _cut(self, rows: list[Any], page: Page) -> list[Any]:
        return rows[page.offset : page.offset + page.limit if page.limit else None]

    # rows

    def _chosen(self, query: Query, outer: Environment | None = None) -> list[tuple[list[Any], Environment]]:
        found = [e for e in self._environments(query, outer or {}) if self._holds(query.where, e)]
        expressions = [e for e, _ in query.items]
        if query.groups is not None or any(self._has_aggregate(e) for e in expressions):
            return self._grouped(query, found, outer or {})
        orders = self._orders(query)
        if orders:
            found = self._ordered(found, [(lambda e, x=x: self.value(x, e), d) for x, d in orders])
        return [([self.value(x, e) for x in expressions], e) for e in found]

    def _grouped(
        self, query: Query, found: list[Environment], outer: Environment
    ) -> list[tuple[list[Any], Environment]]:
        groups: dict[Any, list[Environment]] = {}
        if query.groups is None:
            groups[()] = found
        for environment in found if query.groups is not None else []:
            key = tuple(hashable(self.value(x, environment)) for x in query.groups or [])
            groups.setdefault(key, []).append(environment)
        kept = [m for m in groups.values() if query.having is None or self.value(query.having, m[0], m) is True]
        orders = self._orders(query)
        if orders:
            kept = self._ordered(kept, [(lambda m, x=x: self.value(x, m[0], m), d) for x, d in orders])
        return [([self.value(x, m[0] if m else outer, m) for x, _ in query.items], m[0] if m else outer) for m in kept]

    def _orders(self, query: Query) -> list[tuple[Expression, bool]]:
        """Give what the results are ordered by; the name of what is selected stands for it."""
        named = {name: expression for expression, name in query.items if name}
        return [
            (named.get(x[1][0], x) if x[0] == "path" and len(x[1]) == 1 else x, is_descending)
            for x, is_descending in query.orders or []
        ]

    def _ordered(self, found: list[Any], keys: list[tuple[Callable[[Any], Any], bool]]) -> list[Any]:
        def compare(left: Any, right: Any) -> int:
            for key, descending in keys:
                a, b = sortable(key(left)), sortable(key(right))
                if a != b:
                    return (-1 if a < b else 1) * (-1 if descending else 1)
            return 0

        return sorted(found, key=cmp_to_key(compare))

    def _environments(self, query: Query, outer: Environment) -> Iterator[Environment]:
        found: Iterator[Environment] = iter([dict(outer)])
        for source in query.sources:
            found = self._sourced(source, query, found)
        return found

    def _sourced(self, source: Source, query: Query, before: Iterator[Environment]) -> Iterator[Environment]:
        for environment in before:
            if source.path[0] in environment and len(source.path) > 1:
                candidates = self._targets(source.path, environment)
            else:
                candidates = self._candidates(source, query, environment)
            for row in candidates:
                yield from self._joined(source.joins, {**environment, source.alias: row})

    def _candidates(self, source: Source, query: Query, environment: Environment) -> list[Row]:
        try:
            name = class_named(".".join(source.path)).name
        except LookupError as error:
            raise StoreError("QueryException", f"{'.'.join(source.path)} is not mapped") from error
        narrowed = self._narrowed(name, source, query.where, environment)
        rows = list(self.store.all(name)) if narrowed is None else narrowed
        return self.store.visible(self.caller, rows)

    def _narrowed(
        self, name: str, source: Source, where: Expression | None, environment: Environment
    ) -> list[Row] | None:
        """Find the rows that a condition on an identity leaves, without looking at all; None where there is none.

        The condition may be on the source itself, or on something that is joined to it: then the joins are followed
        backwards. Every condition is looked at again afterwards; this only saves time.
        """
        aliases: dict[str, tuple[str, list[tuple[str, str]]]] = {source.alias: (name, [])}
        for join in source.joins:
            before = aliases.get(join.path[0])
            if join.is_outer or before is None or len(join.path) != 2:
                continue
            field = CLASSES[before[0]].fields.get(join.path[1])
            if field is not None and field.kind in ("reference", "collection"):
                aliases[join.alias] = (field.type, [*before[1], (before[0], join.path[1])])
        for condition in where[1:] if where is not None and where[0] == "and" else [where]:
            if condition is None or condition[0] not in ("=", "in") or condition[1][0] != "path":
                continue
            path = condition[1][1]
            if path[0] not in aliases or not self._is_known(condition[2], environment):
                continue
            cls, steps = aliases[path[0]]
            found = self._with_identity(cls, path[1:], self._wanted(condition, environment))
            if found is not None:
                for owner, step in reversed(steps):
                    found = self._backwards(found, owner, step)
                return sorted({row.id: row for row in found}.values(), key=lambda row: row.id)
        return None

    def _is_known(self, expression: Expression, environment: Environment) -> bool:
        if expression[0] == "list":
            return all(self._is_known(item, environment) for item in expression[1:])
        return expression[0] in ("param", "value") or (expression[0] == "path" and expression[1][0] in environment)

    def _wanted(self, condition: Expression, environment: Environment) -> list[Any]:
        is_list = condition[0] == "in"
        found = self._list(condition[2], environment) if is_list else [self.value(condition[2], environment)]
        return list(dict.fromkeys(w.id if isinstance(w, Row) else w for w in found))

    def _with_identity(self, cls: str, path: list[str], wanted: list[Any]) -> list[Row] | None:
        if path == ["id"]:
            return [row for row in (self.store.find(cls, w) for w in wanted) if row is not None]
        field = CLASSES[cls].fields.get(path[0]) if path else None
        if field is None or field.kind != "reference" or path[1:] not in ([], ["id"]):
            return None
        root = CLASSES[field.type].root
        return [row for w in wanted for row in self.store.referring((root, w), cls, path[0])]

    def _backwards(self, rows: list[Row], owner: str, step: str) -> list[Row]:
        field = CLASSES[owner].fields[step]
        if field.kind == "reference":
            return [found for row in rows for found in self.store.referring(row.reference, owner, step)]
        targets = [row.values.get(field.inverse) for row in rows]
        found = [self.store.find(owner, target[1]) for target in targets if target is not None]
        return [row for row in found if row is not None]

    def _joined(self, joins: list[Join], environment: Environment) -> Iterator[Environment]:
        if not joins:
            yield environment
            return
        join = joins[0]
        matched = False
        for target in self._targets(join.path, environment):
            new = {**environment, join.alias: target}
            if join.condition is None or self._holds(join.condition, new):
                matched = True
                yield from self._joined(joins[1:], new)
        if not matched and join.is_outer:
            yield from self._joined(joins[1:], {**environment, join.alias: None})

    def _targets(self, path: list[str], environment: Environment) -> list[Any]:
        owner = self._walk(path[:-1], environment)
        if owner is None:
            return []
        if isinstance(owner, tuple):
            detail = self._step(owner, path[-1])
            return [] if detail is None else [detail]
        if not isinstance(owner, Row):
            raise StoreError("QueryException", f"cannot join {'.'.join(path)}")
        field = owner.model.fields.get(path[-1])
        if field is not None and field.kind == "collection":
            return self.store.visible(self.caller, self.store.referring(owner.reference, field.type, field.inverse))
        if field is not None and field.kind == "values":
            return [Pair(n, v, i) for i, (n, v) in enumerate(owner.values.get(path[-1]) or [])]
        target = self._step(owner, path[-1])
        if target is None:
            return []
        if isinstance(target, Row) and not self.store.is_visible(self.caller, target):
            return []
        return [target]

    def _elements(self, path: list[str], environment: Environment) -> list[Any]:
        full = path if path[0] in environment else [*self._unqualified(path[0], environment), *path]
        return self._targets(full, environment)

    def _unqualified(self, name: str, environment: Environment) -> list[str]:
        """Find the alias whose property is named without one."""
        found = [a for a, v in environment.items() if isinstance(v, Row) and name in v.model.fields]
        if not found:
            raise StoreError("QueryException", f"nothing is named {name!r} in this query")
        return found[-1:]

    def _fetch(self, query: Query, environment: Environment, loader: Loader) -> None:
        for source in query.sources:
            for join in source.joins:
                if not join.is_fetched:
                    continue
                owner: Any = environment.get(join.path[0])
                for name in join.path[1:-1]:
                    if owner is not None and name != "details":
                        loader.attach(owner, name, self._step(owner, name))
                        owner = self._step(owner, name)
                if isinstance(owner, Row):
                    target = environment.get(join.alias)
                    if not isinstance(target, Pair):
                        loader.attach(owner, join.path[-1], target)

    # values

    def _walk(self, path: list[str], environment: Environment) -> Any:
        if path[0] in environment:
            value, rest = environment[path[0]], path[1:]
        else:
            rows = [v for v in environment.values() if isinstance(v, Row) and path[0] in v.model.fields]
            if not rows:
                if len(path) == 1 and path[0] in CLASSES:
                    return path[0]
                raise StoreError("QueryException", f"nothing is named {path[0]!r} in this query")
            value, rest = rows[-1], path
        if len(rest) > 1 and rest[-1] == "size" and isinstance(owner := self._walk(path[:-2], environment), Row):
            field = owner.model.fields.get(rest[-2])
            if field is not None and field.kind == "collection":
                return len(self._elements(path[:-1], environment))
        for name in rest:
            value = self._step(value, name)
        return value

    def _step(self, value: Any, name: str) -> Any:
        if value is None:
            return None
        if isinstance(value, Pair) and name in ("name", "value"):
            return getattr(value, name)
        if isinstance(value, Quantity) and name in ("value", "unit"):
            return getattr(value, name)
        if isinstance(value, tuple) and value[0] == "details" and name == "externalInfo":
            return None  # the double keeps none
        if isinstance(value, tuple) and value[0] == "details" and name in _DETAILS:
            return self._detail(value[1], name)
        if not isinstance(value, Row):
            raise StoreError("QueryException", f"cannot dereference {name!r}")
        if name == "id":
            return value.id
        if name == "version":
            return value.version
        if name == "class":
            return value.cls
        if name == "details":
            return ("details", value)
        field = value.model.fields.get(name)
        if field is None:
            # a property of a class that inherits from the one that is asked for, as Hibernate permits in some places
            if any(name in c.fields for c in CLASSES.values() if c.root == value.model.root):
                return None
            raise StoreError("QueryException", f"could not resolve property: {name} of: {value.cls}")
        if field.kind == "collection":
            raise StoreError("QueryException", f"illegal attempt to dereference collection {value.cls}.{name}")
        stored = value.values.get(name)
        if field.kind == "reference":
            return None if stored is None else self.store.get(stored)
        if stored is not None and field.type in SMALL_INTEGERS:
            return SMALL_INTEGERS[field.type](stored)
        return stored

    def _detail(self, row: Row, name: str) -> Row | None:
        ids = {"owner": row.owner, "group": row.group, "creationEvent": row.created, "updateEvent": row.updated}
        return self.store.find(_DETAILS[name], ids[name])

    def _holds(self, condition: Expression | None, environment: Environment) -> bool:
        return condition is None or self.value(condition, environment) is True
