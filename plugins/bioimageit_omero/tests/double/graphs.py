"""What is deleted, moved or given away together: links, what cannot be without it, and annotations nothing else has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .model import CLASSES, is_a
from .store import PERMISSIONS, Caller, Reference, Row, Store, StoreError

__all__ = ["change_permissions", "delete", "give", "move"]

_OWNED = {"file", "logicalChannel", "statsInfo"}
"""References whose target goes with the last that refers to it."""

Targets = dict[str, list[int]]


def delete(store: Store, caller: Caller, targets: Targets, options: Sequence[Any], *, is_dry: bool = False) -> Targets:
    """Delete rows, and say which were deleted, by class.

    Who may delete an object may delete the links of others to it; annotations of others stay. `options` are
    ``ChildOption``: types that orphans are kept of, or not.
    """
    doomed = _closure(store, caller, targets, options)
    for row in doomed.values():
        if not row.model.is_link and not store.can_edit(caller, row):
            raise StoreError("SecurityViolation", f"user {caller.user} may not delete {row.cls}:{row.id}")
    if not is_dry:
        _cut(store, doomed)
        for row in reversed(list(doomed.values())):
            store.remove(row)
    return _by_class(doomed)


def move(store: Store, caller: Caller, targets: Targets, group: int, options: Sequence[Any]) -> Targets:
    """Move rows to another group, and say which; links to what stays behind go."""
    if group not in store.groups_of(caller.user) and not caller.is_admin:
        raise StoreError("SecurityViolation", f"user {caller.user} is not a member of group {group}")
    moved = _closure(store, caller, targets, options)
    _check_owner(store, caller, moved)
    for row in list(moved.values()):
        if row.model.is_link and not {row.values["parent"], row.values["child"]} <= set(moved):
            store.remove(moved.pop(row.reference))
    for row in moved.values():
        store.hand_over(row, group=group)
    return _by_class(moved)


def give(store: Store, caller: Caller, targets: Targets, user: int, options: Sequence[Any]) -> Targets:
    """Give rows to another user, and say which; for those who lead the group."""
    given = _closure(store, caller, targets, options)
    for row in given.values():
        if not caller.is_admin and row.group not in store.groups_of(caller.user, as_owner=True):
            raise StoreError("SecurityViolation", f"user {caller.user} may not give away {row.cls}:{row.id}")
        if row.group not in store.groups_of(user):
            raise StoreError("ValidationException", f"user {user} is not a member of group {row.group}")
    for row in given.values():
        store.hand_over(row, owner=user)
    return _by_class(given)


def change_permissions(store: Store, caller: Caller, targets: Targets, permissions: str) -> Targets:
    """Change what members of groups may do; for those who lead them."""
    if permissions not in PERMISSIONS:
        raise StoreError("ValidationException", f"the double knows no group permissions {permissions!r}")
    groups = targets.get("ExperimenterGroup", [])
    for group in groups:
        store.get(("ExperimenterGroup", group))
        if not caller.is_admin and group not in store.groups_of(caller.user, as_owner=True):
            raise StoreError("SecurityViolation", f"user {caller.user} may not change group {group}")
        store.group_permissions[group] = permissions
    return {"ExperimenterGroup": groups}


def _check_owner(store: Store, caller: Caller, rows: dict[Reference, Row]) -> None:
    for row in rows.values():
        if row.owner != caller.user and not caller.is_admin and not row.model.is_link:
            raise StoreError("SecurityViolation", f"user {caller.user} may not move {row.cls}:{row.id}")


def _by_class(rows: dict[Reference, Row]) -> Targets:
    found: Targets = {}
    for row in rows.values():
        found.setdefault(row.cls, []).append(row.id)
    return found


def _cut(store: Store, doomed: dict[Reference, Row]) -> None:
    for row in reversed(list(doomed.values())):
        for (root, name), ids in list(store.referrers.get(row.reference, {}).items()):
            for id_ in list(ids):
                other = store.rows[root][id_]
                if other.reference not in doomed:
                    store.set(other, name, None)


def _closure(store: Store, caller: Caller, targets: Targets, options: Sequence[Any]) -> dict[Reference, Row]:
    """Find what goes with objects: their links, what cannot be without them, and what nothing else would have."""
    found: dict[Reference, Row] = {}
    for cls, ids in targets.items():
        for id_ in ids:
            row = store.find(cls, id_)
            if row is None or not store.is_visible(caller, row):
                raise StoreError("ValidationException", f"no row {cls}:{id_} for this user and group")
            _visit(store, caller, row, options, found)
    return found


def _visit(store: Store, caller: Caller, row: Row, options: Sequence[Any], doomed: dict[Reference, Row]) -> None:
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
                _visit(store, caller, other, options, doomed)
    for name, value in row.values.items():
        if name in _OWNED and value is not None:
            orphans.append(store.get(value))
    for orphan in orphans:
        is_theirs = not store.can_edit(caller, orphan)
        if not is_theirs and not _is_kept(orphan, options) and not _is_needed(store, orphan, doomed):
            _visit(store, caller, orphan, options, doomed)


def _is_needed(store: Store, row: Row, doomed: dict[Reference, Row]) -> bool:
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
