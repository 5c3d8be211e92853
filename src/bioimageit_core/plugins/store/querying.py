"""Queries of a local store, answered by its indexes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bioimageit_core.containers import Container, Data, RawData
from bioimageit_core.core.collector import paused_collector
from bioimageit_core.core.exceptions import DataQueryError, DocumentError, NotFoundError
from bioimageit_core.core.paths import MD_SUFFIX, join, parent
from bioimageit_core.core.query import parse_query
from bioimageit_core.plugins.pages import DataPage
from bioimageit_core.plugins.store.annotations import Annotated
from bioimageit_core.plugins.store.base import told
from bioimageit_core.plugins.store.files import Files
from bioimageit_core.plugins.store.forms import Written
from bioimageit_core.plugins.store.index import Index
from bioimageit_core.plugins.store.index_rows import Row, file_and_content, speakable
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.lookout import Lookout
from bioimageit_core.plugins.store.raw_data import RawDataStore
from bioimageit_core.plugins.store.search import Condition, condition
from bioimageit_core.plugins.store.unread import UnreadProcessedData, UnreadRawData, unread

__all__ = ["IndexedQueries"]

_AT_ONCE = 10_000  # data made together
_T = TypeVar("_T")
_OPEN = 32  # indexes kept open by one service


@dataclass(frozen=True)
class _Selection:
    """What a query means in an index."""

    index: Index
    directory: str
    is_raw: bool
    keys: list[str]
    condition: Condition

    @property
    def tables(self) -> tuple[str, str, list[Any]]:
        """What `Index` takes for the condition."""
        return self.condition.source, self.condition.where, self.condition.parameters


@told
class IndexedQueries(RawDataStore):
    """Answer queries without reading every document."""

    def __init__(
        self,
        files: Files,
        *,
        import_mode: str = "copy",
        trusted_dirs: Any = (),
        who: str = "",
        lookout: Lookout | None = None,
    ) -> None:
        super().__init__(files, import_mode=import_mode, trusted_dirs=trusted_dirs, who=who)
        self._lookout = lookout
        self._indexes: OrderedDict[str, Index] = OrderedDict()
        self._asking = threading.RLock()
        self._process = os.getpid()
        self._inherited: list[OrderedDict[str, Index]] = []

    def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
        """Give the data of a dataset that `query` selects, in the dataset's order.

        Raises
        ------
        DataQueryError
            The query cannot be understood.
        DocumentError
            A document of the dataset cannot be read, so that nobody can say whether it is selected.
        """
        selection, found = self._ask(dataset, query, origin_output_name, lambda of: of.index.bodies(*of.tables))

        def read(said: bytes) -> Data:
            return self._parsed(selection, said)

        kind = UnreadRawData if selection.is_raw else UnreadProcessedData
        found.reverse()
        while found:
            with paused_collector():
                some = unread(kind, read, found[: -_AT_ONCE - 1 : -1])
            del found[-_AT_ONCE:]  # what is given is let go
            yield from some

    def query_page(
        self,
        dataset: Container,
        query: str,
        origin_output_name: str = "",
        cursor: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> DataPage:
        """Give at most `limit` data of a dataset that `query` selects, in the dataset's order.

        They are those after `cursor`, without the first `offset` of them.

        Raises
        ------
        DataQueryError
            The query or the cursor cannot be understood.
        """
        after = _place(cursor)

        def take(of: _Selection) -> tuple[int | None, list[tuple[int, bytes]]]:
            total = None if cursor or offset else of.index.count(*of.tables)
            return total, of.index.page(*of.tables, after, limit + 1, offset)

        selection, (total, found) = self._ask(dataset, query, origin_output_name, take)
        data = [self._parsed(selection, said) for _, said in found[:limit]]
        return DataPage(data, str(found[limit - 1][0]) if len(found) > limit else "", total)

    def list_values(self, dataset: Container, key: str, prefix: str = "", limit: int = 100) -> list[str]:
        """List distinct values of an annotation key that begin with `prefix`, sorted, at most `limit`."""
        layout = Layout.of_record(self.files.absolute(dataset.md_uri))

        def take(index: Index) -> list[str]:
            index.refresh(layout.raw_dataset, lineage=False)
            return index.texts(speakable(key), speakable(prefix), limit)

        with self._asking:
            return self._mended(layout, take)

    def _ask(
        self, dataset: Container, query: str, output: str, take: Callable[[_Selection], _T]
    ) -> tuple[_Selection, _T]:
        """Return what a query means, and what `take` takes of it."""

        def ask(_index: Index) -> tuple[_Selection, _T]:
            selection = self._select(dataset, query, output)
            return selection, take(selection)

        with self._asking:
            return self._mended(Layout.of_record(self.files.absolute(dataset.md_uri)), ask)

    def _mended(self, layout: Layout, take: Callable[[Index], _T]) -> _T:
        """Take something of an index; once more, should it show only then that it is damaged."""
        try:
            return take(self._index(layout))
        except sqlite3.DatabaseError as error:
            self._index(layout).begin_anew(error)
            return take(self._index(layout))

    def _select(self, dataset: Container, query: str, output: str) -> _Selection:
        parsed = parse_query(speakable(query))
        md_uri = self.files.absolute(dataset.md_uri)
        layout = Layout.of_record(md_uri)
        keys = self._keys_of(layout)
        index = self._index(layout)
        if not self.files.exists(md_uri):
            raise NotFoundError("dataset", md_uri)
        is_raw = md_uri == layout.raw_dataset
        number = index.refresh(md_uri, lineage=not is_raw)
        for file in index.unreadable(number):
            self._refuse(join(parent(md_uri), file), is_raw=is_raw)
        found = condition(index, number, parsed, speakable(output), list(map(speakable, keys)))
        return _Selection(index, parent(md_uri), is_raw, keys, found)

    def _refuse(self, uri: str, *, is_raw: bool) -> None:
        """Say why a document that is listed cannot be asked for."""
        data = self.documents.parse_data(self.documents.content(uri, "data"), uri)
        if isinstance(data, RawData) != is_raw:
            raise DocumentError(uri, f"says that it is {data.type}, and is listed in a dataset of other data")
        why = f"is listed, and cannot be asked for: a document of a data is in the folder of its list, *{MD_SUFFIX}"
        raise DocumentError(uri, why)

    def _parsed(self, selection: _Selection, said: bytes) -> Data:
        file, content = file_and_content(said)
        data = self.documents.parse_data(content, f"{selection.directory}/{file}")
        return self.documents.fill(data, selection.keys) if isinstance(data, RawData) else data

    def _wrote(self, dataset: str, written: Sequence[Written]) -> None:
        with self._asking:
            index = self._index(Layout.of_record(dataset))
            if not index.is_kept:
                return
            if not written:
                index.take_order(dataset)
                return
            about = ((each, each.signature) for each in written)
            rows = [
                Row(
                    each.file,
                    signature,
                    each.content,
                    (each.name, each.author, each.date, each.format),
                    pairs=each.pairs,
                )
                for each, signature in about
                if isinstance(signature, tuple)
            ]
            index.take(dataset, rows)

    def _annotated(self, changed: Sequence[Annotated]) -> None:
        with self._asking:
            index = self._index(Layout.of_record(changed[0].md_uri))
            if index.is_kept:
                index.take_annotations(changed)

    def _index(self, layout: Layout) -> Index:
        if self._process != os.getpid():  # after a fork: to close what is the parent's would disturb it
            self._inherited.append(self._indexes)
            self._process, self._indexes = os.getpid(), OrderedDict()
        index = self._indexes.pop(layout.root, None)
        index = index or Index(self.documents, self.listings, layout, self._lookout)
        self._indexes[layout.root] = index
        while len(self._indexes) > _OPEN:
            self._indexes.popitem(last=False)[1].close()
        return index


def _place(cursor: str) -> int:
    if not cursor:
        return -1
    if not (cursor.isascii() and cursor.isdecimal()) or len(cursor) > 18:
        raise DataQueryError(f"{cursor[:40]!r} is no cursor of this dataset")
    return int(cursor)
