"""Data of another home, taken in as they are: many at once, on the disk together, then told to list and journal."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from bioimageit_core.containers import Container, Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.core.paths import document_names, file_names, folded, join, name_of, parent, storable_name
from bioimageit_core.plugins.store.documents import Documents, guarded
from bioimageit_core.plugins.store.files import Incoming
from bioimageit_core.plugins.store.journal import Journal, new_change, now
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.listing import Listing, Listings

__all__ = ["Receiver"]


class Receiver:
    """Take data into one dataset; to be used with the experiment's lock held."""

    def __init__(
        self, documents: Documents, listings: Listings, journal: Journal, layout: Layout, dataset: str
    ) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal
        self._layout = layout
        self._listing: Listing = listings.open(dataset)
        self._directory = parent(dataset)
        self._change, self._time = new_change(), now()

    def receive(self, data: Sequence[RawData | ProcessedData]) -> None:
        """Store data with their files, and give each the ``md_uri`` and ``uri`` that it has here.

        When one fails, those before it are stored.
        """
        stored: list[Data] = []
        lines: list[bytes] = []
        try:
            for each in data:
                lines.append(self._store(each))
                stored.append(each)
        finally:
            self._tell(stored, lines)

    def _store(self, data: RawData | ProcessedData) -> bytes:
        """Write file and document, and return what the journal is to be told."""
        source = data.uri
        try:
            incoming = self._files.take_in(source, self._layout.temp, "copy")
            try:
                data.uri = self._place(incoming, storable_name(name_of(source)))
            finally:
                self._files.discard(incoming)
        except OSError as error:
            raise guarded(error, f"store {data.name!r}") from error
        try:
            self._describe(data)
        except DataServiceError:
            if self._files.locks_work:
                self._files.remove(data.uri)
            raise
        operation = "import" if isinstance(data, RawData) else "result"
        about = (self._layout, operation, data.md_uri, data.uuid, data.uri, incoming.stored)
        return self._journal.content(*about, batch=self._change, time=self._time)

    def _place(self, incoming: Incoming, base: str) -> str:
        for name in file_names(base):
            if not self._listing.takes(name):
                continue
            self._listing.names.add(folded(name))
            uri = join(self._directory, name)
            try:
                self._files.place(incoming, uri, sync=False, temp=self._layout.temp)
            except FileExistsError:  # put there by somebody who does not know our lock
                continue
            return uri
        raise AssertionError  # file_names never ends

    def _describe(self, data: RawData | ProcessedData) -> None:
        for name in document_names(name_of(data.uri)):
            if not self._listing.takes(name):
                continue
            self._listing.names.add(folded(name))
            data.md_uri = join(self._directory, name)
            try:
                self._documents.create(data, sync=False)
            except ConflictError:  # as above
                continue
            return

    def _tell(self, stored: Sequence[Data], lines: Sequence[bytes]) -> None:
        if not stored:
            return
        items = [Container(each.md_uri, each.uuid) for each in stored]
        try:
            try:
                self._files.sync(self._layout.root)  # what is listed is on the disk
                self._journal.append(self._layout, lines)
            except BaseException:
                self._take_back(stored)
                raise
            self._listings.add(self._listing, items, [name_of(each.uri) for each in stored])
        except BaseException as error:
            self._listings.forget(self._listing.md_uri)  # what we believed to be listed is not
            if isinstance(error, OSError):
                raise guarded(error, f"write to {self._layout.root!r}") from error
            raise

    def _take_back(self, stored: Sequence[Data]) -> None:
        """Remove what no list names: stored again it would be there twice."""
        for each in stored:
            for uri in (each.md_uri, each.uri):
                with contextlib.suppress(OSError):
                    self._files.remove(uri)
