"""URIs of what is kept in a server: ``omero://host:4064/Image/12``."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from bioimageit_core.core.exceptions import NotFoundError

__all__ = ["DATASET", "FILE", "IMAGE", "PROJECT", "RUN", "Ref", "Uris"]

PROJECT, DATASET, IMAGE, FILE, RUN = "Project", "Dataset", "Image", "File", "Run"
"""What a URI can be of. `FILE` is a data that is no image, `RUN` a run: both are file annotations in OMERO."""

_KINDS = {kind.lower(): kind for kind in (PROJECT, DATASET, IMAGE, FILE, RUN)}
_URI = re.compile(r"(?:omero://(?P<place>[^/]+)/)?(?P<kind>[A-Za-z]+)[/:](?P<id>\d{1,18})")


@dataclass(frozen=True)
class Ref:
    """An object of a server."""

    kind: str
    id: int

    @property
    def omero_class(self) -> str:
        """Its class in OMERO's model."""
        return "FileAnnotation" if self.kind in (FILE, RUN) else self.kind

    @property
    def link_class(self) -> str:
        """The class of the links that annotate it."""
        return "AnnotationAnnotationLink" if self.kind in (FILE, RUN) else f"{self.kind}AnnotationLink"

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Uris:
    """Makes and reads the URIs of one server.

    Examples
    --------
    >>> uris = Uris("omero.example.org", 4064)
    >>> uris.of(Ref("Image", 12))
    'omero://omero.example.org:4064/Image/12'
    >>> uris.read("Image:12", "raw data", "Image")
    Ref(kind='Image', id=12)
    """

    def __init__(self, host: str, port: int) -> None:
        self.place = f"{re.sub(r'^[a-z]+://', '', host).split('/')[0].split(':')[0].lower()}:{port}"

    def of(self, ref: Ref) -> str:
        """Make the URI of an object."""
        return f"omero://{self.place}/{ref.kind}/{ref.id}"

    def read(self, uri: object, what: str, *kinds: str) -> Ref:
        """Read a URI of this server: the long form, ``Image:12``, or a number where only one kind can be meant.

        Raises
        ------
        NotFoundError
            It is none, of another server, or of another kind than `kinds`.
        """
        text = str(uri)
        if text.isdigit() and len(text) < 19:
            return Ref(kinds[0], int(text))
        match = _URI.fullmatch(text)
        kind = _KINDS.get(match["kind"].lower()) if match else None
        is_here = match is not None and match["place"] in (None, self.place)
        if match is None or kind not in kinds or not is_here:
            raise NotFoundError(what, text)
        return Ref(kind, int(match["id"]))

    def identity(self, database: str, ref: Ref) -> str:
        """Make the identity of an object that has none of its own: always the same for the same object."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"omero:{database}:{ref}"))
