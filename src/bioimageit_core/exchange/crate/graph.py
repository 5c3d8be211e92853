"""The graph of a crate: entities of the `rocrate` library, each made once."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bioimageit_core.core.exceptions import DataServiceError

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

__all__ = ["TERMS", "WORKFLOW_RUN", "Graph", "Reference", "identifier", "library", "media_type"]

WORKFLOW_RUN = "https://w3id.org/ro/terms/workflow-run#"
TERMS = (
    "ContainerImage",
    "DockerImage",
    "ParameterConnection",
    "SIFImage",
    "connection",
    "containerImage",
    "environment",
    "registry",
    "resourceUsage",
    "sha256",
    "sourceParameter",
    "tag",
    "targetParameter",
)
"""Terms of the Workflow Run namespace that crates use, written into the context so that it needs no second document."""

Reference = dict[str, str]


def library() -> Any:
    """Import the library that crates are written and read with.

    Raises
    ------
    DataServiceError
        It is not installed.
    """
    try:
        import rocrate.rocrate
    except ImportError as error:
        raise DataServiceError(
            "RO-Crates need the package rocrate: pip install 'bioimageit-core[ro-crate]' gets it"
        ) from error
    return rocrate.rocrate


def identifier(*parts: str) -> str:
    """Make the identifier of an entity that is no file: a fragment of the crate's own URI."""
    return "#" + "/".join(quote(part, safe="") for part in parts)


def media_type(path: str) -> str:
    """Name the media type of a file by its extension, as IANA registers it."""
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


class Graph:
    """What a crate says, added entity by entity; one that is there already stays as it is."""

    def __init__(self) -> None:
        module = library()
        # the profiles of Workflow Run Crate 0.5 build on RO-Crate 1.1
        self.crate: ROCrate = module.ROCrate(version="1.1")
        self.crate.metadata.extra_terms.update({term: WORKFLOW_RUN + term for term in TERMS})
        self._entity = module.ContextEntity
        self._known: dict[str, Any] = {}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._known

    def add(self, id_: str, type_: str | list[str], /, **properties: Any) -> Reference:
        """Say something of what is no file; properties without a value are left out."""
        if id_ not in self._known:
            body = {"@type": type_, **_said(properties)}
            self._known[id_] = self.crate.add(self._entity(self.crate, id_, body))
        return {"@id": id_}

    def add_file(self, path: str, /, type_: str | list[str] = "File", **properties: Any) -> Reference:
        """Say something of a file; one with an absolute path is referenced, not part of the payload."""
        return self._data(self.crate.add_file, path, {"@type": type_, **_said(properties)})

    def add_directory(self, path: str, /, **properties: Any) -> Reference:
        """Say something of a directory."""
        return self._data(self.crate.add_dataset, path, _said(properties))

    def _data(self, add: Any, path: str, properties: dict[str, Any]) -> Reference:
        if os.path.isabs(path):
            entity = add(source=Path(path).as_uri(), properties=properties)
        else:
            entity = add(dest_path=path, properties=properties)
        self._known[entity.id] = entity
        return {"@id": entity.id}

    def of(self, reference: Reference) -> dict[str, Any]:
        """Give what was said of an entity."""
        said: dict[str, Any] = self._known[reference["@id"]].properties()
        return said

    def append(self, id_: str, key: str, value: Any) -> None:
        """Add a value to a property of an entity that is there, once."""
        said = self._known[id_].properties().get(key, [])
        if value not in (said if isinstance(said, list) else [said]):
            self._known[id_].append_to(key, value, compact=True)

    def describe_root(self, **properties: Any) -> None:
        """Say something of the crate as a whole."""
        for key, value in _said(properties).items():
            self.crate.root_dataset[key] = value

    def write(self, folder: str) -> None:
        """Write ``ro-crate-metadata.json``."""
        parts = self.crate.root_dataset.properties()
        if len(parts.get("hasPart", ())) == 1:
            parts["hasPart"] = parts["hasPart"][0]
        self.crate.metadata.write(folder)


def _said(properties: dict[str, Any]) -> dict[str, Any]:
    said = {}
    for key, value in properties.items():
        if isinstance(value, list) and len(value) == 1:
            value = value[0]  # RO-Crate 1.1, 3.2: a single value stands by itself
        if value not in (None, "", [], {}):
            said[key] = value
    return said
