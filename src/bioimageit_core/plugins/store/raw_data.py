"""The raw data of a store: imported, read, annotated."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Container, Experiment, RawData
from bioimageit_core.core.exceptions import (
    BioImageITError,
    ConflictError,
    DataServiceError,
    InvalidNameError,
    NotFoundError,
)
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.paths import check_name
from bioimageit_core.core.utils import format_date
from bioimageit_core.plugins.store.annotations import Annotated, annotate
from bioimageit_core.plugins.store.base import StoreBase, told
from bioimageit_core.plugins.store.forms import Written
from bioimageit_core.plugins.store.journal import new_change, now
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.sources import Source, SourceError, check_modes, is_zarr, sources_in

if TYPE_CHECKING:
    from bioimageit_core.plugins.store.importing import Importer

__all__ = ["RawDataStore"]

_LARGE = 32 * 1024 * 1024  # bytes from which the user hears how much has arrived
_BATCH = 1024  # files between two releases of the lock, which are made durable together
_DESCRIBED = 64  # so many where each is looked into first: what is told of the progress comes after that
_BATCH_BYTES = 256 * 1024 * 1024


@told
class RawDataStore(StoreBase):
    """Import, read and annotate raw data."""

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = dict,
        *,
        mode: str = "",
        on_conflict: str = "keep",
        metadata: Mapping[str, Any] | None = None,
    ) -> RawData:
        mode = mode or self._import_mode
        check_modes(mode, on_conflict)
        check_name("data", name)
        self.formats.get(format_)
        path = os.path.abspath(os.path.expanduser(data_path))
        if not os.path.exists(path):
            raise NotFoundError("file to import", path)
        if os.path.isdir(path) and not is_zarr(path):
            raise DataServiceError(f"{path} is a directory and not a Zarr store; import_dir imports what is in it")
        pairs = {} if key_value_pairs is None or isinstance(key_value_pairs, type) else dict(key_value_pairs)
        source = Source(path, name, author, format_, format_date(date), pairs, dict(metadata or {}))
        layout = Layout.of_experiment(experiment.md_uri)
        with self._held(layout):
            importer = self._importer(experiment)
            data = importer.take(source, mode, on_conflict, sync=True)
            self._add_keys(experiment, list(pairs))
            importer.finish(sync=True)  # last: with it the data is there
        return self.get_raw_data(data.md_uri)

    def _importer(self, experiment: Experiment) -> Importer:
        from bioimageit_core.plugins.store.importing import Importer  # what only some commands need

        layout = Layout.of_experiment(experiment.md_uri)
        dataset = experiment.raw_dataset.url or layout.raw_dataset
        return Importer(self.documents, self.listings, self.journal, layout, dataset)

    def _add_keys(self, experiment: Experiment, keys: list[str]) -> None:
        new = [key for key in keys if key not in experiment.keys]
        for key in new:
            experiment.set_key(key)
        if new:
            stored = self.get_experiment(experiment.md_uri)
            for key in new:
                stored.set_key(key)
            self.update_experiment(stored)

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
        *,
        mode: str = "",
        on_conflict: str = "keep",
        recursive: bool = False,
        describe: Callable[[str], Mapping[str, Any]] | None = None,
    ) -> None:
        mode = mode or self._import_mode
        check_modes(mode, on_conflict)
        self.formats.get(format_)
        paths = list(sources_in(os.path.abspath(os.path.expanduser(dir_uri)), filter_, recursive))
        layout, when = Layout.of_experiment(experiment.md_uri), format_date(date)
        dataset = experiment.raw_dataset.url or layout.raw_dataset
        with self._held(layout):
            importer = self._importer(experiment)
            self._add_keys(experiment, [directory_tag_key] if directory_tag_key and paths else [])
        likes: dict[str, Source] = {}
        refused: list[BioImageITError] = []

        def take(number: int, path: str, said: Mapping[str, Any]) -> None:
            if observers and not importer.has(path):
                _tell(observers, number, len(paths), path)
                importer.progress = functools.partial(_tell_part, observers, number, len(paths), path)
            folder = os.path.dirname(path)
            if folder not in likes:
                tags = {directory_tag_key: os.path.basename(folder)} if directory_tag_key else {}
                likes[folder] = Source("", "", author, format_, when, tags)
            try:
                if said or not importer.take_plain(path, likes[folder], mode, sync=False):
                    name = check_name("data", _text(path))
                    source = dataclasses.replace(likes[folder], path=path, name=name, metadata=dict(said))
                    importer.take(source, mode, on_conflict, sync=False)
            except (InvalidNameError, ConflictError, SourceError) as error:
                refused.append(error)

        for batch in _batches(paths, _DESCRIBED if describe else _BATCH):
            said = [describe(path) if describe else {} for _, path in batch]  # others need not wait for that
            with self._held(layout):
                importer.start()
                try:
                    for number, path in importer.fetch(batch, mode):
                        _tell(observers, number, len(paths), path)
                    for (number, path), about in zip(batch, said, strict=True):
                        take(number, path, about)
                finally:
                    importer.drop()
                    self._sync(layout)  # what is listed is on the disk
                    self._wrote(dataset, importer.finish(sync=False, flush=False))
        with self._held(layout):
            self.listings.flush(dataset)
            self._wrote(dataset, [])
            self._sync(layout)
        _tell(observers, len(paths), len(paths), "")
        if refused:
            some = "; ".join(map(str, refused[:3])) + (f"; and {len(refused) - 3} more" if len(refused) > 3 else "")
            raise DataServiceError(f"{len(refused)} of {len(paths)} files were not imported: {some}")

    def _wrote(self, dataset: str, written: Sequence[Written]) -> None:
        """Hear of documents that an import just wrote, in their order; of none when the list is written."""

    def get_raw_data(self, md_uri: str) -> RawData:
        data = self.documents.read(RawData, self.files.absolute(md_uri))
        return self.documents.fill(data, self._keys_of(Layout.of_record(data.md_uri)))

    def _keys_of(self, layout: Layout) -> list[str]:
        signature = self.files.signature(layout.experiment)
        known = self._keys.get(layout.root)
        if known is None or known[0] != signature:
            keys = self.documents.read(Experiment, layout.experiment).keys if signature else []
            known = self._keys[layout.root] = (signature, keys)
        return known[1]

    def update_raw_data(self, raw_data: RawData) -> None:
        self._update(Layout.of_record(raw_data.md_uri), raw_data)

    def annotate_data(self, dataset: Container, pairs: Mapping[str, Mapping[str, Any]]) -> str:
        layout, change = Layout.of_record(dataset.md_uri), new_change()
        with self._held(layout):
            try:
                self._annotate(layout, pairs, change)
            finally:
                self._sync(layout)
        return change

    def _annotate(self, layout: Layout, pairs: Mapping[str, Mapping[str, Any]], batch: str) -> None:
        for some in annotate(self.documents, layout.temp, pairs):
            time = now()
            lines = [
                self.journal.line(layout, "annotate", each.md_uri, batch=batch, time=time, old=each.old, new=each.new)
                for each in some
            ]
            self.journal.append(layout, lines, sync=False)
            self._annotated(some)

    def _annotated(self, changed: Sequence[Annotated]) -> None:
        """Hear of documents that just got other annotations."""


def _batches(paths: Sequence[str], most: int) -> Iterator[list[tuple[int, str]]]:
    """Give paths with their numbers, so many that together they are neither many nor large."""
    batch: list[tuple[int, str]] = []
    size = 0
    for number, path in enumerate(paths):
        batch.append((number, path))
        with contextlib.suppress(OSError):
            size += os.stat(path).st_size
        if len(batch) == most or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _text(path: str) -> str:
    return os.path.basename(path).encode(errors="replace").decode()


def _tell(observers: list[Observer] | None, number: int, total: int, path: str) -> None:
    for observer in observers or []:
        percent = 100 * number // total if total else 100
        observer.notify_progress(percent, f"import {os.path.basename(path)}" if path else "import done")


def _tell_part(observers: list[Observer] | None, number: int, total: int, path: str, done: int, size: int) -> None:
    """Tell how much of a large file has arrived."""
    if size < _LARGE:
        return
    for observer in observers or []:
        percent = int(100 * (number + done / size) / total)
        observer.notify_progress(percent, f"import {os.path.basename(path)}: {done >> 20} of {size >> 20} MiB")
