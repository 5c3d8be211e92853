"""The index of an experiment: derived from its documents, thrown away at any doubt, right at any time.

An SQLite file in the experiment's folder of ours. Before it answers, it looks at name, times, size and inode of every
document (or, where the system tells of changes, at those only that changed) and reads again what is not as it was. So
it notices what an editor, other software or another process did. Where it cannot be written it is made in memory.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from bioimageit_core.containers import RawData
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.core.json_text import decode
from bioimageit_core.core.paths import MD_SUFFIX, join, name_of, parent, relative_path
from bioimageit_core.plugins.store.annotations import Annotated
from bioimageit_core.plugins.store.answers import Answers
from bioimageit_core.plugins.store.content import is_text
from bioimageit_core.plugins.store.disk import Signature, is_coarse, is_settled, signature_of
from bioimageit_core.plugins.store.documents import Documents
from bioimageit_core.plugins.store.index_file import connect, forget
from bioimageit_core.plugins.store.index_rows import Row, Rows, Sum, total_of
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.lookout import Lookout
from bioimageit_core.plugins.store.watch import Watch

__all__ = ["Index"]

logger = logging.getLogger(__name__)

_Found: TypeAlias = list[tuple[str, Signature]]
_AT_ONCE = 1000  # documents whose rows are made before they are written
_MANY = 10_000  # documents of a folder that are worth a process which listens when we have ended


class Index(Answers):
    """The index of the experiment of `layout`; not for use by several threads at once."""

    def __init__(
        self, documents: Documents, listings: Listings, layout: Layout, lookout: Lookout | None = None
    ) -> None:
        self._lookout = lookout or Lookout(is_wanted=False)
        self._documents = documents
        self._listings = listings
        self._layout = layout
        self._watches: dict[str, Watch] = {}
        self._deaf: set[str] = set()  # folders of which the system does not tell everything
        self._seen: dict[str, str] = {}  # what the sum over a folder was when it was heard of last
        self._rows = Rows(self._open())

    @property
    def database(self) -> sqlite3.Connection:
        """The tables, to be asked."""
        return self._rows.database

    # The file

    def _open(self) -> sqlite3.Connection:
        path = join(self._layout.ours, "index.sqlite")
        self.is_kept = True
        for _ in range(2):
            try:
                return connect(path, durable=self._documents.files.durable)
            except sqlite3.OperationalError:
                break  # it cannot be opened or written here
            except sqlite3.DatabaseError:
                forget(path)
        self.is_kept = False
        return connect(":memory:")

    def close(self) -> None:
        """Release the file."""
        for watch in self._watches.values():
            watch.close()
        self.database.close()

    # Being right

    def refresh(self, md_uri: str, *, lineage: bool = True) -> int:
        """Bring the rows of a dataset, and with `lineage` of all datasets, up to date; return the dataset's id."""
        asked, names = name_of(parent(md_uri)), []
        if lineage:
            folders = (entry.name for entry in self._documents.files.entries(self._layout.root) if entry.is_dir)
            names = sorted(name for name in folders if name != asked and not name.startswith(".") and is_text(name))
        try:
            try:
                return self._refresh(asked, names, lineage=lineage)
            except sqlite3.DatabaseError as error:
                self.begin_anew(error)
                return self._refresh(asked, names, lineage=lineage)
        except BaseException:  # what was heard of and not yet taken in would be lost: everything is looked at again
            self._undo()
            for watch in self._watches.values():
                watch.miss()
            raise

    def begin_anew(self, error: sqlite3.DatabaseError) -> None:
        """Go on in memory: it is damaged, or held by a process that does not end, and nothing is lost by that."""
        self.database.close()
        if "locked" not in str(error):
            forget(join(self._layout.ours, "index.sqlite"))
        self._rows = Rows(connect(":memory:"))
        for watch in self._watches.values():
            watch.miss()

    def _refresh(self, asked: str, others: list[str], *, lineage: bool) -> int:
        number, is_untraced = self._refresh_folder(asked, is_asked=True)
        if unread := self.unreadable(number):
            is_untraced |= self._read_again(number, asked, unread)
        for folder in others:
            try:
                is_untraced |= self._refresh_folder(folder, is_asked=False)[1]
            except FileNotFoundError:  # it was removed a moment ago
                is_untraced |= self._forget({folder})
        if lineage:
            known = {folder for (folder,) in self.database.execute("SELECT folder FROM dataset")}
            is_untraced |= self._forget(known - {asked, *others})
        if is_untraced and self._rows.has_results():
            self._trace_origins()
        if self.database.in_transaction:
            self.database.execute("COMMIT")
        return number

    def _forget(self, folders: set[str]) -> bool:
        """Forget datasets that are gone; say whether one was known."""
        is_known = False
        for folder in folders:
            if row := self.database.execute("SELECT id FROM dataset WHERE folder = ?", (folder,)).fetchone():
                self._begin()
                self._rows.remove_all(row[0])
                self.database.execute("DELETE FROM dataset WHERE id = ?", row)
                is_known = True
            if watch := self._watches.pop(folder, None):
                watch.close()
            self._seen.pop(folder, None)
        return is_known

    def _read_again(self, dataset: int, folder: str, files: list[str]) -> bool:
        """Try documents that could not be read: what kept us from it may be none of the documents' doing."""
        rows = []
        for file in files:
            path = join(self._layout.root, folder, file)
            with contextlib.suppress(OSError):
                row = self._row(path, file, signature_of(os.stat(path)))
                if row.content is not None and file.endswith(MD_SUFFIX) and "/" not in file:
                    rows.append(row)
        if not rows:
            return False
        self._begin()
        total = Sum(self.database.execute("SELECT seen FROM dataset WHERE id = ?", (dataset,)).fetchone()[0])
        is_untraced = self._put(dataset, rows, total)
        self.database.execute("UPDATE dataset SET seen = ? WHERE id = ?", (str(total), dataset))
        self._seen[folder] = str(total)
        return is_untraced

    def _refresh_folder(self, folder: str, *, is_asked: bool) -> tuple[int, bool]:
        """Bring one folder up to date; return its number and whether what comes from what is to be traced.

        Of one that is not asked for it does not matter in which order its list has its data, nor whether it is one.
        """
        directory = join(self._layout.root, folder)
        query = "SELECT id, seen, listed, heard FROM dataset WHERE folder = ?"
        row = self.database.execute(query, (folder,)).fetchone()
        watch = self._watches.get(folder)
        if watch is None:  # watching begins before looking, so that nothing falls between
            watch = self._watches[folder] = Watch(directory)
        names = watch.changes() if row else None
        if row and row[1] != self._seen.get(folder, row[1]):  # by another process; or it is an older file's
            self._rows, names = Rows(self.database), None
        mark = row[3] if row else ""
        if names is None and row and Sum(row[1]).number >= _MANY:
            mark, names = self._lookout.touched(directory, mark)
        if names is not None and not names and self._list_now(directory)[0] == row[2]:
            return int(row[0]), False
        self._begin()
        row = row or self._new(folder)
        dataset, total = int(row[0]), Sum(row[1])
        now, gone = self._look(dataset, directory, total) if names is None else self._look_at(dataset, directory, names)
        is_gone = self._rows.remove(dataset, gone, total)
        is_untraced = self._read(dataset, directory, now, total) or is_gone
        self._seen[folder] = str(total)
        seen = (str(total), "" if folder in self._deaf else mark)
        if seen != (row[1], row[3]):
            self.database.execute("UPDATE dataset SET seen = ?, heard = ? WHERE id = ?", (*seen, dataset))
        with contextlib.suppress(*([] if is_asked else [BioImageITError])):
            self._order(dataset, directory, "" if is_gone or (now and self._rows.has_unplaced(dataset)) else row[2])
        return dataset, is_untraced

    def _begin(self) -> None:
        if not self.database.in_transaction:
            self.database.execute("BEGIN IMMEDIATE")

    def _new(self, folder: str) -> tuple[int, str, str, str]:
        insert = "INSERT INTO dataset (folder, seen, listed, heard) VALUES (?, '', '', '')"
        return int(self.database.execute(insert, (folder,)).lastrowid or 0), "", "", ""

    def _look(self, dataset: int, directory: str, total: Sum) -> tuple[_Found, Iterable[str]]:
        """Look at every document of a folder; return those that are not as they were, and those that are gone."""
        own = name_of(self._list_of(directory))  # the list is looked at by `_order`
        found, is_linked = total_of(directory, own)
        if is_linked:
            self._hear_nothing_of(directory)
        if str(found) == str(total):
            return [], []
        now = {}
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(MD_SUFFIX) and entry.name != own and is_text(entry.name):
                    with contextlib.suppress(OSError):  # removed meanwhile, or a link to nothing or to itself
                        now[entry.name] = signature_of(entry.stat())
        before = self._rows.stored(dataset)
        total.count(before)
        return [item for item in now.items() if before.get(item[0]) != item[1]], before.keys() - now.keys()

    def _look_at(self, dataset: int, directory: str, names: set[str]) -> tuple[_Found, Iterable[str]]:
        """Look at some documents of a folder, those that the system says were touched."""
        now, gone, own = [], [], name_of(self._list_of(directory))
        for name in names:
            if name.endswith(MD_SUFFIX) and name != own and is_text(name):
                path = join(directory, name)
                try:
                    status = os.stat(path)
                except OSError:
                    gone.append(name)
                    continue
                if status.st_nlink > 1 or os.path.islink(path):
                    self._hear_nothing_of(directory)
                signature = signature_of(status)
                if self._rows.signature(dataset, name) != signature:
                    now.append((name, signature))
        return now, gone

    def _hear_nothing_of(self, directory: str) -> None:
        """Look at a folder each time: of a document changed by way of a name elsewhere, the system tells nothing."""
        self._watches[name_of(directory)].miss()
        self._deaf.add(name_of(directory))

    def _read(self, dataset: int, directory: str, items: _Found, total: Sum) -> bool:
        rows = (self._row(join(directory, name), name, signature) for name, signature in items)
        return self._put(dataset, rows, total)

    def _put(self, dataset: int, rows: Iterable[Row], total: Sum) -> bool:
        left, is_untraced = iter(rows), False
        while some := list(itertools.islice(left, _AT_ONCE)):
            is_untraced |= self._rows.put(dataset, some, total)
        return is_untraced

    def _row(self, md_uri: str, file: str, signature: Signature) -> Row:
        signature = _as_kept(signature)
        try:
            content = self._documents.files.read(md_uri)
            if "common" not in decode(content, md_uri):
                return Row(file, signature)
            data = self._documents.parse_data(content, md_uri)
        except (BioImageITError, OSError):
            return Row(file, signature)
        if isinstance(data, RawData) != (parent(md_uri) == parent(self._layout.raw_dataset)):
            return Row(file, signature)  # it says of itself that it belongs elsewhere
        row = Row(file, signature, content, (data.name, data.author, data.date, data.format))
        if isinstance(data, RawData):
            row.pairs = data.key_value_pairs
        else:
            row.output = (data.output.get("name", ""), data.output.get("label", ""))
            row.parent = relative_path(data.inputs[0].uri, self._layout.experiment) if data.inputs else None
        return row

    # What we wrote ourselves

    def take(self, md_uri: str, rows: Sequence[Row]) -> None:
        """Take in documents of the dataset at `md_uri` that were just written; new ones are the last of its list.

        What else changed meanwhile is noticed at the next `refresh` as ever.
        """
        directory = parent(md_uri)
        with self._taking_in(directory):
            query = "SELECT id, seen, listed FROM dataset WHERE folder = ?"
            row = self.database.execute(query, (name_of(directory),)).fetchone() or self._new(name_of(directory))
            dataset, total = int(row[0]), Sum(row[1])
            query = "SELECT coalesce(max(position), -1) FROM doc WHERE dataset = ?"
            last = int(self.database.execute(query, (dataset,)).fetchone()[0])
            for number, new in enumerate(rows, last + 1):
                new.position = number
                if is_coarse(new.signature):
                    new.signature = _as_kept(new.signature)
            # somebody may have changed one since, and another may know already: that is not to be undone
            files = self._documents.files
            still = (new for new in rows if files.signature(join(directory, new.file)) == new.signature)
            if self._put(dataset, still, total) and self._rows.has_results():
                self._trace_origins()
            self.database.execute("UPDATE dataset SET seen = ? WHERE id = ?", (str(total), dataset))
            self._note(name_of(directory), row[1], str(total))

    def take_annotations(self, changed: Sequence[Annotated]) -> None:
        """Take in documents that just got other annotations, where it knew what was there before."""
        folders: dict[str, list[Annotated]] = {}
        for each in changed:
            if each.before is not None and isinstance(each.signature, tuple) and not is_coarse(each.signature):
                folders.setdefault(name_of(parent(each.md_uri)), []).append(each)
        with self._taking_in(self._layout.root):
            for folder, some in folders.items():
                row = self.database.execute("SELECT id, seen FROM dataset WHERE folder = ?", (folder,)).fetchone()
                if row:
                    total = Sum(row[1])
                    self._rows.annotate(row[0], some, total)
                    self.database.execute("UPDATE dataset SET seen = ? WHERE id = ?", (str(total), row[0]))
                    self._note(folder, row[1], str(total))

    def take_order(self, md_uri: str) -> None:
        """Take in the list of a dataset, which was just written."""
        directory = parent(md_uri)
        with self._taking_in(directory):
            query = "SELECT id, listed FROM dataset WHERE folder = ?"
            if row := self.database.execute(query, (name_of(directory),)).fetchone():
                self._order(int(row[0]), directory, row[1], is_ours=True)

    @contextlib.contextmanager
    def _taking_in(self, what: str) -> Iterator[None]:
        """Take in all of it or nothing: an index is derived, and the next query makes it right."""
        try:
            self._begin()
            yield
            self.database.execute("COMMIT")
        except (sqlite3.Error, BioImageITError, OSError) as error:
            logger.debug("the index of %s was not told: %s", what, error)
            self._undo()
        except BaseException:
            self._undo()
            raise

    def _note(self, folder: str, before: str, now: str) -> None:
        """Remember the sum over a folder that we changed ourselves."""
        if self._seen.get(folder) == before:
            self._seen[folder] = now

    def _undo(self) -> None:
        self._seen.clear()
        with contextlib.suppress(sqlite3.Error):
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
        self._rows = Rows(self.database)

    # The order

    def _order(self, dataset: int, directory: str, listed: str, *, is_ours: bool = False) -> None:
        """Give every document its place in the dataset's list, None to those that are not in it.

        Nothing is to be done where the list is what was `listed`.
        """
        md_uri = self._list_of(directory)
        now, known = self._list_now(directory)
        if now == listed:
            return
        if not all(is_settled(each) or (is_ours and not is_coarse(each)) for each in known):
            now = ""  # it is read again next time
        wanted = {name: place for place, name in enumerate(self._listings.names(md_uri))}
        query = "SELECT file, position FROM doc WHERE dataset = ?"
        stored = dict(self.database.execute(query, (dataset,)).fetchall())
        moves = [(wanted.get(file), dataset, file) for file, place in stored.items() if wanted.get(file) != place]
        self.database.executemany("UPDATE doc SET position = ? WHERE dataset = ? AND file = ?", moves)
        missing = [(dataset, file, place) for file, place in wanted.items() if file not in stored]
        self.database.executemany("INSERT INTO doc (dataset, file, position, bad) VALUES (?, ?, ?, 1)", missing)
        self.database.execute("UPDATE dataset SET listed = ? WHERE id = ?", (now, dataset))

    def _list_now(self, directory: str) -> tuple[str, list[Signature]]:
        """Return what tells a list from any other, that of what waits for it too, of which no directory tells."""
        md_uri, files = self._list_of(directory), self._documents.files
        signatures = [files.signature(md_uri), files.signature(self._layout.pending(md_uri))]
        return "-".join(map(str, signatures)), [each for each in signatures if isinstance(each, tuple)]

    def _list_of(self, directory: str) -> str:
        layout = self._layout
        raw = directory == parent(layout.raw_dataset)
        return layout.raw_dataset if raw else join(directory, "processed_dataset.md.json")

    def _trace_origins(self) -> None:
        """Follow every result to the raw data that it comes from, through the first of its inputs."""
        update = self.database.execute
        update("UPDATE doc SET origin = NULL WHERE origin IS NOT NULL")
        update("CREATE TEMP TABLE IF NOT EXISTS path (path TEXT PRIMARY KEY, doc INTEGER)")
        update("DELETE FROM path")
        update("INSERT INTO path SELECT s.folder || '/' || d.file, d.id FROM doc d JOIN dataset s ON s.id = d.dataset")
        from_ = "FROM path JOIN doc p ON p.id = path.doc WHERE doc.origin IS NULL AND doc.parent = path.path"
        update(f"UPDATE doc SET origin = p.id {from_} AND p.dataset = (SELECT id FROM dataset WHERE folder = 'data')")
        while update(f"UPDATE doc SET origin = p.origin {from_} AND p.origin IS NOT NULL").rowcount:
            pass


def _as_kept(signature: Signature) -> Signature:
    """Return a signature that no file has, where another change would not show: the document is read again."""
    return signature if is_settled(signature) else (*signature[:3], 0)
