"""Raw and processed data, read one by one or many at once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import Container, Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import DocumentError, NotFoundError
from bioimageit_core.core.query import fields_of, parse_query
from bioimageit_core.core.records import container_of

from bioimageit_omero.annotations import DATA, ORIGINAL, RESULT, Annotated, read_annotated, read_annotations
from bioimageit_omero.base import creation_date, group_of, owner_name, text_of
from bioimageit_omero.experiments import Experiments, keys_of
from bioimageit_omero.pixels import image_info
from bioimageit_omero.uris import DATASET, FILE, IMAGE, PROJECT, Ref

__all__ = ["Reading", "Stored"]

_RESULT_NAME = "processed_data.md.json"
_CHUNK = 10_000
_LONGEST_DOCUMENT = 64 * 2**20
_DEEPEST = 1000


@dataclass
class Stored:
    """A data as the server has it."""

    made: Any
    annotated: Annotated

    @property
    def ref(self) -> Ref:
        """The data."""
        return self.annotated.ref

    @property
    def group(self) -> int:
        """Its group."""
        return group_of(self.made)

    @property
    def kind(self) -> str:
        """``raw``, ``processed``, or ``''`` for an image that did not come from here and could be either."""
        known = self.annotated.facts.get("type", "")
        return known or ("processed" if self.result_file is not None else "")

    @property
    def result_file(self) -> Any:
        """The attached document of a processed data, as other software writes it too."""
        for annotation in self.annotated.annotations:
            if annotation.kind == "FileAnnotation" and annotation.made.file is not None:
                is_named = text_of(annotation.made.file.name) == _RESULT_NAME
                if annotation.ns == RESULT or is_named:
                    return annotation.made.file
        return None

    @property
    def content(self) -> Any:
        """The ``OriginalFile`` that has the data's bytes; None where there are only pixels."""
        if self.ref.kind == FILE:
            return self.made.file
        originals = self.annotated.files(ORIGINAL)
        return originals[-1].made.file if originals else None


class Reading(Experiments):
    """Reads data."""

    def get_raw_data(self, md_uri: str) -> RawData:
        """Read a raw data; any image of the server that is not a result can be read as one."""
        stored = self.stored(md_uri, "raw data")
        if stored.kind == "processed":
            raise NotFoundError("raw data", str(md_uri))
        data = self._raw(stored, self._keys_of_data(stored.ref))
        if stored.annotated.record is None and stored.ref.kind == IMAGE:
            with contextlib.suppress(NotFoundError):  # an image without pixels
                data.metadata = image_info(self.session, stored.ref.id, data.md_uri).metadata()
        return data

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        """Read a processed data."""
        stored = self.stored(md_uri, "processed data")
        if stored.kind == "raw":
            raise NotFoundError("processed data", str(md_uri))
        return self._processed(stored)

    def stored(self, md_uri: str, what: str) -> Stored:
        """Read what the server has of a data.

        Raises
        ------
        NotFoundError
            There is none.
        """
        ref = self.uris.read(md_uri, what, IMAGE, FILE)
        found = self.stored_many([ref]).get(ref)
        if found is None:
            raise NotFoundError(what, str(md_uri))
        return found

    def stored_many(self, refs: Sequence[Ref]) -> dict[Ref, Stored]:
        """Read what the server has of many data: two calls for images, two for other files, however many they are."""
        found: dict[Ref, Stored] = {}
        for kind, fetch, condition in ((IMAGE, "", ""), (FILE, "join fetch o.file", " and o.ns = :ns")):
            mine = list(dict.fromkeys(ref for ref in refs if ref.kind == kind))
            for start in range(0, len(mine), _CHUNK):
                chunk = mine[start : start + _CHUNK]
                text = (
                    f"select o from {chunk[0].omero_class} o join fetch o.details.owner "
                    f"join fetch o.details.creationEvent {fetch} where o.id in (:ids){condition}"
                )
                parameters: dict[str, Any] = {"ids": [ref.id for ref in chunk]}
                if kind == FILE:
                    parameters["ns"] = DATA
                made = {int(o.id.val): o for o in self.session.objects(text, parameters)}
                annotated = read_annotated(self.session, [ref for ref in chunk if ref.id in made])
                found |= {ref: Stored(made[ref.id], annotated[ref.id]) for ref in chunk if ref.id in made}
        return found

    # containers

    def _raw(self, stored: Stored, keys: Sequence[str]) -> RawData:
        uri = self.uris.of(stored.ref)
        document = stored.annotated.document()
        data: RawData
        if document is None:
            data = RawData(uri, author=owner_name(stored.made), date=creation_date(stored.made), format="imagetiff")
        else:
            data = container_of(RawData, document, uri, self.resolve)
        self._complete(data, stored)
        data.key_value_pairs = {**stored.annotated.values}
        for key in keys:
            data.key_value_pairs.setdefault(key, "")
        return data

    def _processed(self, stored: Stored) -> ProcessedData:
        uri = self.uris.of(stored.ref)
        document = stored.annotated.document()
        if document is None and stored.result_file is not None:
            document = self.read_json(stored.result_file, uri)
        data: ProcessedData
        if document is None:
            data = ProcessedData(uri, author=owner_name(stored.made), date=creation_date(stored.made))
            data.format = "imagetiff"
        else:
            data = container_of(ProcessedData, document, uri, self._resolve_data)
        self._complete(data, stored)
        return data

    def _resolve_data(self, url: Any) -> str:
        """Make a URI of what stands in a document; a bare number, which other software writes, means an image."""
        return self.uris.of(Ref(IMAGE, int(url))) if str(url).isdigit() else self.resolve(url)

    def _complete(self, data: RawData | ProcessedData, stored: Stored) -> None:
        data.uuid = self.identity(stored.annotated)
        data.uri = data.md_uri
        if stored.ref.kind == IMAGE:
            data.name = text_of(stored.made.name)
        elif not data.name:
            data.name = text_of(stored.made.file.name)

    def read_json(self, file: Any, uri: str) -> dict[str, Any]:
        """Read an attached document.

        Raises
        ------
        DocumentError
            It is not a JSON object, or too long for one.
        """
        size = int(file.size.val) if file.size is not None else 0
        if size > _LONGEST_DOCUMENT:
            raise DocumentError(uri, f"the attached document has {size} bytes, at most {_LONGEST_DOCUMENT} are read")
        try:
            found = json.loads(b"".join(self.session.read_file(int(file.id.val), size)))
        except ValueError as error:
            raise DocumentError(uri, f"the attached document is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise DocumentError(uri, "the attached document holds no object")
        return found

    def _keys_of_data(self, ref: Ref) -> list[str]:
        links = "imageLinks" if ref.kind == IMAGE else "annotationLinks"
        joins = f"join l.parent p join p.datasetLinks pl join pl.child d join d.{links} x"
        found = read_annotations(self.session, PROJECT, "x.child.id = :id", {"id": ref.id}, joins)
        return list(dict.fromkeys(key for annotated in found.values() for key in keys_of(annotated)))

    def _keys_of_dataset(self, ref: Ref) -> list[str]:
        joins = "join l.parent p join p.datasetLinks pl"
        found = read_annotations(self.session, PROJECT, "pl.child.id = :id", {"id": ref.id}, joins)
        return list(dict.fromkeys(key for annotated in found.values() for key in keys_of(annotated)))

    # queries

    def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
        """Give the data of a dataset that `query` selects, in the dataset's order.

        The number of calls to the server does not grow with the data, only with the depth of their lineage.
        """
        parsed = parse_query(query)
        ref = self.uris.read(dataset.md_uri, "dataset", DATASET)
        annotated = read_annotated(self.session, [ref])[ref.id]
        self.one("Dataset", ref, dataset.md_uri, "dataset")
        entries = self.entries(ref, annotated)
        known = self.stored_many(entries)
        keys = self._keys_of_dataset(ref)
        data = {entry: self._either(known[entry], keys) for entry in entries if entry in known}
        origins = self._origins(data, keys)
        for entry, found in data.items():
            output = found.output.get("name", "") if isinstance(found, ProcessedData) else ""
            if origin_output_name and output != origin_output_name:
                continue
            origin = origins.get(entry)
            if parsed.matches(fields_of(found, origin)):
                yield found

    def _either(self, stored: Stored, keys: Sequence[str]) -> RawData | ProcessedData:
        return self._processed(stored) if stored.kind == "processed" else self._raw(stored, keys)

    def _origins(self, data: dict[Ref, Any], keys: Sequence[str]) -> dict[Ref, RawData]:
        """Find the raw data that each comes from, following the first input of each, level by level."""
        known: dict[Ref, Any] = dict(data)
        at = {ref: self._first_input(found) for ref, found in data.items() if isinstance(found, ProcessedData)}
        origins: dict[Ref, RawData] = {}
        for _ in range(_DEEPEST):
            wanted = {ref for ref in at.values() if ref is not None}
            for ref, stored in self.stored_many([ref for ref in wanted if ref not in known]).items():
                known[ref] = self._either(stored, keys)
            following: dict[Ref, Ref | None] = {}
            for start, current in at.items():
                found = known.get(current) if current is not None else None
                if isinstance(found, RawData):
                    origins[start] = found
                elif isinstance(found, ProcessedData):
                    following[start] = self._first_input(found)
            at = following
            if not at:
                return origins
        raise DocumentError(str(next(iter(at))), "its inputs lead back to itself", "$.origin")

    def _first_input(self, data: ProcessedData) -> Ref | None:
        if not data.inputs:
            return None
        try:
            return self.uris.read(data.inputs[0].uri, "data", IMAGE, FILE)
        except NotFoundError:
            return None
