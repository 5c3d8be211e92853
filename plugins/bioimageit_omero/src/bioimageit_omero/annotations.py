"""Annotations: which are ours, what they say, and how they are changed without touching anybody else's.

`CLIENT` is OMERO's namespace for pairs that people edit; an annotation in it is ours if its description says so. The
other namespaces are this software's: `RECORD` keeps a record's document, `KEY` marks the tags of a project that are
its vocabulary, `DATA`, `ORIGINAL`, `RUN_NS` and `RESULT` what an attached file is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import DocumentError

from bioimageit_omero.ice import model, rstring
from bioimageit_omero.session import ALL_GROUPS, Session
from bioimageit_omero.uris import Ref
from bioimageit_omero.values import Pairs, as_values, check_text, exact_values, grouped, merged, texts_of

__all__ = [
    "CLIENT",
    "DATA",
    "KEY",
    "MARK",
    "ORIGINAL",
    "RECORD",
    "RESULT",
    "RUN_NS",
    "TABLE",
    "Annotated",
    "Annotation",
    "link_to",
    "new_map_annotation",
    "read_annotated",
    "read_annotations",
    "shared_annotations",
]

CLIENT = "openmicroscopy.org/omero/client/mapAnnotation"
_OWN = "bioimageit.org/omero/"
RECORD, DATA, ORIGINAL, RUN_NS = f"{_OWN}record", f"{_OWN}data", f"{_OWN}original", f"{_OWN}run"
RESULT, KEY, TABLE = f"{_OWN}processed_data", f"{_OWN}key", f"{_OWN}table"
MARK = "written by BioImageIT"


@dataclass
class Annotation:
    """One annotation, and the link by which an object has it."""

    id: int
    kind: str
    ns: str
    owner: int
    link: int
    link_owner: int
    made: Any  # the client's object, as it was read

    @property
    def pairs(self) -> Pairs:
        """The pairs of a map annotation."""
        return [(pair.name or "", pair.value or "") for pair in self.made.mapValue or [] if pair is not None]

    @property
    def text(self) -> str:
        """The text of a tag or comment."""
        value = getattr(self.made, "textValue", None)
        return "" if value is None or value.val is None else str(value.val)

    @property
    def is_our_pairs(self) -> bool:
        """Whether it is where this software puts the pairs that people edit."""
        about = self.made.description
        return self.kind == "MapAnnotation" and self.ns == CLIENT and about is not None and about.val == MARK


@dataclass
class Annotated:
    """An object and its annotations, oldest first."""

    ref: Ref
    annotations: list[Annotation] = field(default_factory=list)

    def _last(self, candidates: Iterable[Annotation]) -> Annotation | None:
        return max(candidates, key=lambda a: a.id, default=None)

    @property
    def record(self) -> Annotation | None:
        """What keeps the document: the newest, if several users wrote one."""
        return self._last(a for a in self.annotations if a.ns == RECORD and a.kind == "MapAnnotation")

    @property
    def own(self) -> Annotation | None:
        """What keeps the pairs that were edited here."""
        return self._last(a for a in self.annotations if a.is_our_pairs)

    @property
    def own_pairs(self) -> Pairs:
        """The pairs that were edited here."""
        return self.own.pairs if self.own is not None else []

    @property
    def foreign_pairs(self) -> Pairs:
        """The pairs of everybody else, of keys that were not edited here."""
        mine = {key for key, _ in self.own_pairs}
        return [
            pair
            for a in self.annotations
            if a.kind == "MapAnnotation" and not a.ns.startswith(_OWN) and not a.is_our_pairs
            for pair in a.pairs
            if pair[0] not in mine
        ]

    @property
    def facts(self) -> dict[str, str]:
        """The pairs of the record."""
        return dict(self.record.pairs) if self.record is not None else {}

    def document(self) -> dict[str, Any] | None:
        """Read the document; None where there is none.

        Raises
        ------
        DocumentError
            It is not JSON.
        """
        return self._json("document")

    @property
    def values(self) -> dict[str, Any]:
        """The key-value pairs, as values."""
        return as_values([*self.own_pairs, *self.foreign_pairs], self._json("values") or {})

    def _json(self, key: str) -> dict[str, Any] | None:
        text = self.facts.get(key)
        if text is None:
            return None
        try:
            found = json.loads(text)
        except ValueError as error:
            raise DocumentError(str(self.ref), f"the annotation {RECORD} is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise DocumentError(str(self.ref), f"the annotation {RECORD} holds no object")
        return found

    def files(self, ns: str) -> list[Annotation]:
        """List the file annotations of a namespace."""
        return [a for a in self.annotations if a.kind == "FileAnnotation" and a.ns == ns]

    # changing

    def change(
        self,
        user: int,
        shared: frozenset[int],
        facts: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """Say what is to be saved so that the record says `facts`, and the key-value pairs are `values`.

        A key that only others say stays theirs as long as it has their values; it cannot be taken away here.

        Parameters
        ----------
        user
            Who writes: only annotations of the user's own are changed, else a new one is made.
        shared
            Annotations that other objects have, too; these are not changed either.
        """
        new_facts = {**self.facts, **(facts or {})}
        objects = []
        if values is not None:
            pairs, exact = self._wanted(values)
            new_facts["values"] = json.dumps(exact)
            if pairs != self.own_pairs:
                objects.append(self._written(self.own, CLIENT, pairs, user, shared, MARK))
            if not exact:
                del new_facts["values"]
        if new_facts != self.facts:
            objects.append(self._written(self.record, RECORD, list(new_facts.items()), user, shared))
        return objects

    def _wanted(self, values: Mapping[str, Any]) -> tuple[Pairs, dict[str, Any]]:
        foreign, own = grouped(self.foreign_pairs), grouped(self.own_pairs)
        wanted: dict[str, list[str]] = {}
        for key, value in values.items():
            texts = texts_of(value)
            is_theirs = key not in own and (foreign.get(key) == texts or (texts == [""] and key not in foreign))
            if not is_theirs:
                wanted[check_text("key", key)] = texts
        unwritten = {key: value for key, value in values.items() if key not in wanted and key not in foreign}
        return merged(self.own_pairs, wanted), exact_values(values) | unwritten

    def _written(
        self, current: Annotation | None, ns: str, pairs: Pairs, user: int, shared: frozenset[int], about: str = ""
    ) -> Any:
        if current is not None and current.owner == user and current.id not in shared:
            current.made.setMapValue(named_values(pairs))
            return current.made
        return link_to(self.ref, new_map_annotation(ns, pairs, about))


def link_to(ref: Ref, annotation: Any) -> Any:
    """Make the link that gives an object an annotation."""
    link = getattr(model(), f"{ref.link_class}I")()
    link.setParent(getattr(model(), f"{ref.omero_class}I")(ref.id, False))
    link.setChild(annotation)
    return link


def named_values(pairs: Pairs) -> list[Any]:
    """Make the client's pairs."""
    return [model().NamedValue(key, value) for key, value in pairs]


def new_map_annotation(ns: str, pairs: Pairs, description: str = "") -> Any:
    """Make a map annotation."""
    made = model().MapAnnotationI()
    made.setNs(rstring(ns))
    made.setMapValue(named_values(pairs))
    if description:
        made.setDescription(rstring(description))
    return made


def read_annotations(
    session: Session,
    kind: str,
    condition: str,
    parameters: Mapping[str, Any],
    joins: str = "",
    group: int = ALL_GROUPS,
) -> dict[int, Annotated]:
    """Read the annotations of many objects in one call.

    Parameters
    ----------
    kind
        Kind of the objects, see `bioimageit_omero.uris`.
    condition, joins
        HQL; ``l.parent`` is an object, the alias of `joins` is ``p``.
    """
    link = Ref(kind, 0).link_class
    text = f"select l from {link} l join fetch l.child a left outer join fetch a.file {joins} where {condition}"
    found: dict[int, Annotated] = {}
    for made in sorted(session.objects(text, parameters, group), key=lambda o: o.child.id.val):
        child, parent = made.child, int(made.parent.id.val)
        annotation = Annotation(
            int(child.id.val),
            type(child).__name__.removesuffix("I"),
            child.ns.val if child.ns is not None and child.ns.val is not None else "",
            _owner(child),
            int(made.id.val),
            _owner(made),
            child,
        )
        found.setdefault(parent, Annotated(Ref(kind, parent))).annotations.append(annotation)
    return found


def read_annotated(session: Session, refs: Sequence[Ref]) -> dict[int, Annotated]:
    """Read the annotations of objects of one kind."""
    if not refs:
        return {}
    ids = [ref.id for ref in refs]
    found = read_annotations(session, refs[0].kind, "l.parent.id in (:ids)", {"ids": ids})
    return {ref.id: found.get(ref.id, Annotated(ref)) for ref in refs}


def shared_annotations(session: Session, kind: str, ids: Sequence[int]) -> frozenset[int]:
    """Say which annotations more than one object has; those are not changed for the sake of one."""
    if not ids:
        return frozenset()
    link = Ref(kind, 0).link_class
    text = f"select l.child.id, count(l.id) from {link} l where l.child.id in (:ids) group by l.child.id"
    return frozenset(int(id_) for id_, count in session.rows(text, {"ids": list(ids)}) if count > 1)


def _owner(made: Any) -> int:
    return int(made.details.owner.id.val)
