"""What the parts of the service share: the session, URIs, documents."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bioimageit_core.core.exceptions import ConflictError, DataServiceError, NotFoundError
from bioimageit_core.core.records import document_of

from bioimageit_omero.annotations import Annotated, link_to, new_map_annotation
from bioimageit_omero.session import Session
from bioimageit_omero.settings import Settings
from bioimageit_omero.uris import FILE, IMAGE, PROJECT, RUN, Ref, Uris
from bioimageit_omero.values import check_text

__all__ = ["LONGEST_NAME", "Base"]

T = TypeVar("T")

LONGEST_NAME = 255
_TRIES = 5
_SHORT = {kind: kind for kind in (PROJECT, IMAGE, FILE, RUN, "Dataset")}


class Base:
    """The session of a service, and how its documents are written."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.session = Session(settings)
        self.uris = Uris(settings.host, settings.port)
        self._scratch: Path | None = None

    # documents

    def relate(self, url: str) -> str:
        """Write a URI of this server shortly, so that documents do not depend on the server's name."""
        prefix = f"omero://{self.uris.place}/"
        return url.removeprefix(prefix).replace("/", ":", 1) if url.startswith(prefix) else url

    def resolve(self, url: Any) -> str:
        """Make a URI of what stands in a document."""
        kind, separator, number = str(url).partition(":")
        return self.uris.of(Ref(kind, int(number))) if separator and kind in _SHORT and number.isdigit() else str(url)

    def document(self, container: Any, *without: str) -> str:
        """Write a container as JSON in ASCII, which OMERO keeps whatever it says; the keys `without` are left empty."""
        try:
            document = document_of(container, self.relate)
            for key in without:
                outer, _, inner = key.rpartition(".")
                holder = document[outer] if outer else document
                holder[inner] = type(holder[inner])()
            return json.dumps(document, ensure_ascii=True, allow_nan=True)
        except (TypeError, ValueError) as error:
            raise DataServiceError(f"{container.name!r} holds what JSON cannot say: {error}") from error

    def identity(self, annotated: Annotated) -> str:
        """Give the identity of an object: that of its record, else one made of where it is."""
        known = annotated.facts.get("uuid", "")
        return known or self.uris.identity(self.session.database, annotated.ref)

    def record(self, facts: dict[str, str]) -> Any:
        """Make the annotation that keeps a record."""
        from bioimageit_omero.annotations import RECORD

        return new_map_annotation(RECORD, list(facts.items()))

    def link_record(self, ref: Ref, facts: dict[str, str]) -> Any:
        """Make the link that gives an object its record."""
        return link_to(ref, self.record(facts))

    # names and groups

    def check_name(self, kind: str, name: str) -> str:
        """Return a name that OMERO can keep.

        Raises
        ------
        InvalidNameError
            It is empty, too long, or holds a character that OMERO cannot keep.
        """
        from bioimageit_core.core.exceptions import InvalidNameError

        if not name:
            raise InvalidNameError(kind, name, "a name is needed")
        return check_text(kind, name, LONGEST_NAME)

    def group_of(self, destination: str) -> int:
        """Say which group a destination or workspace means: a group's name, or the default for a path or ``''``."""
        looks_like_path = "/" in destination or "\\" in destination or destination.startswith((".", "~"))
        if not destination or looks_like_path:
            return self.session.default_group
        return self.session.group_named(destination)

    # calls

    def one(self, cls: str, ref: Ref, uri: str, what: str, fetch: str = "") -> Any:
        """Read one object with its owner and the date of its creation.

        Raises
        ------
        NotFoundError
            There is none that the user may see.
        """
        text = (
            f"select o from {cls} o join fetch o.details.owner join fetch o.details.creationEvent {fetch} "
            "where o.id = :id"
        )
        found = self.session.objects(text, {"id": ref.id})
        if not found:
            raise NotFoundError(what, uri)
        return found[0]

    def again(self, change: Callable[[], T]) -> T:
        """Read, change and write; once more if somebody else wrote in between."""
        for _ in range(_TRIES - 1):
            try:
                return change()
            except ConflictError:
                continue
        return change()


def owner_name(made: Any) -> str:
    """Give the name of who owns an object."""
    owner = made.details.owner
    parts = [getattr(owner, part) for part in ("firstName", "lastName")]
    full = " ".join(str(p.val) for p in parts if p is not None and p.val)
    return full or str(owner.omeName.val)


def creation_date(made: Any) -> str:
    """Give the day on which an object was made, in ISO form."""
    seconds = made.details.creationEvent.time.val / 1000
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()


def group_of(made: Any) -> int:
    """Give the group of an object."""
    return int(made.details.group.id.val)


def text_of(value: Any) -> str:
    """Give the text of one of the client's strings."""
    return "" if value is None or value.val is None else str(value.val)
