"""Deleting, restoring and purging: what goes is first written down, then taken out of the lists, then moved."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
from collections.abc import Callable, Sequence
from typing import Any

from bioimageit_core.containers import Dataset, Experiment, RawData
from bioimageit_core.core.acting import actor
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, DocumentError, NotFoundError
from bioimageit_core.core.paths import is_within, join, name_of, parent, relative_path
from bioimageit_core.plugins.changes import TrashEntry
from bioimageit_core.plugins.store.bin import (
    MANIFEST,
    Content,
    Entry,
    EntryRecord,
    Listed,
    list_again,
    move_back,
    move_in,
    purge_files,
    to_move_back,
    unlist,
)
from bioimageit_core.plugins.store.documents import REFERENCE, Documents
from bioimageit_core.plugins.store.files import Stored
from bioimageit_core.plugins.store.journal import Journal, new_change
from bioimageit_core.plugins.store.layout import DERIVED, Layout
from bioimageit_core.plugins.store.listing import Listings

__all__ = ["Trash"]

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UUID = 37  # characters before the name of a file that was replaced: see `Importer`


class Trash:
    """The trash of one experiment; what changes is to be called with the experiment's lock held."""

    def __init__(self, documents: Documents, listings: Listings, journal: Journal, layout: Layout) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal
        self._layout = layout

    def delete(self, data: Sequence[str], datasets: Sequence[str], what: str) -> TrashEntry:
        """Move data, and whole datasets, to the trash.

        What an interrupted deletion had begun with is finished first, and is not asked for again.

        Raises
        ------
        NotFoundError
            One of them is not listed.
        ConflictError
            One of the datasets is the raw one.
        """
        done = [entry for entry in self.finish() if entry.record.state == "deleted"]
        gone = {join(self._layout.root, path) for entry in done for path in entry.record.moves}
        data = [uri for uri in data if not gone & {uri, parent(uri)}]
        datasets = [uri for uri in datasets if parent(uri) not in gone]
        if done and not data and not datasets:
            return done[-1].described()
        entry = self.new(what)
        self._take_datasets(entry.record, datasets)
        self._take_data(entry.record, [uri for uri in data if parent(uri) not in set(map(parent, datasets))])
        if not entry.record.moves:
            raise NotFoundError("data to delete", self._layout.root)
        return self.put(entry)

    def put(self, entry: Entry) -> TrashEntry:
        """Move to the trash what an entry names; if that fails, the state is that before."""
        entry.check()
        self._check_places(entry)
        try:
            entry.save("deleting", self._layout.temp)
            self._put_in(entry)
            self._tell(entry, "delete")
        except Exception:
            self._put_back(entry)  # where that fails too, a check tells, and a repair finishes
            self._drop(entry)
            raise
        entry.save("deleted", self._layout.temp)
        return entry.described()

    def new(self, what: str) -> Entry:
        """Begin an entry; nothing is written yet."""
        time = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        record = EntryRecord(new_change(), time, actor() or self._journal.who, what, "deleting")
        return Entry(self._files, self._layout.root, self._layout.trash, record)

    def _take_datasets(self, record: EntryRecord, md_uris: Sequence[str]) -> None:
        stored = self._documents.load(self._layout.experiment, "experiment")
        experiment = self._documents.read(Experiment, self._layout.experiment)
        for md_uri in md_uris:
            if md_uri == experiment.raw_dataset.url:
                raise ConflictError(f"{md_uri} is the raw dataset; delete data in it, or the experiment")
            known = [info.url for info in experiment.processed_datasets]
            if md_uri not in known or parent(parent(md_uri)) != self._layout.root:
                raise NotFoundError("dataset", md_uri)
            index = known.index(md_uri)
            link = stored["processed_datasets"][index]
            record.listed.append(Listed(name_of(self._layout.experiment), "processed_datasets", index, link))
            record.moves.append(name_of(parent(md_uri)))
            record.content += [self._content(item.md_uri) for item in self._listings.read(md_uri).uris]

    def _take_data(self, record: EntryRecord, md_uris: Sequence[str]) -> None:
        by_folder: dict[str, list[str]] = {}
        for md_uri in dict.fromkeys(md_uris):
            by_folder.setdefault(parent(md_uri), []).append(md_uri)
        for folder, wanted in by_folder.items():
            dataset = self._dataset(folder)
            self._listings.flush(dataset)
            places = {item.md_uri: index for index, item in enumerate(self._documents.read(Dataset, dataset).uris)}
            links = self._documents.load(dataset).get("urls", [])
            path = self._relative(dataset)
            for md_uri in wanted:
                if md_uri not in places:
                    raise NotFoundError("data", md_uri)
                record.listed.append(Listed(path, "urls", places[md_uri], links[places[md_uri]]))
                content = self._content(md_uri)
                record.content.append(content)
                # the document first: a file without one is an orphan, a document without its file a loss
                record.moves += [path for path in (content.md, content.file) if path]

    def _dataset(self, folder: str) -> str:
        experiment = self._documents.read(Experiment, self._layout.experiment)
        for info in [experiment.raw_dataset, *experiment.processed_datasets]:
            if parent(info.url) == folder:
                return info.url
        raise NotFoundError("dataset of the experiment", folder)

    def _content(self, md_uri: str) -> Content:
        """Say what a data is, with its size and hash: from the journal, else from the file as it is."""
        md = self._relative(md_uri)
        try:
            data = self._documents.parse_data(self._documents.content(md_uri), md_uri)
        except DataServiceError:  # what cannot be read can be deleted too
            return Content("", name_of(md_uri), md)
        said = data.extra.get(REFERENCE)
        if isinstance(data, RawData) and isinstance(said, dict):
            return Content(data.uuid, data.name, md, "", int(said["size"]), str(said["sha256"]))
        if not is_within(data.uri, self._layout.root) or not self._files.exists(data.uri):
            return Content(data.uuid, data.name, md)
        known = self._sums().get(data.uri, ())
        stored = known[0] if len(known) == 1 else self._files.digest(data.uri)
        return Content(data.uuid, data.name, md, self._relative(data.uri), stored.size, stored.sha256)

    def _sums(self) -> dict[str, tuple[Stored, ...]]:
        if not hasattr(self, "_known_sums"):
            self._known_sums = self._journal.checksums(self._layout)
        return self._known_sums

    def _relative(self, uri: str) -> str:
        return relative_path(uri, self._layout.experiment)

    def _check_places(self, entry: Entry) -> None:
        """Refuse to move or remove anything behind a link: what an entry says lies where others may write.

        Raises
        ------
        DocumentError
            A folder of the experiment leads out of it, or there is a link in the trash.
        """
        manifest = join(entry.place, MANIFEST)
        paths = [*entry.record.moves, *(each.document for each in entry.record.listed)]
        folders = {path.rpartition("/")[0] for path in paths} - {""}
        for folder in folders:
            self._documents.check_place(manifest, join(self._layout.root, folder), self._layout.root)
        for folder in {"", *folders}:
            uri = join(entry.place, folder) if folder else entry.place
            while uri != self._layout.trash:
                if self._files.is_link(uri):
                    raise DocumentError(manifest, f"{uri!r} is a link, and nothing in the trash is one; remove it")
                uri = parent(uri)

    def _put_in(self, entry: Entry) -> None:
        self._check_places(entry)
        unlist(self._documents, entry, self._layout.temp)
        move_in(entry)
        self._files.sync(self._layout.root)
        self._forget(entry)

    def _put_back(self, entry: Entry) -> None:
        self._check_places(entry)
        move_back(entry)
        self._files.sync(self._layout.root)
        list_again(self._documents, entry, self._layout.temp)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        for folder in {path.split("/")[0] for path in entry.record.moves}:
            for document in ("raw_dataset.md.json", "processed_dataset.md.json"):
                self._listings.forget(join(self._layout.root, folder, document))

    def _tell(self, entry: Entry, operation: str) -> None:
        batch = entry.record.id if operation == "delete" else f"{entry.record.id}-{operation}"
        lines = []
        for content in entry.record.content:
            facts: dict[str, Any] = {"uuid": content.uuid}
            if content.sha256:
                facts |= {"size": content.size, "sha256": content.sha256}
            md_uri = join(self._layout.root, content.md)
            lines.append(self._journal.line(self._layout, operation, md_uri, batch=batch, **facts))
        self._journal.append(self._layout, lines)

    def entries(self) -> list[TrashEntry]:
        """List what is in the trash, newest first."""
        found = [entry.described() for entry in self._all()]
        names = self._names() - {entry.id for entry in found}
        for name in sorted(names):
            place = join(self._layout.trash, name)
            if not self._files.exists(join(place, MANIFEST)):
                what = f"the file {name[_UUID:] or name!r}"
                found.append(TrashEntry(name, "", "", what, "", "file", 0, self._size(name), place))
        return sorted(found, key=lambda entry: entry.time, reverse=True)

    def _all(self) -> list[Entry]:
        found = []
        for name in self._names():
            # one that is damaged stops no other: a check tells of it
            with contextlib.suppress(NotFoundError, DocumentError):
                found.append(self._load(name))
        return found

    def _load(self, name: str) -> Entry:
        return Entry.load(self._files, self._layout.root, self._layout.trash, name)

    def unreadable(self) -> list[DocumentError]:
        """Say which entries cannot be read, and why."""
        found = []
        for name in sorted(self._names()):
            try:
                self._load(name)
            except NotFoundError:
                continue
            except DocumentError as error:
                found.append(error)
        return found

    def _names(self) -> set[str]:
        try:
            return set(self._files.names(self._layout.trash))
        except FileNotFoundError:
            return set()

    def _size(self, name: str) -> int:
        return next((each.size for each in self._files.entries(self._layout.trash) if each.name == name), 0)

    def restore(self, name: str) -> TrashEntry:
        """Put an entry back: the one of that id, or the latest that is called so, or the latest of all.

        Raises
        ------
        NotFoundError
            There is none.
        ConflictError
            It was purged, or something else is at its place.
        """
        for finished in self.finish():
            if finished.record.state == "restoring" and _is_called(finished.record, name):
                return finished.described()
        entry = self._find(name)
        if entry.record.state == "purged":
            raise ConflictError(f"{entry.record.what} was purged: only its record and hashes are left")
        self._check_places(entry)
        to_move_back(entry)  # before anything says that it is being restored: nothing else could be done until it was
        entry.save("restoring", self._layout.temp)
        try:
            self._put_back(entry)
        except Exception:
            self._put_in(entry)
            entry.save("deleted", self._layout.temp)
            raise
        self._restored(entry)
        return entry.described()

    def _find(self, name: str) -> Entry:
        entries = sorted(self._all(), key=lambda entry: entry.record.time, reverse=True)
        if not name:
            entries = [entry for entry in entries if entry.record.state != "purged"]
        for matches in _WAYS:
            for entry in entries:
                if not name or matches(entry.record, name):
                    return entry
        if name in self._names():
            place = join(self._layout.trash, name)
            if not self._files.exists(join(place, MANIFEST)):
                raise ConflictError(f"{name!r} is a file that was replaced or set aside: copy it from {place}")
            self._load(name)
        raise NotFoundError("entry of the trash", name or self._layout.trash)

    def purge(self, name: str = "") -> list[TrashEntry]:
        """Free the bytes of an entry, or of all; records with their hashes stay."""
        done = [each.described() for each in self.finish() if each.record.state == "purged"]
        loose = [each for each in self.entries() if each.state == "file" and name in ("", each.id)]
        for each in loose:
            self._files.remove(each.place)
        entries = self._all() if not name else [] if loose or done else [self._find(name)]
        for entry in entries:
            if entry.record.state == "deleted":
                self._purge(entry)
                done.append(entry.described())
        return done + loose

    def _purge(self, entry: Entry) -> None:
        self._check_places(entry)
        try:
            entry.save("purging", self._layout.temp)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            for name in DERIVED:  # a full disk is when people purge: make room to write down what goes
                self._files.remove(join(self._layout.ours, name))
            entry.save("purging", self._layout.temp)
        purge_files(entry)
        self._tell(entry, "purge")
        entry.save("purged", self._layout.temp)

    def _drop(self, entry: Entry) -> None:
        """Forget an entry of which nothing is left in the trash."""
        self._files.remove(entry.place)
        self._files.sync(self._layout.root)

    def unfinished(self) -> list[TrashEntry]:
        """List what was interrupted."""
        return [entry.described() for entry in self._all() if entry.record.state not in {"deleted", "purged"}]

    def finish(self) -> list[Entry]:
        """Finish what was interrupted, and say what that was."""
        done = []
        for entry in self._all():
            state = entry.record.state
            if state == "deleting":
                self._put_in(entry)
                self._tell(entry, "delete")
                entry.save("deleted", self._layout.temp)
            elif state == "restoring":
                self._put_back(entry)
                self._restored(entry)
            elif state == "purging":
                self._purge(entry)
            else:
                continue
            done.append(entry)
        return done

    def _restored(self, entry: Entry) -> None:
        self._tell(entry, "restore")
        self._drop(entry)


def _is_called(record: EntryRecord, name: str) -> bool:
    return not name or any(matches(record, name) for matches in _WAYS)


_WAYS: list[Callable[[EntryRecord, str], bool]] = [
    lambda record, name: record.id == name,
    lambda record, name: name in record.moves,
    lambda record, name: any(name in (content.name, content.uuid) for content in record.content),
    lambda record, name: any(name == content.name.rpartition(".")[0] for content in record.content),
]
