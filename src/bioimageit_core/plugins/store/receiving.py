"""Data of another home, taken in as they are: many at once, on the disk together, then told to list and journal."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence

from bioimageit_core.containers import Container, Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.core.paths import document_names, file_names, folded, join, name_of, parent, storable_name
from bioimageit_core.plugins.store.documents import Documents, guarded, may_not_last
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
        self._left: dict[str, Data] | None = None

    def receive(self, data: Sequence[RawData | ProcessedData]) -> None:
        """Store data with their files, and give each the ``md_uri`` and ``uri`` that it has here.

        When one fails, those before it are stored.
        """
        taken: list[tuple[RawData | ProcessedData, Incoming]] = []
        try:
            try:
                for each in data:
                    taken.append((each, self._take_in(each)))  # noqa: PERF401 - those before one that fails stay
            finally:
                self._store_all(taken)
        finally:
            for _, incoming in taken:
                self._files.discard(incoming)

    def _store_all(self, taken: Sequence[tuple[RawData | ProcessedData, Incoming]]) -> None:
        self._sync()  # a content is on the disk before anything has its name
        stored: list[Data] = []
        lines: list[bytes] = []
        try:
            for each, incoming in taken:
                lines.append(self._store(each, incoming))
                stored.append(each)
        finally:
            self._tell(stored, lines)

    def _take_in(self, data: RawData | ProcessedData) -> Incoming:
        try:
            return self._files.take_in(data.uri, self._layout.temp, "copy")
        except OSError as error:
            raise guarded(error, f"store {data.name!r}") from error

    def _store(self, data: RawData | ProcessedData, incoming: Incoming) -> bytes:
        """Give a content its name and write its document; return what the journal is to be told."""
        try:
            self._clear_left(data, incoming)
            data.uri = self._place(incoming, storable_name(name_of(data.uri)))
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
        pairs = data.key_value_pairs if isinstance(data, RawData) else None
        return self._journal.content(*about, batch=self._change, time=self._time, pairs=pairs)

    def _sync(self) -> None:
        try:
            self._files.sync(self._layout.root)
        except OSError as error:
            raise may_not_last(error, self._layout.root) from error

    def _place(self, incoming: Incoming, base: str) -> str:
        for name in file_names(base):
            uri = join(self._directory, name)
            if not self._listing.takes(name):
                if self._is_left(name) and self._files.holds(uri, incoming.path):
                    return uri
                continue
            self._listing.names.add(folded(name))
            try:
                self._files.place(incoming, uri, sync=False, temp=self._layout.temp)
            except FileExistsError:  # put there by somebody who does not know our lock
                continue
            return uri
        raise AssertionError  # file_names never ends

    def _clear_left(self, data: RawData | ProcessedData, incoming: Incoming) -> None:
        """Remove what a transfer that was interrupted left of a data: a document that no list names, and its file."""
        if self._left is None:
            # without locks it may be what another writer is about to list
            unlisted = self._listing.unlisted if self._files.locks_work else ()
            self._left = dict(self._read_left(type(data), unlisted))
        left = self._left.get(data.uuid)
        if left is None or parent(left.uri) != self._directory or not self._files.exists(left.uri):
            return
        if self._files.holds(left.uri, incoming.path):
            self._files.remove(left.md_uri)
            self._files.remove(left.uri)
            self._listing.names.difference_update({folded(name_of(left.md_uri)), folded(name_of(left.uri))})
            self._listing.unlisted.discard(name_of(left.md_uri))

    def _read_left(self, kind: type[RawData | ProcessedData], names: Iterable[str]) -> Iterator[tuple[str, Data]]:
        for name in names:
            with contextlib.suppress(DataServiceError):
                left = self._documents.read(kind, join(self._directory, name))
                yield left.uuid, left

    def _is_left(self, name: str) -> bool:
        """Say whether a file is there and no document that could describe it."""
        if not self._files.locks_work or not all(map(self._listing.takes, itertools.islice(document_names(name), 2))):
            return False
        return self._files.exists(join(self._directory, name))

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
                self._sync()  # what is listed is on the disk
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
