"""IQuery, IUpdate, IContainer, IMetadata, ITypes: what reads and writes objects."""

from __future__ import annotations

from typing import Any

import omero
from omero import rtypes

from .graph import Loader, Saver, to_rtype
from .graphs import delete
from .hql import Interpreter, Page
from .model import CLASSES, class_named
from .servants import Service
from .store import Row, StoreError

__all__ = ["Containers", "Metadata", "Queries", "Types", "Updates"]


def plain(value: Any) -> Any:
    """Unwrap a parameter; objects become their identities."""
    if isinstance(value, omero.RObject):
        return None if value.val is None else value.val.id.val
    if isinstance(value, (omero.RList, omero.RSet, omero.RArray)):
        return [plain(v) for v in value.val or []]
    return rtypes.unwrap(value)


def _has_leaves(options: Any) -> bool:
    wanted = getattr(options, "theOptions", None)
    return wanted is not None and bool(plain(wanted.leaves))


class Queries(Service):
    """Answers queries."""

    interface = omero.api.IQuery

    def interpreter(self, parameters: Any) -> tuple[Interpreter, Page]:
        """Read the parameters of a call."""
        values = {k: plain(v) for k, v in (getattr(parameters, "map", None) or {}).items()}
        wanted = getattr(parameters, "theFilter", None)
        page = Page()
        if wanted is not None:
            page = Page(plain(wanted.offset) or 0, plain(wanted.limit) or 0)
        return Interpreter(self.store, self.caller, values), page

    def row(self, cls: str, id_: int) -> Row | None:
        """Find a row that the caller may see."""
        try:
            found = self.store.find(cls, id_)
        except LookupError as error:
            raise StoreError("ApiUsageException", str(error)) from error
        return found if found is not None and self.store.is_visible(self.caller, found) else None

    def get(self, cls: str, id_: int) -> Any:
        """Read one object, or refuse."""
        row = self.row(cls, id_)
        if row is None:
            raise StoreError("ValidationException", f"The requested object (ome.model.{cls},{id_}) is not available.")
        return Loader(self.store, self.caller).load(row)

    def find(self, cls: str, id_: int) -> Any:
        """Read one object, or nothing."""
        row = self.row(cls, id_)
        return None if row is None else Loader(self.store, self.caller).load(row)

    def findAll(self, cls: str, wanted: Any) -> list[Any]:
        """Read all objects of a class."""
        rows = self.store.visible(self.caller, self.store.all(class_named(cls).name))
        offset, limit = (plain(wanted.offset) or 0, plain(wanted.limit)) if wanted is not None else (0, None)
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in rows[offset : offset + limit if limit else None]]

    def findByQuery(self, text: str, parameters: Any) -> Any:
        """Read the one object that a query selects."""
        interpreter, page = self.interpreter(parameters)
        found = interpreter.objects(text, page)
        unique = list({id(made): made for made in found}.values())
        if len(unique) > 1:
            raise StoreError("ApiUsageException", f"query did not return a unique result: {len(unique)}")
        return unique[0] if unique else None

    def findAllByQuery(self, text: str, parameters: Any) -> list[Any]:
        """Read the objects that a query selects."""
        interpreter, page = self.interpreter(parameters)
        return interpreter.objects(text, page)

    def projection(self, text: str, parameters: Any) -> list[list[Any]]:
        """Read the values that a query selects."""
        interpreter, page = self.interpreter(parameters)
        return [[to_rtype(value) for value in row] for row in interpreter.table(text, page)]


class Updates(Service):
    """Stores and deletes objects."""

    interface = omero.api.IUpdate
    writes = frozenset(
        {"saveObject", "saveCollection", "saveAndReturnObject", "saveArray", "saveAndReturnArray", "saveAndReturnIds"}
        | {"deleteObject"}
    )

    def saveObject(self, made: Any) -> None:
        """Store one object."""
        Saver(self.store, self.caller).save([made])

    def saveAndReturnObject(self, made: Any) -> Any:
        """Store one object and return it with its identity."""
        Saver(self.store, self.caller).save([made])
        return made

    def saveArray(self, objects: list[Any]) -> None:
        """Store objects, all or none."""
        Saver(self.store, self.caller).save(objects)

    saveCollection = saveArray

    def saveAndReturnArray(self, objects: list[Any]) -> list[Any]:
        """Store objects, all or none, and return them."""
        Saver(self.store, self.caller).save(objects)
        return objects

    def saveAndReturnIds(self, objects: list[Any]) -> list[int]:
        """Store objects, all or none, and return their identities."""
        return [row.id for row in Saver(self.store, self.caller).save(objects)]

    def deleteObject(self, made: Any) -> None:
        """Delete one object; one that others need is refused."""
        row = self.store.find(type(made).__name__, made.id.val)
        if row is None:
            raise StoreError("ValidationException", f"no row {type(made).__name__}:{made.id.val}")
        with self.store.transaction(self.caller):
            delete(self.store, self.caller, {row.cls: [row.id]}, [])


class Containers(Service):
    """Projects, datasets and images with what is in them."""

    interface = omero.api.IContainer

    def getImages(self, root: str, ids: list[int], _options: Any) -> list[Any]:
        """Read images with their pixels; `root` says what `ids` are of."""
        paths = {"Image": "i.id", "Dataset": "dl.parent.id", "Project": "pl.parent.id"}
        name = class_named(root).name
        if name not in paths:
            raise StoreError("ApiUsageException", f"the double does not implement IContainer.getImages of {root}")
        joins = "" if name == "Image" else " join i.datasetLinks dl"
        joins += " join dl.parent d join d.projectLinks pl" if name == "Project" else ""
        text = (
            "select distinct i from Image i left outer join fetch i.pixels p left outer join fetch p.pixelsType"
            f"{joins} where {paths[name]} in (:ids)"
        )
        return Interpreter(self.store, self.caller, {"ids": list(ids)}).objects(text, Page())

    def loadContainerHierarchy(self, root: str, ids: list[int] | None, options: Any) -> list[Any]:
        """Read projects with their datasets, or datasets; with their images, where `options` ask for leaves."""
        name = class_named(root).name
        if name not in ("Project", "Dataset"):
            raise StoreError("ApiUsageException", f"the double does not implement loadContainerHierarchy of {root}")
        conditions, values = self._filter(options, "o")
        if ids:
            conditions, values = [*conditions, "o.id in (:ids)"], {**values, "ids": list(ids)}
        text = f"select distinct o from {name} o{self._fetched(name, _has_leaves(options))}"
        text += f" where {' and '.join(conditions)}" if conditions else ""
        return Interpreter(self.store, self.caller, values).objects(text, Page())

    def _fetched(self, root: str, has_leaves: Any, kind: str = "left outer join fetch") -> str:
        fetched, owner = "", "o"
        if root == "Project":
            fetched, owner = f" {kind} o.datasetLinks l {kind} l.child d", "d"
        return fetched + (f" {kind} {owner}.imageLinks il {kind} il.child i" if has_leaves else "")

    def _filter(self, options: Any, alias: str) -> tuple[list[str], dict[str, Any]]:
        wanted = getattr(options, "theFilter", None)
        owner = None if wanted is None else plain(wanted.ownerId)
        return ([], {}) if owner is None else ([f"{alias}.details.owner.id = :owner"], {"owner": owner})

    def findContainerHierarchies(self, root: str, ids: list[int], options: Any) -> list[Any]:
        """Read the projects or datasets that images are in, with the way to those images."""
        name = class_named(root).name
        if name not in ("Project", "Dataset"):
            raise StoreError("ApiUsageException", f"the double does not implement findContainerHierarchies of {root}")
        conditions, values = self._filter(options, "o")
        text = f"select distinct o from {name} o{self._fetched(name, True, 'join fetch')} where "
        text += " and ".join([*conditions, "i.id in (:ids)"])
        return Interpreter(self.store, self.caller, {**values, "ids": list(ids)}).objects(text, Page())

    def getUserImages(self, options: Any) -> list[Any]:
        """Read the images of the user or group that `options` name, else those of the caller."""
        wanted = getattr(options, "theFilter", None)
        owner, group = (None, None) if wanted is None else (plain(wanted.ownerId), plain(wanted.groupId))
        field, value = ("group", group) if group is not None else ("owner", owner)
        text = (
            "select distinct i from Image i left outer join fetch i.pixels p left outer join fetch p.pixelsType "
            f"where i.details.{field}.id = :id order by i.id"
        )
        values = {"id": self.caller.user if value is None else value}
        return Interpreter(self.store, self.caller, values).objects(text, Page())

    def getCollectionCount(self, cls: str, name: str, ids: list[int], _options: Any) -> dict[int, int]:
        """Count the elements of a collection of objects."""
        model = class_named(cls)
        field = model.fields.get(name.rsplit("_", 1)[-1])
        if field is None or field.kind != "collection":
            raise StoreError("ApiUsageException", f"{model.name} has no collection {name!r}")
        found = {}
        for id_ in ids:
            elements = self.store.referring((model.root, id_), field.type, field.inverse)
            found[id_] = len(self.store.visible(self.caller, elements))
        return found


class Metadata(Service):
    """Annotations."""

    interface = omero.api.IMetadata

    def loadAnnotations(self, root: str, ids: list[int], kinds: Any, annotators: Any, _options: Any) -> dict[int, Any]:
        """Read the annotations of objects."""
        name = class_named(root).name
        found: dict[int, Any] = {}
        interpreter = Interpreter(self.store, self.caller, {"ids": list(ids)})
        text = f"select l from {name}AnnotationLink l join fetch l.child c where l.parent.id in (:ids)"
        for link in interpreter.objects(text, Page()):
            kind = type(link.child).__name__.removesuffix("I")
            owner = link.child.details.owner.id.val
            if (not kinds or any(k.endswith(kind) for k in kinds)) and (not annotators or owner in annotators):
                found.setdefault(link.parent.id.val, []).append(link.child)
        return found

    def loadAnnotation(self, ids: list[int]) -> list[Any]:
        """Read annotations."""
        text = "select a from Annotation a left outer join fetch a.file where a.id in (:ids)"
        return Interpreter(self.store, self.caller, {"ids": list(ids)}).objects(text, Page())

    def loadSpecifiedAnnotations(self, kind: str, include: Any, exclude: Any, options: Any) -> list[Any]:
        """Read the annotations of a class, by their namespaces."""
        loader = Loader(self.store, self.caller)
        return [self._loaded(loader, row) for row in self._specified(kind, include, exclude, options)]

    def countSpecifiedAnnotations(self, kind: str, include: Any, exclude: Any, options: Any) -> Any:
        """Count the annotations of a class, by their namespaces."""
        return rtypes.rlong(len(self._specified(kind, include, exclude, options)))

    def loadSpecifiedAnnotationsLinkedTo(
        self, kind: str, include: Any, exclude: Any, root: str, ids: list[int], options: Any
    ) -> dict[int, list[Any]]:
        """Read the annotations of a class that objects have, by their namespaces."""
        loader, model = Loader(self.store, self.caller), class_named(root)
        wanted = {row.reference: row for row in self._specified(kind, include, exclude, options)}
        found: dict[int, list[Any]] = {id_: [] for id_ in ids}
        for id_ in ids:
            links = self.store.referring((model.root, id_), f"{model.name}AnnotationLink", "parent")
            for link in self.store.visible(self.caller, links):
                if link.values["child"] in wanted:
                    found[id_].append(self._loaded(loader, wanted[link.values["child"]]))
        return found

    def _specified(self, kind: str, include: Any, exclude: Any, options: Any) -> list[Row]:
        wanted = getattr(options, "theFilter", None)
        owner = None if wanted is None else plain(wanted.ownerId)
        return [
            row
            for row in self.store.visible(self.caller, self.store.all(class_named(kind).name))
            if (not include or row.values.get("ns") in include)
            and not (exclude and row.values.get("ns") in exclude)
            and owner in (None, row.owner)
        ]

    def _loaded(self, loader: Loader, row: Row) -> Any:
        made = loader.load(row)
        if row.cls == "FileAnnotation" and row.values.get("file") is not None:
            loader.attach(row, "file", self.store.get(row.values["file"]))
        return made


class Types(Service):
    """Enumerations."""

    interface = omero.api.ITypes

    def getEnumeration(self, cls: str, value: str) -> Any:
        """Read one entry."""
        name = class_named(cls).name
        row = next((r for r in self.store.all(name) if r.values.get("value") == value), None)
        if row is None:
            raise StoreError("ApiUsageException", f"An enumeration entry {name}:{value} does not exist")
        return Loader(self.store, self.caller).load(row)

    def allEnumerations(self, cls: str) -> list[Any]:
        """Read all entries."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all(class_named(cls).name)]

    def getAnnotationTypes(self) -> list[Any]:
        """List the classes of annotations."""
        return [c.python() for c in CLASSES.values() if c.root == "Annotation" and c.python is not None]
