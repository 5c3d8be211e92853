"""The data service: everything that `bioimageit_core` asks of a home, kept in an OMERO server."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from bioimageit_core.containers import Container, Data, Dataset, ProcessedData, Run
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError, UnsupportedError
from bioimageit_core.core.formats import load_formats
from bioimageit_core.core.paths import storable_name
from bioimageit_core.core.records import container_of
from bioimageit_core.core.utils import generate_uuid
from bioimageit_core.plugins.contracts import DataService

from bioimageit_omero import content
from bioimageit_omero.annotations import RUN_NS, TABLE, link_to, read_annotated, shared_annotations
from bioimageit_omero.base import group_of, text_of
from bioimageit_omero.pixels import LazyImage, image_info
from bioimageit_omero.tables import Columns, is_table, read_csv, read_table
from bioimageit_omero.uris import DATASET, IMAGE, RUN, Ref
from bioimageit_omero.writing import Writing

__all__ = ["OmeroMetadataService"]

_RUN_NAME = "run.md.json"


class OmeroMetadataService(Writing, DataService):
    """Experiments are Projects, datasets are Datasets, data are Images or attached files.

    Nothing is connected to before it is needed. Methods may be called from several threads.
    """

    # runs

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        """Store a run as an attached ``run.md.json`` of its dataset."""
        ref = self.uris.read(dataset.md_uri, "dataset", DATASET)
        group = group_of(self.one("Dataset", ref, dataset.md_uri, "dataset"))
        identity = self.identity(read_annotated(self.session, [ref])[ref.id])
        run = Run("", run_info.uuid or generate_uuid(), run_info.process_name, run_info.process_uri)
        run.processed_dataset = Container(self.uris.of(ref), identity)
        run.parameters, run.inputs, run.extra = run_info.parameters, run_info.inputs, run_info.extra
        facts = self._run_facts(run)
        made: dict[str, list[int]] = {}
        try:
            annotation = self.attach_json(facts["document"], _RUN_NAME, RUN_NS, group, made)
            annotation.linkAnnotation(self.record(facts))
            (link,) = self.session.save([link_to(ref, annotation)], group)
        except DataServiceError:
            content.discard(self.session, made, group)
            raise
        return self.get_run(self.uris.of(Ref(RUN, int(link.child.id.val))))

    def get_run(self, md_uri: str) -> Run:
        """Read a run."""
        ref = self.uris.read(md_uri, "run", RUN)
        made = self.one("FileAnnotation", ref, md_uri, "run", "join fetch o.file")
        return self._runs([made])[0]

    def update_run(self, run: Run) -> None:
        """Write a run again."""
        self.again(lambda: self._update_run(run))

    def _update_run(self, run: Run) -> None:
        ref = self.uris.read(run.md_uri, "run", RUN)
        made = self.one("FileAnnotation", ref, run.md_uri, "run", "join fetch o.file")
        annotated = read_annotated(self.session, [ref])[ref.id]
        ids = [annotated.record.id] if annotated.record else []
        shared = shared_annotations(self.session, RUN, ids)
        facts = self._run_facts(run)
        self.rewrite(int(made.file.id.val), facts["document"].encode("ascii"), group_of(made))
        self.session.save(annotated.change(self.session.user, shared, facts), group_of(made))

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset, oldest first."""
        ref = self.uris.read(dataset.md_uri, "dataset", DATASET)
        self.one("Dataset", ref, dataset.md_uri, "dataset")
        text = "select l from DatasetAnnotationLink l join fetch l.child a join fetch a.file where l.parent.id = :id"
        links = self.session.objects(text, {"id": ref.id})
        found = [link.child for link in links if type(link.child).__name__ == "FileAnnotationI" and _is_run(link.child)]
        return self._runs(sorted(found, key=lambda a: a.id.val))

    def _runs(self, annotations: list[Any]) -> list[Run]:
        annotated = read_annotated(self.session, [Ref(RUN, int(a.id.val)) for a in annotations])
        runs = []
        for made in annotations:
            ref = Ref(RUN, int(made.id.val))
            document = annotated[ref.id].document()
            if document is None:
                document = self.read_json(made.file, self.uris.of(ref))
            run: Run = container_of(Run, document, self.uris.of(ref), self._resolve_run)
            run.uuid = run.uuid or self.identity(annotated[ref.id])
            runs.append(run)
        return runs

    def _resolve_run(self, url: Any) -> str:
        return self.uris.of(Ref(DATASET, int(url))) if str(url).isdigit() else self.resolve(url)

    def _run_facts(self, run: Run) -> dict[str, str]:
        return {"uuid": run.uuid, "type": "run", "document": self.document(run)}

    # files

    def create_data_uri(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:  # noqa: ARG002
        """Set ``processed_data.uri`` to a local path of its own; `create_data` uploads what is there."""
        formats = load_formats()
        extension = formats.get(processed_data.format).extension if processed_data.format in formats else ""
        name = storable_name(processed_data.name or "output")
        if extension and not name.lower().endswith(f".{extension.lower()}"):
            name = storable_name(f"{name}.{extension}")
        processed_data.uri = str(self.scratch_path(name))
        return processed_data

    def get_data_uri(self, data: Data) -> str:
        """Make a local copy that a tool can read, and return its path."""
        stored = self.stored(data.md_uri, "data")
        name = text_of(stored.content.name) if stored.content is not None else f"{text_of(stored.made.name)}.ome.tif"
        if stored.annotated.facts.get("content") == "directory":
            name = name.removesuffix(".zip")
        target = self.scratch_path(storable_name(name))
        content.fetch(self.session, stored.ref, data.md_uri, stored.content, stored.annotated.facts, target)
        return str(target)

    def download_data(self, md_uri: str, destination: str) -> str:
        """Write a data into the file `destination`, or into that directory under its own name."""
        stored = self.stored(md_uri, "data")
        target = Path(destination)
        if target.is_dir():
            name = text_of(stored.content.name) if stored.content is not None else f"{stored.ref.id}.ome.tif"
            if stored.annotated.facts.get("content") == "directory":
                name = name.removesuffix(".zip")
            target = target / storable_name(name)
        content.fetch(self.session, stored.ref, md_uri, stored.content, stored.annotated.facts, target)
        return str(target)

    def view_data(self, md_uri: str) -> Any:
        """Give an image as a `LazyImage` (axes TCZYX, read as it is indexed), a table as columns by their names."""
        stored = self.stored(md_uri, "data")
        if stored.ref.kind == IMAGE:
            return LazyImage(self.session, image_info(self.session, stored.ref.id, md_uri))
        if is_table(stored.content):
            return read_table(self.session, stored.content)
        if text_of(stored.content.name).lower().endswith((".csv", ".tsv")):
            size = int(stored.content.size.val)
            return read_csv(b"".join(self.session.read_file(int(stored.content.id.val), size)))
        raise UnsupportedError("OMERO", f"show {text_of(stored.content.name)!r}: it is neither an image nor a table")

    def omero_table(self, md_uri: str) -> Columns:
        """Read the OMERO.table that was made of a table, see `Settings.tables`.

        Raises
        ------
        NotFoundError
            There is none.
        """
        stored = self.stored(md_uri, "table")
        tables = stored.annotated.files(TABLE)
        if not tables:
            raise NotFoundError("OMERO.table", md_uri)
        return read_table(self.session, tables[-1].made.file)

    def needs_cleanning(self) -> bool:
        """Local copies are made for each tool, and are to be removed after it."""
        return True

    def scratch_path(self, name: str) -> Path:
        """Give a path of its own for a local file."""
        try:
            if self._scratch is None:
                if self.settings.cache_dir:
                    os.makedirs(self.settings.cache_dir, exist_ok=True)
                self._scratch = Path(
                    tempfile.mkdtemp(prefix="bioimageit-omero-", dir=self.settings.cache_dir or None)
                ).resolve()
                self._cleaning = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
            return Path(tempfile.mkdtemp(dir=self._scratch)) / name
        except OSError as error:
            raise DataServiceError(f"cannot make a place for {name!r}: {error}") from error

    def forget_scratch(self, path: Path) -> None:
        """Remove a local file, if it is one of ours."""
        if self._scratch is not None and path.resolve().is_relative_to(self._scratch):
            shutil.rmtree(path.parent, ignore_errors=True)

    def close(self) -> None:
        """End the connection, and remove the local copies."""
        self.session.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None


def _is_run(annotation: Any) -> bool:
    ns = text_of(annotation.ns)
    return ns == RUN_NS or text_of(annotation.file.name) == _RUN_NAME
