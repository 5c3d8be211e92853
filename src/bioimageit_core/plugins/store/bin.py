"""One entry of a trash: what was deleted together, written down before anything is moved, so that it can be finished.

``<trash>/<id>/trash.json`` says what moves, and what is taken out of which list; ``<trash>/<id>/`` holds what moved, at
the paths that it had. Every step can be done again, and leaves what is done already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bioimageit_core.core.exceptions import ConflictError, DocumentError, NotFoundError
from bioimageit_core.core.json_text import encode
from bioimageit_core.core.paths import MD_SUFFIX, is_within, join, name_of, parent
from bioimageit_core.core.records import Document
from bioimageit_core.plugins.changes import TrashEntry
from bioimageit_core.plugins.store.documents import Documents
from bioimageit_core.plugins.store.files import Files
from bioimageit_core.plugins.store.layout import OURS

__all__ = [
    "MANIFEST",
    "Content",
    "Entry",
    "EntryRecord",
    "Listed",
    "list_again",
    "move_back",
    "move_in",
    "purge_files",
    "to_move_back",
    "unlist",
]

MANIFEST = "trash.json"
_RECORDS = {"journal.jsonl", "pending"}  # what of ours is a record, and stays when the bytes go


class Content(msgspec.Struct, omit_defaults=True):
    """A data that was deleted; `md` and `file` are relative to the experiment, no `file` where it lies elsewhere."""

    uuid: str
    name: str
    md: str
    file: str = ""
    size: int = 0
    sha256: str = ""


class Listed(msgspec.Struct):
    """An item that a list loses: the list's document, the field, where the item stands, and the item."""

    document: str
    field: str
    index: int
    item: dict[str, Any]


class EntryRecord(msgspec.Struct):
    """What the manifest of an entry says; all paths are relative to what the trash belongs to."""

    id: str
    time: str
    who: str
    what: str
    state: str
    moves: list[str] = []
    listed: list[Listed] = []
    content: list[Content] = []


class Entry:
    """An entry of the trash in the directory `trash` of what lies in `root`."""

    def __init__(self, files: Files, root: str, trash: str, record: EntryRecord) -> None:
        self.files = files
        self.root = root
        self.place = join(trash, record.id)
        self.record = record

    @classmethod
    def load(cls, files: Files, root: str, trash: str, name: str) -> Entry:
        """Read an entry.

        Raises
        ------
        NotFoundError
            There is none of that name.
        DocumentError
            Its manifest cannot be read.
        """
        manifest = join(trash, name, MANIFEST)
        try:
            record = msgspec.json.decode(files.read(manifest), type=EntryRecord)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError("entry of the trash", join(trash, name)) from error
        except OSError as error:
            raise DocumentError(manifest, f"cannot be read: {error.strerror or error}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DocumentError(manifest, f"is no manifest of the trash: {error}") from error
        record.id = name
        entry = cls(files, root, trash, record)
        entry.check()
        return entry

    def check(self) -> None:
        """Refuse paths that lead elsewhere: the manifest lies where others may write."""
        paths = [*self.record.moves, *(each.document for each in self.record.listed)]
        for path in [*paths, *(content.file for content in self.record.content if content.file)]:
            if (
                path.startswith("/")
                or ".." in path.split("/")
                or not is_within(join(self.root, path), self.root)
                or path in {"", "."}
            ):
                raise DocumentError(join(self.place, MANIFEST), f"names {path!r}, which is not in {self.root!r}")

    def save(self, state: str, temp: str) -> None:
        """Write the manifest, with a state."""
        self.record.state = state
        self.files.make_dir(self.place)
        self.files.write(join(self.place, MANIFEST), encode(msgspec.to_builtins(self.record)), temp)

    def described(self) -> TrashEntry:
        """Tell of the entry."""
        record = self.record
        folders = [path for path in record.moves if "/" not in path]
        name = record.content[0].name if len(record.content) == 1 else folders[0] if len(folders) == 1 else ""
        facts = (record.id, record.time, record.who, record.what, name, record.state, len(record.content))
        return TrashEntry(*facts, sum(content.size for content in record.content), self.place)


def move_in(entry: Entry) -> None:
    """Move what was deleted to the trash."""
    for path in entry.record.moves:
        here, there = join(entry.root, path), join(entry.place, path)
        if entry.files.exists(here) and not entry.files.exists(there):
            entry.files.move(here, there, sync=False)


def to_move_back(entry: Entry) -> list[str]:
    """Return what of an entry is still in the trash, and can be moved to where it was.

    Raises
    ------
    ConflictError
        Something else is there now, or the folder that it was in is not.
    """
    waiting = [path for path in entry.record.moves if entry.files.exists(join(entry.place, path))]
    for path in waiting:
        if _is_taken(entry.files, join(entry.root, path)):
            raise ConflictError(f"{join(entry.root, path)} is there again; move or delete it, then restore")
    # its list too: some filesystems keep a folder that nothing is in
    needed = {parent(path) for path in waiting if "/" in path} | {each.document for each in entry.record.listed}
    for path in sorted(needed):
        if not entry.files.exists(join(entry.root, path)):
            folder = path if path in map(parent, waiting) else parent(path)
            raise ConflictError(f"{join(entry.root, folder)} is not there; restore it first")
    return waiting


def move_back(entry: Entry) -> None:
    """Move what was deleted to where it was; with a `ConflictError` nothing is moved."""
    for path in reversed(to_move_back(entry)):
        entry.files.move(join(entry.place, path), join(entry.root, path), sync=False)


def _is_taken(files: Files, uri: str) -> bool:
    """Say whether something is there; empty folders, which some filesystems keep where some were, are nothing."""
    if not files.exists(uri):
        return False
    is_dir = any(each.is_dir for each in files.entries(parent(uri)) if each.name == name_of(uri))
    return not is_dir or _has_files(files, uri)


def _has_files(files: Files, folder: str) -> bool:
    return any(not each.is_dir or _has_files(files, join(folder, each.name)) for each in files.entries(folder))


def purge_files(entry: Entry) -> None:
    """Remove the bytes of what was deleted; documents stay."""
    for path in _below(entry.files, entry.place, entry.record.moves):
        if not path.endswith(MD_SUFFIX):
            entry.files.remove(path)


def _below(files: Files, place: str, moves: list[str]) -> Iterator[str]:
    """Give the files and Zarr directories of an entry: those that were moved, and what was in folders of documents."""
    for path in moves:
        uri = join(place, path)
        if not files.exists(uri):
            continue
        if "/" in path or files.is_link(uri):
            yield uri
            continue
        folders = [uri]
        for folder in folders:
            is_ours = name_of(folder) == OURS
            for each in list(files.entries(folder)):
                found = join(folder, each.name)
                # what a link leads to is not in the trash
                is_folder = each.is_dir and not files.is_link(found)
                if is_folder and not is_ours and _holds_documents(files, found):
                    folders.append(found)
                elif not is_ours or each.name not in _RECORDS:
                    yield found


def _holds_documents(files: Files, folder: str) -> bool:
    return name_of(folder) == OURS or any(name.endswith(MD_SUFFIX) for name in files.names(folder))


def unlist(documents: Documents, entry: Entry, temp: str) -> None:
    """Take what was deleted out of the lists."""
    for path, field in dict.fromkeys((each.document, each.field) for each in entry.record.listed):
        gone = {each.item.get("uuid") for each in entry.record.listed if (each.document, each.field) == (path, field)}

        def shorter(document: Document, field: str = field, gone: set[Any] = gone) -> Document:
            document[field] = [item for item in document.get(field, []) if item.get("uuid") not in gone]
            return document

        documents.edit(join(entry.root, path), shorter, temp, "dataset")


def list_again(documents: Documents, entry: Entry, temp: str) -> None:
    """Put what was deleted back into the lists, where it stood."""
    for path, field in dict.fromkeys((each.document, each.field) for each in entry.record.listed):
        back = [each for each in entry.record.listed if (each.document, each.field) == (path, field)]

        def longer(document: Document, field: str = field, back: list[Listed] = back) -> Document:
            items = document.setdefault(field, [])
            there = {item.get("uuid") for item in items}
            for each in sorted(back, key=lambda each: each.index):
                if each.item.get("uuid") not in there:
                    items.insert(each.index, each.item)
            return document

        documents.edit(join(entry.root, path), longer, temp, "dataset")
