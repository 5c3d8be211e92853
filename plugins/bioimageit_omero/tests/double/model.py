"""The OMERO model as the installed client knows it: classes, references, collections.

The generated modules say it only to IcePy, so their calls are recorded while they are imported; import this module
before `omero`.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import IcePy

__all__ = ["CLASSES", "Field", "ModelClass", "class_named", "is_a", "model_class_of", "returns"]

_SIMPLE = {"RString", "RInt", "RLong", "RBool", "RDouble", "RFloat", "RTime"}
_INVISIBLE = {"_id", "_details", "_loaded", "_version"}


_RETURNING: set[int] = set()
_OPERATIONS: list[Any] = []


@dataclass(frozen=True)
class Field:
    """One property of a class.

    Attributes
    ----------
    kind
        ``scalar`` (an rtype), ``quantity`` (with a unit), ``reference``, ``collection`` or ``values`` (named ones).
    type
        The rtype, the quantity's class, or the class that is referred to.
    inverse
        For a collection: the reference of its elements that makes them belong to it.
    """

    name: str
    kind: str
    type: str
    is_required: bool = False
    inverse: str = ""


@dataclass
class ModelClass:
    """One class of the model.

    Attributes
    ----------
    root
        The topmost class that it inherits from (a table of its own); identities are unique in it.
    """

    name: str
    parent: str
    root: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    python: Any = None
    is_link: bool = False
    is_global: bool = False

    def new(self) -> Any:
        """Make an empty object of the client's class."""
        return self.python()


@contextlib.contextmanager
def _recording(seen: dict[str, tuple[Any, ...]], names: dict[int, str], keep: list[Any]) -> Iterator[None]:
    define, declare, sequence, dictionary, operation = (
        IcePy.defineClass,
        IcePy.declareClass,
        IcePy.defineSequence,
        IcePy.defineDictionary,
        IcePy.Operation,
    )

    def operate(*arguments: Any) -> Any:
        made = operation(*arguments)
        _OPERATIONS.append(made)
        if arguments[8] is not None:
            _RETURNING.add(id(made))
        return made

    def noted(kind: str, original: Any) -> Any:
        def call(*arguments: Any) -> Any:
            result = original(*arguments)
            names[id(result)] = arguments[0]
            keep.append(result)
            if kind == "class":
                seen[arguments[0]] = ("class", arguments[1], arguments[6], arguments[8])
            elif kind == "sequence":
                seen[arguments[0]] = ("sequence", arguments[2])
            return result

        return call

    IcePy.defineClass, IcePy.declareClass = noted("class", define), noted("declared", declare)
    IcePy.defineSequence, IcePy.defineDictionary = noted("sequence", sequence), noted("dictionary", dictionary)
    IcePy.Operation = operate
    try:
        yield
    finally:
        IcePy.Operation = operation
        IcePy.defineClass, IcePy.declareClass = define, declare
        IcePy.defineSequence, IcePy.defineDictionary = sequence, dictionary


def _record() -> dict[str, ModelClass]:
    seen: dict[str, tuple[Any, ...]] = {}
    names: dict[int, str] = {}
    keep: list[Any] = []
    with warnings.catch_warnings(), _recording(seen, names, keep):
        warnings.simplefilter("ignore")
        importlib.import_module("omero.all")
    omero = importlib.import_module("omero")
    prefix = "::omero::model::"
    shapes = {n.removeprefix(prefix): s for n, s in seen.items() if n.startswith(prefix) and s[0] == "class"}

    def name_of(type_info: Any) -> str:
        return names.get(id(type_info), "")

    parents = {n: name_of(s[2]).removeprefix(prefix) for n, s in shapes.items()}

    def ancestors(name: str) -> list[str]:
        found = [name]
        while parents.get(found[-1]):
            found.append(parents[found[-1]])
        return found

    classes: dict[str, ModelClass] = {}
    for name in shapes:
        line = ancestors(name)
        if line[-1] != "IObject" or name == "IObject":
            continue
        python = getattr(omero.model, name + "I", None)
        made = ModelClass(name, parents[name], line[-2], python=python)
        if python is not None:
            with contextlib.suppress(Exception):
                sample = python()
                made.is_link, made.is_global = bool(sample.isLink()), bool(sample.isGlobal())
        classes[name] = made
    for name, made in classes.items():
        required = getattr(made.python, "_field_info", None)
        for ancestor in reversed(ancestors(name)[:-1]):
            for entry in shapes[ancestor][3]:
                found = _field(entry[0], name_of(entry[2]), seen, name_of, classes)
                if found is not None:
                    info = getattr(required, found.name, None)
                    is_required = info is not None and not info.nullable and found.kind != "collection"
                    made.fields[found.name] = Field(found.name, found.kind, found.type, is_required)
    for name, made in classes.items():
        for found in list(made.fields.values()):
            if found.kind == "collection":
                inverse = _inverse(set(ancestors(name)), classes[found.type])
                made.fields[found.name] = Field(found.name, found.kind, found.type, False, inverse)
    return classes


def _field(attribute: str, type_name: str, seen: Any, name_of: Any, classes: dict[str, ModelClass]) -> Field | None:
    if attribute in _INVISIBLE or attribute.endswith(("Loaded", "CountPerOwner")):
        return None
    name = attribute.removeprefix("_")
    simple = type_name.removeprefix("::omero::")
    if simple in _SIMPLE:
        return Field(name, "scalar", simple)
    if seen.get(type_name, ("",))[0] == "sequence":
        element = name_of(seen[type_name][1]).removeprefix("::omero::model::")
        if element in classes:
            return Field(name.removesuffix("Seq"), "collection", element)
        return Field(name, "values", element or simple)
    target = simple.removeprefix("model::")
    if target in classes:
        return Field(name, "reference", target)
    if target == "Permissions":
        return Field(name, "permissions", target)
    return Field(name, "quantity" if type_name.startswith("::omero::model::") else "values", target)


def _inverse(owners: set[str], element: ModelClass) -> str:
    fitting = [f.name for f in element.fields.values() if f.kind == "reference" and f.type in owners]
    if "parent" in fitting:
        return "parent"
    return fitting[0] if fitting else ""


CLASSES = _record()
"""Every class of the model by its name."""


def returns(interface: Any, operation: str) -> bool:
    """Say whether an operation of an interface gives something back."""
    return id(getattr(interface, f"_op_{operation}")) in _RETURNING


def class_named(name: str) -> ModelClass:
    """Find a class by its name, with or without the trailing ``I`` and package of the client's.

    Raises
    ------
    LookupError
        There is none.
    """
    short = name.rsplit(".", 1)[-1]
    if short in CLASSES:
        return CLASSES[short]
    if short.endswith("I") and short[:-1] in CLASSES:
        return CLASSES[short[:-1]]
    raise LookupError(f"no class {name!r} in the model")


def model_class_of(instance: Any) -> ModelClass:
    """Find the class of one of the client's objects."""
    return class_named(type(instance).__name__)


def is_a(name: str, ancestor: str) -> bool:
    """Say whether the class `name` is `ancestor` or inherits from it."""
    while name in CLASSES:
        if name == ancestor:
            return True
        name = CLASSES[name].parent
    return False
