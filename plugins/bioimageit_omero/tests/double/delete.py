"""What goes when something is deleted: its links, what cannot be without it, and annotations that nothing else has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .model import CLASSES, is_a
from .store import Caller, Row, Store, StoreError

__all__ = ["delete"]

_OWNED = {"file", "logicalChannel", "statsInfo"}
"""References whose target goes with the last that refers to it."""


def delete(
    store: Store, caller: Caller, targets: dict[str, list[int]], options: Sequence[Any], *, is_dry: bool = False
) -> dict[str, list[int]]:
    """Delete rows, and say which were deleted, by class.

    `options` are ``ChildOption``: types that orphans are kept of, or not.
    """
    doomed: dict[tuple[str, int], Row] = {}
    for cls, ids in targets.items():
        for id_ in ids:
            row = store.find(cls, id_)
            if row is None or not store.is_visible(caller, row):
                raise StoreError("ValidationException", f"no row {cls}:{id_} to delete")
            _visit(store, row, options, doomed)
    for row in doomed.values():
        if not store.can_edit(caller, row):
            raise StoreError("SecurityViolation", f"user {caller.user} may not delete {row.cls}:{row.id}")
    if not is_dry:
        for row in reversed(list(doomed.values())):
            for (root, name), ids in list(store.referrers.get(row.reference, {}).items()):
                for id_ in list(ids):
                    other = store.rows[root][id_]
                    if other.reference not in doomed:
                        store.set(other, name, None)
        for row in reversed(list(doomed.values())):
            store.remove(row)
    found: dict[str, list[int]] = {}
    for row in doomed.values():
        found.setdefault(row.cls, []).append(row.id)
    return found


def _visit(store: Store, row: Row, options: Sequence[Any], doomed: dict[tuple[str, int], Row]) -> None:
    if row.reference in doomed:
        return
    doomed[row.reference] = row
    orphans: list[Row] = []
    for (root, name), ids in list(store.referrers.get(row.reference, {}).items()):
        for other in [store.rows[root][i] for i in list(ids)]:
            if other.model.is_link or CLASSES[other.cls].name.endswith("Link"):
                doomed[other.reference] = other
                if name == "parent":
                    orphans.append(store.get(other.values["child"]))
            elif other.model.fields[name].is_required:
                _visit(store, other, options, doomed)
    for name, value in row.values.items():
        if name in _OWNED and value is not None:
            orphans.append(store.get(value))
    for orphan in orphans:
        if not _is_kept(orphan, options) and not _is_needed(store, orphan, doomed):
            _visit(store, orphan, options, doomed)


def _is_needed(store: Store, row: Row, doomed: dict[tuple[str, int], Row]) -> bool:
    for (root, name), ids in store.referrers.get(row.reference, {}).items():
        for id_ in ids:
            other = store.rows[root][id_]
            is_user = name == "child" or name in _OWNED
            if is_user and other.reference not in doomed:
                return True
    return False


def _is_kept(row: Row, options: Sequence[Any]) -> bool:
    for option in options:
        if any(is_a(row.cls, t) for t in option.includeType or []):
            return False
        if any(is_a(row.cls, t) for t in option.excludeType or []):
            return True
    return False
