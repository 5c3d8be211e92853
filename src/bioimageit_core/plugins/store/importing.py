"""Importing files: read once, stored under a free name, described, listed; run again it finds what is there."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.containers import Container, RawData
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.core.paths import (
    MD_SUFFIX,
    document_names,
    file_names,
    folded,
    join,
    name_of,
    parent,
    plain_document_name,
    storable_name,
)
from bioimageit_core.core.utils import generate_uuid
from bioimageit_core.plugins.store.content import digest_path
from bioimageit_core.plugins.store.documents import REFERENCE, Documents, guarded
from bioimageit_core.plugins.store.files import Incoming, Progress, Stored
from bioimageit_core.plugins.store.forms import Form, LineForm, Written
from bioimageit_core.plugins.store.journal import REPLACING, Journal, new_change, now
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.sources import Source, source_error

__all__ = ["Importer"]

_TRIES = 20


@dataclass
class _Batch:
    """What an import did and has not yet told the list and the journal."""

    time: str = field(default_factory=now)
    items: list[Container] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)


class _Overtaken(Exception):  # noqa: N818 - no error: it never leaves this module
    """A name that was free is taken."""


class Importer:
    """Import into the raw dataset of one experiment; to be used with the experiment's lock held."""

    def __init__(
        self, documents: Documents, listings: Listings, journal: Journal, layout: Layout, dataset: str
    ) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal
        self._layout = layout
        self._temp = layout.temp
        self._dataset = dataset
        self._directory = parent(dataset)
        self.progress: Progress | None = None
        """Hears how much of the source that is being taken has arrived."""
        self._batch = _Batch()
        self._change = new_change()
        self._forms: dict[int, Form] = {}
        self._line_forms: dict[int, LineForm] = {}
        self._claimed: set[str] = set()  # documents and files that a source of this import already has
        self._fetched: dict[str, Incoming] = {}  # contents of sources that are on the disk, without a name yet
        self.start()

    def start(self) -> None:
        """Look at what is there; to be called whenever the lock was taken anew."""
        self._listing = self._listings.open(self._dataset)

    def fetch(self, sources: Iterable[tuple[int, str]], mode: str) -> Iterator[tuple[int, str]]:
        """Read sources that are about to be taken, and give each (its number and its path) before it is read.

        When all are read, their contents are on the disk, before anything has their names. Those whose names are taken,
        which may be here already, are left to `take`, and so are those that cannot be read.
        """
        if mode == "reference" or not self._files.placing_moves:
            return
        for number, path in sources:
            if not self._listing.takes(path.rpartition("/")[2]):
                continue
            yield number, path
            with contextlib.suppress(OSError):  # `take` tells it in its turn
                self._fetched[path] = self._files.take_in(path, self._temp, mode)
        if self._fetched:
            self._files.sync(self._temp)

    def has(self, path: str) -> bool:
        """Say whether a source is fetched."""
        return path in self._fetched

    def drop(self) -> None:
        """Let go of what was fetched and not taken."""
        for incoming in self._fetched.values():
            self._files.discard(incoming)
        self._fetched.clear()

    def take(self, source: Source, mode: str, on_conflict: str, *, sync: bool) -> RawData:
        """Import one source, or find the data that it already is."""
        for _ in range(_TRIES):
            try:
                return self._take(source, mode, on_conflict, sync)
            except _Overtaken as taken:  # by somebody who does not know our lock: look again
                self._listing = self._listings.open(self._dataset, anew=True)
                self._listing.names.add(folded(str(taken)))
        raise ConflictError(f"{self._directory}: other software took every name tried for {source.path!r}")

    def take_plain(self, path: str, like: Source, mode: str, *, sync: bool) -> bool:
        """Import a source whose name needs no thought and that nothing here has; say whether it was one.

        `like` says all of it but its path and name.
        """
        name = path.rpartition("/")[2]
        md_name = plain_document_name(name)
        names = self._listing.names
        if mode == "reference" or not md_name:
            return False
        both, key = (name.lower(), md_name.lower()), f"{name}{MD_SUFFIX}".lower()
        if both[0] in names or both[1] in names or key in names:
            return False
        uri, md_uri = f"{self._directory}/{name}", f"{self._directory}/{md_name}"
        incoming, _, _ = self._take_in(path, name, mode, sync)
        try:
            self._place(incoming, uri, mode, path, sync)
        except _Overtaken:
            return False
        form, uuid = self._form(like), generate_uuid()
        content = form.filled(uuid, name)
        try:
            signature = self._documents.create_as(md_uri, content, self._temp, sync=sync)
        except DataServiceError as error:
            if self._files.locks_work:  # else another writer may have described it
                self._files.remove(uri)
            if isinstance(error, ConflictError):  # by somebody who does not know our lock
                return False
            raise
        self._clear(incoming)
        batch = self._batch
        line_form = self._line_forms.get(id(like))
        if line_form is None:
            line_form = self._line_forms[id(like)] = LineForm(functools.partial(self._imported, like))
        batch.lines.append(line_form.filled(md_name, uuid, name, incoming.stored))
        batch.items.append(Container(md_uri, uuid))
        batch.names.append(name)
        batch.written.append(
            Written(md_name, signature, content, name, like.author, like.date, like.format, like.key_value_pairs)
        )
        names.update(both)
        self._claimed.update((md_uri, uri))
        return True

    def _imported(self, like: Source, md_name: str, uuid: str, name: str, stored: Stored) -> bytes:
        about = (f"{self._directory}/{md_name}", uuid, f"{self._directory}/{name}", stored)
        how: dict[str, Any] = {"batch": self._change, "time": self._batch.time, "pairs": like.key_value_pairs}
        return self._journal.content(self._layout, "import", *about, **how)

    def _form(self, like: Source) -> Form:
        form = self._forms.get(id(like))
        if form is None:
            data = RawData(author=like.author, date=like.date, format=like.format)
            data.key_value_pairs = dict(like.key_value_pairs)
            form = self._forms[id(like)] = Form(like, data, self._directory, self._documents.render)
        return form

    def _clear(self, incoming: Incoming) -> None:
        if incoming.is_dir or incoming.room or not self._files.placing_moves:
            self._files.discard(incoming)

    def _take(self, source: Source, mode: str, on_conflict: str, sync: bool) -> RawData:
        base = _base_name(source.path)
        for file_name in file_names(base):
            known = [data for data in self._described(file_name) if data.md_uri not in self._claimed]
            if same := next((data for data in known if self._is(data, source)), None):
                return self._adopt(same, source, sync)
            rivals = [data for data in known if data.name == source.name]
            if rivals and on_conflict == "error":
                raise ConflictError(f"{self._directory} already has {source.name!r} with other content")
            if rivals and on_conflict == "replace":
                return self._replace(rivals[0], source, mode, sync)
            if not known:
                if mode == "reference" or self._listing.takes(file_name):
                    return self._store(source, base if mode == "reference" else file_name, mode, sync)
                if orphan := self._orphan(source, file_name):
                    return self._adopt(orphan, source, sync)
        raise AssertionError  # file_names never ends

    def _described(self, file_name: str) -> Iterator[RawData]:
        """Give the data whose files have a name: stored under it, or left where they lie."""
        for number, name in enumerate(document_names(file_name)):
            if self._listing.takes(name):
                if number:
                    return
                continue
            try:
                data = self._documents.read(RawData, join(self._directory, name))
            except DataServiceError:
                continue  # no document, or one that a check names; it is nobody's, and stays
            if name_of(data.uri) == file_name:
                yield data

    def _is(self, data: RawData, source: Source) -> bool:
        return data.name == source.name and self._files.exists(data.uri) and self._holds(data.uri, source.path)

    def _holds(self, uri: str, path: str) -> bool:
        try:
            return self._files.holds(uri, path)
        except OSError as error:
            if error.errno == errno.EIO and error.filename == uri:
                return False  # what is stored cannot be read, as a check tells: who still has it may store it again
            raise source_error(error, path) from error

    def _orphan(self, source: Source, file_name: str) -> RawData | None:
        """Describe a file that an interrupted import left, if `source` is it."""
        uri = join(self._directory, file_name)
        if uri in self._claimed or not self._files.exists(uri) or not self._holds(uri, source.path):
            return None
        return self._describe(source, uri, {})

    def _describe(self, source: Source, uri: str, extra: dict[str, Any]) -> RawData:
        free = next(name for name in document_names(name_of(uri)) if self._listing.takes(name))
        md_uri = join(self._directory, free)
        data = RawData(md_uri, generate_uuid(), source.name, source.author, source.date, source.format, uri)
        data.key_value_pairs, data.metadata = dict(source.key_value_pairs), dict(source.metadata)
        data.extra = extra
        return data

    def _adopt(self, data: RawData, source: Source, sync: bool) -> RawData:
        """Make sure that a data which is there is described and listed too."""
        if data.uuid in self._listing.uuids:
            self._claimed.update((data.md_uri, data.uri))
            return data
        if self._listing.takes(name_of(data.md_uri)):
            self._create(data, sync)
        else:
            self._renew(data, source)
        stored = self._files.digest(data.uri)
        self._note(data, self._line("adopt", data, stored))
        return data

    def _line(self, operation: str, data: RawData, stored: Stored) -> bytes:
        about = (self._layout, operation, data.md_uri, data.uuid, data.uri, stored)
        pairs = None if operation == "replace" else data.key_value_pairs  # that keeps what it had
        return self._journal.content(*about, batch=self._change, pairs=pairs)

    def _renew(self, data: RawData, source: Source) -> None:
        """Let a document that no list knows say what `source` does."""
        data.author, data.date, data.format = source.author, source.date, source.format
        # without locks it may be another writer's, who is about to list it
        kept = {} if self._files.locks_work else data.key_value_pairs
        data.key_value_pairs = {**kept, **source.key_value_pairs}
        data.metadata.update(source.metadata)
        self._documents.change(data)

    def _create(self, data: RawData, sync: bool) -> None:
        try:
            self._documents.create(data, sync=sync)
        except ConflictError as error:
            raise _Overtaken(name_of(data.md_uri)) from error

    def _note(self, data: RawData, line: bytes) -> None:
        names = (name_of(data.md_uri), name_of(data.uri))
        self._claimed.update((data.md_uri, data.uri))
        self._batch.items.append(Container(data.md_uri, data.uuid))
        self._batch.names.append(names[1])
        self._batch.lines.append(line)
        self._listing.names.update(map(folded, names))

    def _store(self, source: Source, name: str, mode: str, sync: bool) -> RawData:
        incoming, uri, extra = self._take_in(source.path, name, mode, sync)
        data = self._describe(source, uri, extra)
        self._place(incoming, uri, mode, source.path, sync)
        try:
            self._create(data, sync)
        except DataServiceError:
            if mode != "reference" and self._files.locks_work:  # else another writer may have described it
                self._files.remove(uri)
            raise
        self._clear(incoming)
        self._note(data, self._line("import", data, incoming.stored))
        return data

    def _take_in(self, path: str, name: str, mode: str, sync: bool) -> tuple[Incoming, str, dict[str, Any]]:
        """Read the source, unless it was fetched; return it with its URI to be and what its document says of that."""
        try:
            if mode != "reference":
                incoming = self._fetched.pop(path, None)
                if incoming is None:
                    incoming = self._files.take_in(path, self._temp, mode)
                    if not sync:  # else placing it does
                        self._files.sync_together([incoming.path], entries=False)
                return incoming, f"{self._directory}/{name}", {}
            stored = digest_path(path)
        except OSError as error:
            raise source_error(error, path) from error
        extra = {REFERENCE: {"size": stored.size, "sha256": stored.sha256}}
        return Incoming("", stored, os.path.isdir(path)), path.replace(os.sep, "/"), extra

    def _place(self, incoming: Incoming, uri: str, mode: str, path: str, sync: bool) -> None:
        if mode == "reference":
            return
        try:
            self._files.place(incoming, uri, sync=sync, temp=self._temp, progress=self.progress)
        except FileExistsError as error:
            self._files.discard(incoming)
            raise _Overtaken(name_of(uri)) from error
        except OSError as error:
            self._files.discard(incoming)
            raise guarded(error, f"import {path!r}") from error

    def _exchange(self, incoming: Incoming, uri: str, trash: str, path: str) -> None:
        try:
            self._files.exchange(incoming, uri, trash, temp=self._temp)
        except OSError as error:
            self._files.discard(incoming)
            raise guarded(error, f"import {path!r}") from error

    def _replace(self, data: RawData, source: Source, mode: str, sync: bool) -> RawData:
        """Give a data another content; the old one goes to the trash, uuid and annotations stay."""
        old = data.uri
        incoming, uri, extra = self._take_in(source.path, name_of(old), mode, sync=True)
        trash = join(self._layout.trash, f"{generate_uuid()}-{name_of(old)}")
        is_ours = mode != "reference" and parent(old) == self._directory and self._files.exists(old)
        data.uri, data.extra = uri, {**{k: v for k, v in data.extra.items() if k != REFERENCE}, **extra}
        data.author, data.date, data.format = source.author, source.date, source.format
        data.key_value_pairs.update(source.key_value_pairs)
        data.metadata.update(source.metadata)
        if is_ours:
            self._journal.append(self._layout, [self._line(REPLACING, data, incoming.stored)])
            self._exchange(incoming, uri, trash, source.path)
        else:
            self._place(incoming, uri, mode, source.path, sync)
        try:
            self._documents.change(data)
        except BaseException:
            if is_ours:
                self._files.remove(uri)
                self._files.move(trash, uri)
            raise
        self._files.discard(incoming)
        if not is_ours and parent(old) == self._directory and self._files.exists(old):
            self._files.move(old, trash)
        self._journal.append(self._layout, [self._line("replace", data, incoming.stored)])
        self._claimed.update((data.md_uri, data.uri))
        return data

    def finish(self, *, sync: bool, flush: bool = True) -> list[Written]:
        """Tell the list and the journal what was imported; without `flush` the list waits for more."""
        batch, self._batch, self._line_forms = self._batch, _Batch(), {}
        if not batch.items:
            return []
        try:
            self._journal.append(self._layout, batch.lines, sync=sync)
            self._listings.add(self._listing, batch.items, batch.names, sync=sync, flush=flush)
        except BaseException:
            self._listings.forget(self._dataset)  # what we believed to be listed is not
            raise
        return batch.written


def _base_name(path: str) -> str:
    return storable_name(os.path.basename(path.rstrip("/")))
