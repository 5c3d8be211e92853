"""The object store of the double: rows, who owns them, who may see and change them, and transactions."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .model import CLASSES, ModelClass, class_named, is_a

__all__ = ["PERMISSIONS", "Caller", "Quantity", "Reference", "Row", "Store", "StoreError"]

Reference = tuple[str, int]
"""Root class and identity of a row."""

_SYSTEM = {"Experimenter", "ExperimenterGroup", "GroupExperimenterMap", "Event", "EventLog", "Session", "Node"}
PERMISSIONS = {"rw----": (False, False, False), "rwr---": (True, False, False), "rwra--": (True, True, False)}
PERMISSIONS["rwrw--"] = (True, True, True)


class StoreError(Exception):
    """An operation that the store refuses; `kind` is the name of the server's exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class Quantity:
    """A value with the name of its unit."""

    value: float
    unit: str


@dataclass(eq=False)
class Row:
    """One stored object."""

    cls: str
    id: int
    values: dict[str, Any] = field(default_factory=dict)
    owner: int = 0
    group: int = 0
    created: int = 0
    updated: int = 0
    version: int = 0

    @property
    def model(self) -> ModelClass:
        """Its class."""
        return CLASSES[self.cls]

    @property
    def reference(self) -> Reference:
        """What other rows refer to it by."""
        return self.model.root, self.id


@dataclass(frozen=True)
class Caller:
    """Who calls: a user in a session, and the group that the call is about (-1 for all)."""

    user: int
    group: int
    session_group: int
    session: str = ""
    is_admin: bool = False


class Store:
    """All rows. One lock guards everything: a double need not be fast, but it must be right."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.RLock()
        self.uuid = str(uuid.uuid4())
        self.rows: dict[str, dict[int, Row]] = {}
        self.referrers: dict[Reference, dict[tuple[str, str], dict[int, None]]] = {}
        self.passwords: dict[str, str] = {}
        self.default_groups: dict[int, int] = {}
        self.group_permissions: dict[int, str] = {}
        self._next: dict[str, int] = {}
        self._undo: list[Callable[[], None]] | None = None
        self._event = 0
        for name in ("Pixels", "Files"):
            (directory / name).mkdir(parents=True, exist_ok=True)

    # rows

    def get(self, reference: Reference) -> Row:
        """Find a row, whoever may see it."""
        row = self.rows.get(reference[0], {}).get(reference[1])
        if row is None:
            raise StoreError("ValidationException", f"no row {reference[0]}:{reference[1]}")
        return row

    def find(self, cls: str, id_: int) -> Row | None:
        """Find a row of a class or one that inherits from it."""
        row = self.rows.get(class_named(cls).root, {}).get(id_)
        return row if row is not None and is_a(row.cls, class_named(cls).name) else None

    def all(self, cls: str) -> Iterator[Row]:
        """Give the rows of a class and of those that inherit from it, oldest first."""
        for row in list(self.rows.get(class_named(cls).root, {}).values()):
            if cls == row.cls or is_a(row.cls, cls):
                yield row

    def referring(self, target: Reference, cls: str, name: str) -> list[Row]:
        """List the rows of a class whose reference `name` is `target`."""
        found: list[Row] = []
        for (root, attribute), ids in self.referrers.get(target, {}).items():
            if attribute == name and root == CLASSES[cls].root:
                found += [r for r in (self.rows[root][i] for i in ids) if is_a(r.cls, cls)]
        return found

    def add(self, caller: Caller, cls: str, values: dict[str, Any]) -> Row:
        """Create a row that the caller owns, in the group that the call is about."""
        model = CLASSES[cls]
        id_ = self._next.get(model.root, 1)
        self._next[model.root] = id_ + 1
        row = Row(cls, id_, {}, caller.user, self.group_for_writing(caller))
        row.created = row.updated = self._event
        self.rows.setdefault(model.root, {})[id_] = row
        self._undoable(lambda: self._drop(row))
        for name, value in values.items():
            self.set(row, name, value)
        return row

    def set(self, row: Row, name: str, value: Any) -> None:
        """Set one property, and the index of references."""
        kind = row.model.fields[name].kind
        had, old = name in row.values, row.values.get(name)
        if kind == "reference":
            self._unindex(row, name, old)
            if value is not None:
                self.referrers.setdefault(value, {}).setdefault((row.model.root, name), {})[row.id] = None
        row.values[name] = value

        def undo() -> None:
            if kind == "reference":
                self._unindex(row, name, value)
                if old is not None:
                    self.referrers.setdefault(old, {}).setdefault((row.model.root, name), {})[row.id] = None
            if had:
                row.values[name] = old
            else:
                row.values.pop(name, None)

        self._undoable(undo)

    def hand_over(self, row: Row, *, owner: int | None = None, group: int | None = None) -> None:
        """Give a row to another user, or to another group."""
        before = row.owner, row.group
        row.owner, row.group = row.owner if owner is None else owner, row.group if group is None else group

        def undo() -> None:
            row.owner, row.group = before

        self._undoable(undo)

    def touch(self, row: Row) -> None:
        """Say that a row was changed in this transaction."""
        version, updated = row.version, row.updated
        row.version, row.updated = version + 1, self._event

        def undo() -> None:
            row.version, row.updated = version, updated

        self._undoable(undo)

    def remove(self, row: Row) -> None:
        """Remove a row."""
        values = dict(row.values)
        self._drop(row)

        def undo() -> None:
            self.rows.setdefault(row.model.root, {})[row.id] = row
            for name, value in values.items():
                self.set(row, name, value)

        self._undoable(undo)

    def _drop(self, row: Row) -> None:
        for name, value in list(row.values.items()):
            if row.model.fields[name].kind == "reference":
                self._unindex(row, name, value)
        self.rows[row.model.root].pop(row.id, None)

    def _unindex(self, row: Row, name: str, target: Reference | None) -> None:
        if target is not None:
            self.referrers.get(target, {}).get((row.model.root, name), {}).pop(row.id, None)

    def forget(self, but: Collection[str], event: int) -> None:
        """Drop the rows made after an event, but for those of some classes; numbers are not given again."""
        with self.lock:
            for root, rows in self.rows.items():
                if root not in but:
                    for row in [row for row in rows.values() if row.created > event]:
                        self._drop(row)

    # transactions

    @contextlib.contextmanager
    def transaction(self, caller: Caller) -> Iterator[None]:
        """Do all of the block or nothing; what it makes belongs to one new event."""
        with self.lock:
            if self._undo is not None:
                yield
                return
            self._undo, before = [], self._event
            try:
                self._event = self._new_event(caller)
                yield
            except BaseException:
                for step in reversed(self._undo):
                    step()
                self._event = before
                raise
            finally:
                self._undo = None

    def _undoable(self, step: Callable[[], None]) -> None:
        if self._undo is not None:
            self._undo.append(step)

    def _new_event(self, caller: Caller) -> int:
        values = {"time": int(time.time() * 1000), "status": None}
        if self.rows.get("Experimenter"):
            group = self.group_for_writing(caller) if caller.group >= 0 else caller.session_group
            values |= {"experimenter": ("Experimenter", caller.user), "experimenterGroup": ("ExperimenterGroup", group)}
        id_ = self._next.get("Event", 1)
        self._next["Event"] = id_ + 1
        row = Row("Event", id_, {}, caller.user, 0)
        self.rows.setdefault("Event", {})[id_] = row
        for name, value in values.items():
            self.set(row, name, value)
        return id_

    # who may do what

    def groups_of(self, user: int, *, as_owner: bool = False) -> list[int]:
        """List the groups of a user, or those that the user leads."""
        maps = self.referring(("Experimenter", user), "GroupExperimenterMap", "child")
        return [m.values["parent"][1] for m in maps if m.values.get("owner") or not as_owner]

    def permissions_of(self, group: int) -> str:
        """Give the permissions of a group, as ``rwra--``."""
        return self.group_permissions.get(group, "rw----")

    def default_group_of(self, user: int) -> int:
        """Say in which group a user works who chooses none: the one that was set, else the first."""
        groups = self.groups_of(user)
        chosen = self.default_groups.get(user)
        return chosen if chosen in groups else groups[0]

    def group_for_writing(self, caller: Caller) -> int:
        """Say in which group new rows are made."""
        if caller.group < 0:
            raise StoreError("SecurityViolation", "cannot write while all groups are looked at (omero.group=-1)")
        if caller.group not in self.groups_of(caller.user) and not caller.is_admin:
            raise StoreError("SecurityViolation", f"user {caller.user} is not a member of group {caller.group}")
        return caller.group

    def is_visible(self, caller: Caller, row: Row) -> bool:
        """Say whether a caller may see a row in the group that the call is about."""
        if row.cls == "Session":
            return row.owner == caller.user or caller.is_admin
        if row.model.is_global or row.model.root in _SYSTEM or is_a(row.cls, "IGlobal"):
            return True
        if caller.group >= 0 and row.group != caller.group:
            return False
        if row.owner == caller.user or caller.is_admin:
            return True
        if row.group not in self.groups_of(caller.user):
            return False
        if row.group in self.groups_of(caller.user, as_owner=True):
            return True
        return PERMISSIONS[self.permissions_of(row.group)][0]

    def can_edit(self, caller: Caller, row: Row) -> bool:
        """Say whether a caller may change or delete a row."""
        if row.owner == caller.user or caller.is_admin or row.group in self.groups_of(caller.user, as_owner=True):
            return True
        is_member = row.group in self.groups_of(caller.user)
        return is_member and PERMISSIONS[self.permissions_of(row.group)][2]

    def can_annotate(self, caller: Caller, row: Row) -> bool:
        """Say whether a caller may attach annotations to a row."""
        if self.can_edit(caller, row):
            return True
        is_member = row.group in self.groups_of(caller.user)
        return is_member and PERMISSIONS[self.permissions_of(row.group)][1]

    def visible(self, caller: Caller, rows: Iterable[Row]) -> list[Row]:
        """Keep the rows that a caller may see."""
        return [row for row in rows if self.is_visible(caller, row)]
