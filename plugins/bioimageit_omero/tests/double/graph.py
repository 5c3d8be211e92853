"""Between rows and the client's objects: what is loaded when reading, what is saved when writing."""

from __future__ import annotations

from typing import Any

import omero
from omero import rtypes

from .model import CLASSES, Field, class_named, is_a, model_class_of
from .store import Caller, Quantity, Reference, Row, Store, StoreError

__all__ = ["Loader", "Saver", "quantity_of", "to_rtype"]

_MAKE = {
    "RString": rtypes.rstring,
    "RInt": rtypes.rint,
    "RLong": rtypes.rlong,
    "RBool": rtypes.rbool,
    "RDouble": rtypes.rdouble,
    "RFloat": rtypes.rfloat,
    "RTime": rtypes.rtime,
}


class _Int(int):
    """An integer of 32 bits."""


class _Time(int):
    """Milliseconds since 1970."""


SMALL_INTEGERS = {"RInt": _Int, "RTime": _Time}
"""How a projection tells from others the integers that are not of 64 bits."""
LONGEST = 255
"""Names longer than this do not fit the database's column."""


def to_rtype(value: Any) -> Any:
    """Wrap a value of a projection."""
    if value is None:
        return None
    if isinstance(value, bool):
        return rtypes.rbool(value)
    if isinstance(value, _Int):
        return rtypes.rint(value)
    if isinstance(value, _Time):
        return rtypes.rtime(value)
    if isinstance(value, int):
        return rtypes.rlong(value)
    if isinstance(value, float):
        return rtypes.rdouble(value)
    if isinstance(value, str):
        return rtypes.rstring(value)
    if isinstance(value, dict):
        return rtypes.rmap({k: to_rtype(v) for k, v in value.items()})
    if isinstance(value, list):
        return rtypes.rlist([to_rtype(v) for v in value])
    return rtypes.robject(value)


def quantity_of(cls: str, value: Quantity) -> Any:
    """Make one of the client's quantities."""
    kind = getattr(omero.model, cls + "I")
    unit = getattr(getattr(omero.model.enums, "Units" + cls), value.unit)
    return kind(value.value, unit)


class Loader:
    """Makes the client's objects from rows; one object for each row."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self.store = store
        self.caller = caller
        self._loaded: dict[Reference, Any] = {}

    def proxy(self, reference: Reference) -> Any:
        """Give the object of a row: as loaded as it is so far."""
        if reference in self._loaded:
            return self._loaded[reference]
        return self.store.get(reference).model.python(reference[1], False)

    def load(self, row: Row) -> Any:
        """Give the loaded object of a row; its references and collections are not loaded."""
        made = self._loaded.get(row.reference)
        if made is not None:
            return made
        made = row.model.new()
        self._loaded[row.reference] = made
        made.unloadCollections()
        made._id = rtypes.rlong(row.id)
        if hasattr(made, "_version"):
            made._version = rtypes.rint(row.version)
        made._details = self.details(row)
        for name, field in row.model.fields.items():
            value = row.values.get(name)
            if field.kind == "scalar":
                setattr(made, f"_{name}", None if value is None else _MAKE[field.type](value))
            elif field.kind == "quantity":
                setattr(made, f"_{name}", None if value is None else quantity_of(field.type, value))
            elif field.kind == "reference":
                setattr(made, f"_{name}", None if value is None else self.proxy(value))
            elif field.kind == "values" and field.type == "NamedValue":
                pairs = None if value is None else [omero.model.NamedValue(k, v) for k, v in value]
                setattr(made, f"_{name}", pairs)
            elif field.kind == "values" and value is not None:
                setattr(made, f"_{name}", value)
            elif field.kind == "permissions":
                made._details._permissions = self.permissions(row)
        if row.cls == "ExperimenterGroup":
            made._details._permissions = omero.model.PermissionsI(self.store.permissions_of(row.id))
        return made

    def details(self, row: Row) -> Any:
        """Say whose a row is, since when, and what the caller may do with it."""
        details = omero.model.DetailsI()
        if not row.model.is_global:
            details._owner = omero.model.ExperimenterI(row.owner, False)
            details._group = omero.model.ExperimenterGroupI(row.group, False)
            details._creationEvent = omero.model.EventI(row.created, False) if row.created else None
            details._updateEvent = omero.model.EventI(row.updated, False) if row.updated else None
        details._permissions = self.permissions(row)
        return details

    def permissions(self, row: Row) -> Any:
        """Give the permissions of a row's group, with what the caller may not do."""
        permissions = omero.model.PermissionsI(self.store.permissions_of(row.group))
        can_edit, can_annotate = self.store.can_edit(self.caller, row), self.store.can_annotate(self.caller, row)
        # link, edit, delete, annotate, chgrp, chown: the order of the constants of omero::constants::permissions
        is_owner = row.owner == self.caller.user or self.caller.is_admin
        permissions._restrictions = [not can_edit, not can_edit, not can_edit, not can_annotate, not is_owner, True]
        return permissions

    def attach(self, owner: Row, name: str, target: Row | None) -> Any:
        """Load what a fetched path leads to, and put it where the path says."""
        made = self.load(owner)
        if name in ("owner", "group", "creationEvent", "updateEvent", "externalInfo"):
            if target is not None:
                setattr(made._details, f"_{name}", self.load(target))
            return None
        field = owner.model.fields.get(name)
        if field is None:  # of a class that inherits from the one that the query names; this row is of another
            return made
        if field.kind == "collection":
            if not getattr(made, f"_{name}Loaded"):
                setattr(made, f"_{name}Seq", [])
                setattr(made, f"_{name}Loaded", True)
            if target is not None:
                element, sequence = self.load(target), getattr(made, f"_{name}Seq")
                if not any(known is element for known in sequence):
                    sequence.append(element)
        elif target is not None:
            setattr(made, f"_{name}", self.load(target))
        return made


class Saver:
    """Stores the client's objects, with all that is loaded and hangs on them."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self.store = store
        self.caller = caller
        self._rows: dict[int, Row] = {}
        self._saved: list[tuple[Any, Row, bool]] = []

    def save(self, objects: list[Any]) -> list[Row]:
        """Store objects in one transaction; they get their identities."""
        with self.store.transaction(self.caller):
            rows = [self._persist(made) for made in objects]
            for _, row, _ in self._saved:
                self._check(row)
        loader = Loader(self.store, self.caller)
        for made, row, _ in self._saved:
            made._id = rtypes.rlong(row.id)
            if hasattr(made, "_version"):
                made._version = rtypes.rint(row.version)
            made._details = loader.details(row)
        return rows

    def _persist(self, made: Any) -> Row:
        if id(made) in self._rows:
            return self._rows[id(made)]
        model = model_class_of(made)
        identity = None if made._id is None else made._id.val
        if identity is not None:
            row = self.store.find(model.name, identity)
            if row is None or not self.store.is_visible(self.caller, row):
                raise StoreError("ValidationException", f"no row {model.name}:{identity} for this user and group")
            self._rows[id(made)] = row
            if not made._loaded:
                return row
            given = getattr(made, "_version", None)
            if given is not None and given.val != row.version:
                raise StoreError("OptimisticLockException", f"{model.name}:{identity} was changed by somebody else")
            self._saved.append((made, row, False))
            self._fill(made, row, is_new=False)
            return row
        if not made._loaded:
            raise StoreError("ValidationException", f"an unloaded {model.name} without an identity cannot be saved")
        if model.is_global or model.root in ("Session", "Node", "Event"):
            by_value = self._enumeration(made, model.name)
            if by_value is None:
                raise StoreError("SecurityViolation", f"a {model.name} cannot be created by a user")
            self._rows[id(made)] = by_value
            return by_value
        row = self.store.add(self.caller, model.name, {})
        self._rows[id(made)] = row
        self._saved.append((made, row, True))
        self._fill(made, row, is_new=True)
        return row

    def _enumeration(self, made: Any, cls: str) -> Row | None:
        value = getattr(made, "_value", None)
        return next((r for r in self.store.all(cls) if value is not None and r.values["value"] == value.val), None)

    def _fill(self, made: Any, row: Row, *, is_new: bool) -> None:
        changes: dict[str, Any] = {}
        for name, field in row.model.fields.items():
            if field.kind in ("collection", "permissions"):
                continue
            value = self._value(getattr(made, f"_{name}"), field)
            if value != row.values.get(name):
                changes[name] = value
        if not is_new and changes and not self.store.can_edit(self.caller, row):
            raise StoreError("SecurityViolation", f"user {self.caller.user} may not change {row.cls}:{row.id}")
        for name, value in changes.items():
            self.store.set(row, name, value)
        if changes and not is_new:
            self.store.touch(row)
        for name, field in row.model.fields.items():
            if field.kind == "collection" and getattr(made, f"_{name}Loaded", False):
                for element in getattr(made, f"_{name}Seq"):
                    if element is None:
                        continue
                    child = self._persist(element)
                    if child.values.get(field.inverse) is None:
                        self.store.set(child, field.inverse, row.reference)

    def _value(self, value: Any, field: Field) -> Any:
        if value is None:
            return None
        if field.kind == "scalar":
            return value.val
        if field.kind == "quantity":
            return Quantity(float(value._value), str(value._unit))
        if field.kind == "reference":
            return self._persist(value).reference
        if field.type == "NamedValue":
            return [(pair.name, pair.value) for pair in value]
        return value

    def _check(self, row: Row) -> None:
        for name, field in row.model.fields.items():
            value = row.values.get(name)
            if value is None and field.is_required and field.kind in ("scalar", "reference"):
                raise StoreError("ValidationException", f"{row.cls}.{name} must not be null")
            if name == "name" and isinstance(value, str) and len(value) > LONGEST:
                raise StoreError("ValidationException", f"{row.cls}.name is longer than {LONGEST} characters")
            if isinstance(value, str) and "\0" in value:
                raise StoreError("ValidationException", f"{row.cls}.{name} has a character that PostgreSQL cannot keep")
        if row.model.is_link:
            self._check_link(row)

    def _check_link(self, row: Row) -> None:
        ends = [self.store.get(row.values[name]) for name in ("parent", "child")]
        for end in ends:
            if not end.model.is_global and end.group != row.group:
                message = f"{row.cls} in group {row.group} cannot link {end.cls}:{end.id} of group {end.group}"
                raise StoreError("SecurityViolation", message)
        allowed = self.store.can_annotate if is_a(ends[1].cls, "Annotation") else self.store.can_edit
        if not allowed(self.caller, ends[0]):
            message = f"user {self.caller.user} may not link anything to {ends[0].cls}:{ends[0].id}"
            raise StoreError("SecurityViolation", message)
        same = self.store.referring(ends[1].reference, row.cls, "child")
        if any(r is not row and r.values["parent"] == row.values["parent"] and r.owner == row.owner for r in same):
            raise StoreError("ValidationException", f"{row.cls} of this parent and child exists (unique constraint)")


def plain_value(row: Row, name: str) -> Any:
    """Give a property of a row, as a value or as a reference."""
    if name not in row.model.fields:
        raise StoreError("QueryException", f"could not resolve property: {name} of: {class_named(row.cls).name}")
    return row.values.get(name)


assert "Image" in CLASSES, "the model was recorded before the client was imported"
