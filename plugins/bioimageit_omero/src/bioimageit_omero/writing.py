"""Data come in, are annotated, and are written again."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioimageit_core.containers import Container, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.utils import format_date, generate_uuid

from bioimageit_omero import content
from bioimageit_omero.annotations import (
    CLIENT,
    MARK,
    RECORD,
    RESULT,
    link_to,
    new_map_annotation,
    shared_annotations,
)
from bioimageit_omero.base import group_of, text_of
from bioimageit_omero.experiments import ProjectState
from bioimageit_omero.ice import model, rstring
from bioimageit_omero.reading import Reading, Stored
from bioimageit_omero.uris import DATASET, FILE, IMAGE, RUN, Ref
from bioimageit_omero.values import check_text, exact_values, merged, texts_of

__all__ = ["Writing"]

_AT_ONCE = 2000


class Writing(Reading):
    """Writes data."""

    # raw data

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = dict,
    ) -> RawData:
        """Bring a file or Zarr directory into the raw dataset; if it is there already, give the data that is there."""
        state = self.state_of(experiment.md_uri)
        path = Path(data_path)
        digest = content.file_digest(path)
        pairs = {} if key_value_pairs is dict or key_value_pairs is None else dict(key_value_pairs)
        known = self._known_sources(state.raw_dataset, digest)
        ref = known.get((digest, name)) or self._import(
            state, path, digest, RawData("", "", name, author, format_date(date), format_, key_value_pairs=pairs)
        )
        for key in pairs:
            experiment.set_key(key)
        return self.get_raw_data(self.uris.of(ref))

    def import_dir(
        self,
        experiment: Experiment,
        dir_uri: str,
        filter_: str,
        author: str,
        format_: str,
        date: str,
        directory_tag_key: str = "",
        observers: list[Observer] | None = None,
    ) -> None:
        """Bring every file of a directory whose name matches into the raw dataset; a Zarr directory is one data."""
        try:
            pattern = re.compile(filter_)
            names = sorted(name for name in os.listdir(dir_uri) if pattern.search(name))
        except (re.error, OSError) as error:
            raise DataServiceError(f"cannot import {dir_uri!r} with the filter {filter_!r}: {error}") from error
        paths = [Path(dir_uri, name) for name in names]
        paths = [path for path in paths if path.is_file() or path.suffix == ".zarr"]
        state = self.state_of(experiment.md_uri)
        known = self._known_sources(state.raw_dataset)
        tag = {directory_tag_key: Path(os.path.abspath(dir_uri)).name} if directory_tag_key else {}
        for number, path in enumerate(paths, 1):
            digest = content.file_digest(path)
            if (digest, path.name) not in known:
                data = RawData("", "", path.name, author, format_date(date), format_, key_value_pairs=dict(tag))
                known[digest, path.name] = self._import(state, path, digest, data)
                if not set(tag) <= set(state.keys):
                    state = self.state_of(experiment.md_uri)
            for observer in observers or []:
                observer.notify_progress(100 * number // len(paths), path.name)
        for key in tag if paths else []:
            experiment.set_key(key)

    def _import(self, state: ProjectState, path: Path, digest: str, data: RawData) -> Ref:
        self.check_name("data", data.name)
        for key in data.key_value_pairs:
            check_text("key", key)
        if not state.raw_dataset:
            raise DataServiceError(f"{text_of(state.made.name)!r} has no dataset for raw data")
        dataset = Ref(DATASET, state.raw_dataset)
        data.uuid = generate_uuid()
        facts = self._raw_facts(data)
        exact = exact_values(data.key_value_pairs)
        if exact:
            facts["values"] = self.json(exact)
        keep = self.settings.originals
        new = content.store(self.session, path, data.name, dataset, state.group, keep_original=keep, digest=digest)
        try:
            objects = [*new.objects, self.link_record(new.ref, {**facts, **new.facts})]
            texts = {key: texts_of(value) for key, value in data.key_value_pairs.items()}
            if texts:
                objects.append(link_to(new.ref, new_map_annotation(CLIENT, merged([], texts), MARK)))
            self._save_with_keys(state, objects, list(data.key_value_pairs))
        except DataServiceError:
            content.discard(self.session, new.made, state.group)
            raise
        return new.ref

    def _save_with_keys(self, state: ProjectState, objects: list[Any], keys: list[str]) -> None:
        """Save objects and the tags of new keys together; look again if somebody else tagged the project meanwhile."""
        while True:
            try:
                self.session.save([*objects, *self.new_tags(state, keys)], state.group)
                return
            except DataServiceError:
                fresh = self.state_of(self.uris.of(state.ref))
                if fresh.keys == state.keys:
                    raise
                state = fresh

    def _known_sources(self, dataset: int, digest: str = "") -> dict[tuple[str, str], Ref]:
        """Give the data that were imported into a dataset, by checksum of the source and name."""
        found: dict[tuple[str, str], Ref] = {}
        for kind, link, name, joins in (
            (IMAGE, "ImageAnnotationLink", "p.name", "join p.datasetLinks x where x.parent.id"),
            (
                FILE,
                "AnnotationAnnotationLink",
                "p.description",
                ", DatasetAnnotationLink x where x.child.id = p.id and x.parent.id",
            ),
        ):
            text = (
                f"select p.id, {name}, mv.value from {link} l join l.child a join a.mapValue mv join l.parent p "
                f"{joins} = :id and a.ns = :ns and mv.name = 'sha1'"
            )
            parameters: dict[str, Any] = {"id": dataset, "ns": RECORD}
            if digest:
                text, parameters["digest"] = f"{text} and mv.value = :digest", digest
            for id_, called, value in self.session.rows(text, parameters):
                found[str(value), str(called)] = Ref(kind, int(id_))
        return found

    def update_raw_data(self, raw_data: RawData) -> None:
        """Write a raw data; pairs of other people's annotations stay theirs."""
        self.again(lambda: self._update(raw_data, "raw data"))

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        """Write a processed data."""
        self.again(lambda: self._update(processed_data, "processed data"))

    def _update(self, data: RawData | ProcessedData, what: str) -> None:

        stored = self.stored(data.md_uri, what)
        if stored.kind not in ("", what.split()[0]):
            raise NotFoundError(what, data.md_uri)
        self.check_name("data", data.name)
        user, shared = self.session.user, self._shared([stored])
        if isinstance(data, RawData):
            objects = stored.annotated.change(user, shared, self._raw_facts(data), data.key_value_pairs)
        else:
            objects = stored.annotated.change(user, shared, self._processed_facts(data))
        called = stored.made.name if stored.ref.kind == IMAGE else stored.made.description
        if text_of(called) != data.name:
            if stored.ref.kind == IMAGE:
                stored.made.setName(rstring(data.name))
            else:
                stored.made.setDescription(rstring(data.name))
            objects.append(stored.made)
        self.session.save(objects, stored.group)
        attached = stored.annotated.files(RESULT)
        if isinstance(data, ProcessedData) and attached and attached[-1].owner == user:
            text = self._processed_facts(data)["document"].encode("ascii")
            self.rewrite(int(attached[-1].made.file.id.val), text, stored.group)

    def annotate_data(self, dataset: Container, pairs: Mapping[str, Mapping[str, Any]]) -> None:
        """Set pairs of many raw data of one dataset; the number of calls does not grow with them."""
        self.uris.read(dataset.md_uri, "dataset", DATASET)
        items = list(pairs.items())
        for start in range(0, len(items), _AT_ONCE):
            chunk = dict(items[start : start + _AT_ONCE])
            self.again(lambda chunk=chunk: self._annotate(chunk))  # type: ignore[misc]

    def _annotate(self, pairs: Mapping[str, Mapping[str, Any]]) -> None:
        refs = {self.uris.read(md_uri, "raw data", IMAGE, FILE): wanted for md_uri, wanted in pairs.items()}
        known = self.stored_many(list(refs))
        missing = next((ref for ref in refs if ref not in known or known[ref].kind == "processed"), None)
        if missing is not None:
            raise NotFoundError("raw data", self.uris.of(missing))
        shared = self._shared(list(known.values()))
        by_group: dict[int, list[Any]] = {}
        for ref, wanted in refs.items():
            stored = known[ref]
            values = {key: value for key, value in {**stored.annotated.values, **wanted}.items() if value is not None}
            objects = stored.annotated.change(self.session.user, shared, None, values)
            by_group.setdefault(stored.group, []).extend(objects)
        for group, objects in by_group.items():
            self.session.save(objects, group)

    def _shared(self, stored: list[Stored]) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        for kind in (IMAGE, FILE):
            mine = [a for s in stored if s.ref.kind == kind for a in (s.annotated.own, s.annotated.record) if a]
            found |= shared_annotations(self.session, kind, [a.id for a in mine])
        return found

    # processed data

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Store a processed data with its file, and list it in its dataset."""
        ref = self.uris.read(dataset.md_uri, "dataset", DATASET)
        group = group_of(self.one("Dataset", ref, dataset.md_uri, "dataset"))
        run_ref = self.uris.read(run.md_uri, "run", RUN)
        self.one("FileAnnotation", run_ref, run.md_uri, "run")
        self.check_name("data", processed_data.name)
        path = Path(processed_data.uri.removeprefix("file://"))
        digest = content.file_digest(path)
        new = ProcessedData(run=Container(self.uris.of(run_ref), run.uuid))
        new.set_info(processed_data.name, processed_data.author, processed_data.date, processed_data.format, "")
        new.inputs, new.output = list(processed_data.inputs), dict(processed_data.output)
        new.uuid, new.extra = processed_data.uuid or generate_uuid(), processed_data.extra
        facts = self._processed_facts(new)
        keep = self.settings.originals
        stored = content.store(self.session, path, new.name, ref, group, keep_original=keep, digest=digest)
        try:
            objects = [*stored.objects, self.link_record(stored.ref, {**facts, **stored.facts})]
            if stored.ref.kind == IMAGE:
                attached = self.attach_json(facts["document"], "processed_data.md.json", RESULT, group, stored.made)
                objects.append(link_to(stored.ref, attached))
            self.session.save(objects, group)
        except DataServiceError:
            content.discard(self.session, stored.made, group)
            raise
        self.forget_scratch(path)
        return self.get_processed_data(self.uris.of(stored.ref))

    def attach_json(self, text: str, name: str, ns: str, group: int, made: dict[str, list[int]]) -> Any:
        """Upload a document, and make the annotation that has it."""
        path = self.scratch_path(name)
        try:
            path.write_text(text, encoding="ascii")
            file = self.session.upload(path, name, "application/json", group)
        finally:
            self.forget_scratch(path)
        made.setdefault("OriginalFile", []).append(int(file.id.val))
        annotation = model().FileAnnotationI()
        annotation.setFile(file)
        annotation.setNs(rstring(ns))
        return annotation

    def rewrite(self, file_id: int, text: bytes, group: int) -> None:
        """Give an attached document other content."""
        with self.session.stateful("createRawFileStore", group=group, is_write=True) as store:
            store.setFileId(file_id)
            store.write(text, 0, len(text))
            store.truncate(len(text))
            store.save()

    # documents

    def json(self, value: Any) -> str:
        """Write a value as JSON in ASCII."""
        import json

        try:
            return json.dumps(value)
        except (TypeError, ValueError) as error:
            raise DataServiceError(f"a value cannot be said in JSON: {error}") from error

    def _raw_facts(self, data: RawData) -> dict[str, str]:
        return {"uuid": data.uuid, "type": "raw", "document": self.document(data, "key_value_pairs", "common.url")}

    def _processed_facts(self, data: ProcessedData) -> dict[str, str]:
        return {"uuid": data.uuid, "type": "processed", "document": self.document(data, "common.url")}

    # of the local copies

    def scratch_path(self, name: str) -> Path:
        """Give a path of its own for a local file."""
        raise NotImplementedError

    def forget_scratch(self, path: Path) -> None:
        """Remove a local file, if it is one of ours."""
        raise NotImplementedError
