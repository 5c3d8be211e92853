"""IQuery, IUpdate, IContainer, IMetadata, ITypes: what reads and writes objects."""

from __future__ import annotations

from typing import Any

import omero
from omero import rtypes

from .delete import delete
from .graph import Loader, Saver, to_rtype
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

    def loadContainerHierarchy(self, root: str, ids: list[int] | None, _options: Any) -> list[Any]:
        """Read projects with their datasets, or datasets; images are not loaded."""
        name = class_named(root).name
        if name not in ("Project", "Dataset"):
            raise StoreError("ApiUsageException", f"the double does not implement loadContainerHierarchy of {root}")
        fetch = " left outer join fetch o.datasetLinks l left outer join fetch l.child" if name == "Project" else ""
        text = f"select distinct o from {name} o{fetch}" + (" where o.id in (:ids)" if ids else "")
        return Interpreter(self.store, self.caller, {"ids": list(ids or [])}).objects(text, Page())


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

    def loadSpecifiedAnnotations(self, kind: str, include: Any, exclude: Any, _options: Any) -> list[Any]:
        """Read the annotations of a class, by their namespaces."""
        loader = Loader(self.store, self.caller)
        made = []
        for row in self.store.visible(self.caller, self.store.all(class_named(kind).name)):
            ns = row.values.get("ns")
            if (include and ns not in include) or (exclude and ns in exclude):
                continue
            annotation = loader.load(row)
            if row.cls == "FileAnnotation":
                loader.attach(row, "file", self.store.get(row.values["file"]))
            made.append(annotation)
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
