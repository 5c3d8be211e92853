"""What runs leave: the run's document, its outputs moved in from where the tool wrote them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bioimageit_core.containers import Container, Dataset, ProcessedData, Run
from bioimageit_core.core.exceptions import ConflictError, NotFoundError
from bioimageit_core.core.paths import (
    candidates,
    check_name,
    document_names,
    file_names,
    folded,
    join,
    name_of,
    parent,
    storable_name,
)
from bioimageit_core.core.utils import generate_uuid
from bioimageit_core.plugins.store.documents import Documents, guarded
from bioimageit_core.plugins.store.files import Incoming
from bioimageit_core.plugins.store.journal import Journal
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.listing import Listing, Listings

if TYPE_CHECKING:
    from bioimageit_core.core.formats import FormatTable

__all__ = ["Results"]

_RUN = re.compile(r"^run(?:_(\d+))?\.md\.json$")


class Results:
    """Store runs and processed data."""

    def __init__(self, documents: Documents, listings: Listings, journal: Journal) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        """Store a run as ``run.md.json``, ``run_1.md.json``, ... of its dataset."""
        layout = Layout.of_record(dataset.md_uri)
        run_info.uuid = run_info.uuid or generate_uuid()
        run_info.set_dataset(dataset)
        if not self._files.exists(dataset.md_uri):
            raise NotFoundError("dataset", dataset.md_uri)
        with self._files.lock(layout.ours):
            for name in candidates("run", ".md.json"):
                run_info.md_uri = join(parent(dataset.md_uri), name)
                if self._files.exists(run_info.md_uri):
                    continue
                try:
                    self._documents.create(run_info)
                except ConflictError:  # other software was faster
                    continue
                break
            try:
                self._journal.append(layout, [self._journal.line(layout, "run", run_info.md_uri, uuid=run_info.uuid)])
            except OSError as error:
                self._files.remove(run_info.md_uri)
                raise guarded(error, f"store a run of {run_info.process_name!r}") from error
        return run_info

    def runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset, oldest first."""
        directory = parent(dataset.md_uri)
        try:
            names = self._files.names(directory)
        except FileNotFoundError as error:
            raise NotFoundError("dataset", dataset.md_uri) from error
        numbered = sorted((int(match[1] or 0), name) for name in names if (match := _RUN.match(name)))
        return [self._documents.read(Run, join(directory, name)) for _, name in numbered]

    def stage(self, dataset: Dataset, data: ProcessedData, formats: FormatTable) -> ProcessedData:
        """Say where a tool is to write: not yet among the data, so that a failure leaves none."""
        layout = Layout.of_record(dataset.md_uri)
        extension = formats.get(data.format).extension
        name = check_name("data", data.name)
        try:
            directory = self._files.staging(join(layout.staging, generate_uuid()))
        except OSError as error:
            raise guarded(error, f"make room for {data.name!r}") from error
        data.uri = join(directory, storable_name(f"{name}.{extension}" if extension else name))
        return data

    def create_data(self, dataset: Dataset, run: Run, data: Sequence[ProcessedData]) -> list[ProcessedData]:
        """Describe and list processed data, and take in the files that are not in the dataset's folder yet.

        All of them or none: where one cannot be stored, what was written of the others is taken back.
        """
        for each in data:
            check_name("data", each.name)
        layout, given = Layout.of_record(dataset.md_uri), [each.uri for each in data]
        if not self._files.exists(dataset.md_uri):
            raise NotFoundError("dataset", dataset.md_uri)
        for each in data:
            each.uuid = each.uuid or generate_uuid()
            each.run = Container(run.md_uri, run.uuid)
        doing = f"store {data[0].name!r}" if len(data) == 1 else f"store {len(data)} results"
        incoming: list[Incoming] = []
        placed: list[ProcessedData] = []
        try:
            incoming.extend(self._incoming(layout, parent(dataset.md_uri), uri) for uri in given)
            # the contents before documents that speak of them, so that what an orphan speaks of is whole
            self._files.sync_together(
                [one.path or uri for one, uri in zip(incoming, given, strict=True)], entries=False
            )
            with self._files.lock(layout.ours):
                listing = self._listings.open(dataset.md_uri)
                try:
                    for one, each in zip(incoming, data, strict=True):
                        self._place(one, each, parent(dataset.md_uri), layout, listing)
                        placed.append(each)
                        self._describe(each, listing)
                    self._files.sync_together([each.md_uri for each in data])  # and all entries of their directory
                    self._tell(layout, listing, list(zip(incoming, data, strict=True)))
                except BaseException:
                    self._listings.forget(dataset.md_uri)
                    for one, each, uri in reversed(list(zip(incoming, placed, given, strict=False))):
                        self._take_back(one, each, uri)
                    raise
        except FileNotFoundError as error:
            missing = next((uri for uri in given if not self._files.exists(uri)), given[0])
            raise NotFoundError("file to store", missing) from error
        except OSError as error:
            raise guarded(error, doing) from error
        for one in incoming:
            self._files.discard(one)
        return list(data)

    def _place(self, incoming: Incoming, data: ProcessedData, directory: str, layout: Layout, listing: Listing) -> None:
        if not incoming.path:  # the tool wrote it there
            return
        for name in file_names(storable_name(name_of(data.uri))):
            if not listing.takes(name):
                continue
            listing.names.add(folded(name))
            try:
                self._files.place(incoming, join(directory, name), sync=False, temp=layout.temp)
            except FileExistsError:  # put there by somebody who does not know our lock
                continue
            data.uri = join(directory, name)
            return

    def _describe(self, data: ProcessedData, listing: Listing) -> None:
        """Write the document of a file that is in its place."""
        data.md_uri = ""
        for name in document_names(name_of(data.uri)):
            if not listing.takes(name):
                continue
            listing.names.add(folded(name))
            data.md_uri = join(parent(data.uri), name)
            try:
                self._documents.create(data, sync=False)
            except ConflictError:  # as above
                continue
            return

    def _tell(self, layout: Layout, listing: Listing, stored: Sequence[tuple[Incoming, ProcessedData]]) -> None:
        """Tell journal and list of data that are on the disk."""
        lines = [
            self._journal.content(layout, "result", each.md_uri, each.uuid, each.uri, one.stored)
            for one, each in stored
        ]
        self._journal.append(layout, lines)
        items = [Container(each.md_uri, each.uuid) for _, each in stored]
        self._listings.add(listing, items, [name_of(each.uri) for _, each in stored])

    def _take_back(self, incoming: Incoming, data: ProcessedData, given: str) -> None:
        if data.md_uri:
            self._files.remove(data.md_uri)
        if incoming.path:
            self._files.take_back(incoming, data.uri)
            if not incoming.room:
                self._files.discard(incoming)
        data.uri = given

    def _incoming(self, layout: Layout, directory: str, uri: str) -> Incoming:
        """Take what a tool wrote for us as it is, copy what is somebody else's, leave what is in its place."""
        if parent(uri) == directory:
            return Incoming("", self._files.digest(uri), False)
        if self._files.is_staged(uri, layout.staging):
            return self._files.staged(uri)
        return self._files.take_in(uri, layout.temp, "copy")
