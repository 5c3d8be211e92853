"""Documents of a store: read with their URLs guarded, written whole, changed without losing what others changed."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from bioimageit_core.containers import Data, Dataset, Experiment, ProcessedData, RawData
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, DocumentError, NotFoundError
from bioimageit_core.core.json_text import decode, encode
from bioimageit_core.core.merge import merge, same_json
from bioimageit_core.core.paths import absolute_path, is_within, relative_path
from bioimageit_core.core.records import Document, Record, container_of, document_of, kind_of, plain_container_of
from bioimageit_core.plugins.store.content import is_path
from bioimageit_core.plugins.store.files import Changed, Files
from bioimageit_core.plugins.store.layout import Layout

__all__ = ["REFERENCE", "Documents", "guarded", "may_not_last"]

REFERENCE = "reference"
"""The key by which the document of a data that lies outside its experiment says so, with ``size`` and ``sha256``."""

_TRIES = 40
_BELOW = re.compile(r"[^/\\.:][^/\\:]*(?:/[^/\\.:][^/\\:]*)*")
_AS_READ = "_as_read"
"""On a container: the bytes it was read from and the keys that were filled in, so that only changes are written."""

R = TypeVar("R", bound=Record)


def guarded(error: OSError, doing: str) -> DataServiceError:
    """Tell of trouble with a filesystem in one line."""
    reason = error.strerror or str(error) or type(error).__name__
    where = f" {error.filename!r}" if error.filename and repr(error.filename) not in doing else ""
    if error.filename2:
        where += f" -> {error.filename2!r}"
    return DataServiceError(f"cannot {doing}: {reason}{where}")


def may_not_last(error: OSError, root: str) -> DataServiceError:
    """Tell that the system could not bring to the disk what was written below `root`."""
    told = guarded(error, f"write to {root!r}")
    return DataServiceError(f"{told}; what was written last may be lost: mend the disk, then check, and do this again")


class Documents:
    """Read and write the documents of a store.

    Parameters
    ----------
    trusted
        Directories that documents may point into although they are outside their experiment.
    """

    def __init__(self, files: Files, trusted: Iterable[str] = ()) -> None:
        self.files = files
        self._near: tuple[str, Callable[[str], str]] = ("", _near(""))  # for the directory that was read in last
        self._inside: set[tuple[str, str]] = set()  # directories, and the experiments that they are in
        self._trusted = list(_absolute(files, trusted))

    def content(self, md_uri: str, kind: str = "document") -> bytes:
        """Read the bytes of a document."""
        try:
            return self.files.read(md_uri)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(kind, md_uri) from error
        except OSError as error:
            raise guarded(error, f"read {md_uri!r}") from error

    def load(self, md_uri: str, kind: str = "document") -> Document:
        """Read a document as JSON gives it."""
        return decode(self.content(md_uri, kind), md_uri)

    def read(self, kind: type[R], md_uri: str) -> R:
        """Read a container, and remember how it was read."""
        return self.parse(kind, self.content(md_uri, _TITLES[kind.__name__]), md_uri)

    def parse(self, kind: type[R], content: bytes, md_uri: str) -> R:
        """Make the container of a document's bytes, and remember them."""
        record: R
        plain = self._plain(kind, content, md_uri) if kind in _MANY else None
        if plain is not None:
            record = plain
        else:
            document = decode(content, md_uri)
            record = container_of(kind, document, md_uri, self._resolver(kind, document, md_uri))
        if kind is Experiment:
            pass  # it is where it was found
        elif isinstance(record, Data):
            if record.uri and not (isinstance(record, RawData) and _is_reference(record.extra.get(REFERENCE))):
                self.check_place(md_uri, record.uri, Layout.of_record(md_uri).root)
        elif isinstance(record, Dataset):
            self.check_place(md_uri, md_uri.rpartition("/")[0], Layout.of_record(md_uri).root)
        setattr(record, _AS_READ, (content, ()))
        return record

    def _plain(self, kind: type[R], content: bytes, md_uri: str) -> R | None:
        """Make the container of a document in which nothing needs a second look; None for any other."""
        record: R | None
        if kind is ProcessedData:  # it speaks of data in other folders
            record = plain_container_of(kind, content, md_uri, self._resolver(kind, {}, md_uri))
            return record
        directory = md_uri.rpartition("/")[0]
        known, near = self._near
        if known != directory:
            near = _near(directory)
            self._near = (directory, near)
        try:
            record = plain_container_of(kind, content, md_uri, near)
        except _FarError:
            return None
        return record

    def is_trusted(self, uri: str) -> bool:
        """Say whether the configuration lets documents point there."""
        return any(is_within(uri, place) for place in self._trusted)

    def check_place(self, md_uri: str, uri: str, root: str) -> None:
        """Refuse a file or folder that is in `root` by its name, and elsewhere by a link.

        Raises
        ------
        DocumentError
            It is outside, and not where the configuration trusts; the error is about the document `md_uri`.
        """
        real = self.files.leads_to(uri)
        place = (real.rpartition("/")[0], root)
        if place in self._inside:
            return
        if real.startswith(self.files.leads_to(root) + "/"):
            self._inside.add(place)
            return
        if any(is_within(real, self.files.leads_to(place)) for place in self._trusted) or self.is_trusted(uri):
            return
        reason = (
            f"{uri!r} is a link to {real!r}, which is outside its experiment; import it by reference"
            " (or name its folder in 'trusted_dirs' of the configuration's 'metadata')"
        )
        raise DocumentError(md_uri, reason)

    def parse_data(self, content: bytes, md_uri: str) -> RawData | ProcessedData:
        """Make the container of a data's document, whichever it is."""
        if b"processed" in content and kind_of(decode(content, md_uri)) == "processed data":
            return self.parse(ProcessedData, content, md_uri)
        return self.parse(RawData, content, md_uri)

    def fill(self, data: RawData, keys: list[str]) -> RawData:
        """Give a raw data the keys that it lacks, with ``''``; that is no change to write back."""
        missing = tuple(key for key in keys if key not in data.key_value_pairs)
        data.key_value_pairs.update(dict.fromkeys(missing, ""))
        setattr(data, _AS_READ, (getattr(data, _AS_READ)[0], missing))
        return data

    def _base(self, record: Record) -> Document | None:
        """Return the document that a container was when it was read; None for one that was not."""
        content, filled = getattr(record, _AS_READ, (b"", ()))
        if not content:
            return None
        document = decode(content, record.md_uri)
        kind = type(record)
        before = container_of(kind, document, record.md_uri, self._resolver(kind, document, record.md_uri))
        if filled:
            before.key_value_pairs.update(dict.fromkeys(filled, ""))
        return self.render(before)

    def _resolver(self, kind: type[Any], document: Document, md_uri: str) -> Callable[[str], str]:
        layout = Layout.of_experiment(md_uri) if kind is Experiment else Layout.of_record(md_uri)
        inside = layout.root.rstrip("/") + "/"
        referenced = kind is RawData and _is_reference(document.get(REFERENCE))
        directory = md_uri.rpartition("/")[0]

        def resolve(url: str) -> str:
            if not url:
                return ""
            if not is_path(url):
                raise DocumentError(md_uri, f"the URL {url!r} cannot be that of a file")
            if _BELOW.fullmatch(url):  # the usual case: a sibling, or below one
                return f"{directory}/{url}"
            uri = absolute_path(url, md_uri)
            if uri.startswith(inside) or referenced or any(is_within(uri, place) for place in self._trusted):
                return uri
            reason = (
                f"the URL {url!r} leaves its experiment; only data imported by reference may do so"
                " (or name its folder in 'trusted_dirs' of the configuration's 'metadata')"
            )
            raise DocumentError(md_uri, reason)

        return resolve

    def remember(self, record: Record, content: bytes = b"") -> None:
        """Take what a container holds now as what is stored."""
        setattr(record, _AS_READ, (content or encode(self.render(record)), ()))

    def render(self, record: Record) -> Document:
        """Make the document of a container, with URLs relative to it."""
        md_uri = record.md_uri

        def relate(uri: str) -> str:
            return relative_path(uri, md_uri) if uri else ""

        return document_of(record, relate)

    def create(self, record: Record, *, sync: bool = True) -> tuple[bytes, object]:
        """Write the document of a new container, and return it with its signature.

        Raises
        ------
        ConflictError
            There is a document already.
        """
        content = encode(self.render(record))
        signature = self.create_as(record.md_uri, content, self._temp(record), sync=sync)
        self.remember(record, content)
        return content, signature

    def create_as(self, md_uri: str, content: bytes, temp: str, *, sync: bool = True) -> object:
        """Write a new document of these bytes, and return its signature."""
        try:
            return self.files.write(md_uri, content, temp, new=True, sync=sync)
        except FileExistsError as error:
            raise ConflictError(f"{md_uri} is already there") from error
        except OSError as error:
            raise guarded(error, f"write {md_uri!r}") from error

    def change(self, record: Record) -> tuple[Document, Document] | None:
        """Write what a caller changed in a container; return the document before and after, None if nothing changed.

        To be called with the experiment's lock held.
        """
        kind, md_uri = type(record), record.md_uri
        mine, base = self.render(record), self._base(record)

        def merged(stored: Document) -> Document:
            result: Document = merge(base, mine, stored) if base is not None else _overwrite(mine, stored)
            # a change that cannot be read back must not be written
            container_of(kind, result, md_uri, self._resolver(kind, result, md_uri))
            return result

        changed = self.edit(md_uri, merged, self._temp(record), _TITLES.get(kind.__name__, "document"))
        if changed:
            self.remember(record)
        return changed

    def edit(
        self,
        md_uri: str,
        change: Callable[[Document], Document | None],
        temp: str,
        kind: str = "document",
        *,
        sync: bool = True,
    ) -> tuple[Document, Document] | None:
        """Replace a document by what `change` makes of it, again if another writer was faster.

        Returns the document before and after, None where `change` gave None or what it was given.
        """
        seen: tuple[Document, Document] | None = None

        def make(content: bytes) -> bytes | None:
            nonlocal seen
            before, after = decode(content, md_uri), change(decode(content, md_uri))
            seen = None if after is None or same_json(after, before) else (before, after)
            return encode(seen[1]) if seen else None

        self._replace(md_uri, make, temp, kind, sync=sync)
        return seen

    def rewrite(self, md_uri: str, change: Callable[[Document], Document], temp: str, kind: str, *, sync: bool) -> None:
        """Do what `edit` does with a document that may be long: what it was is not kept beside what it is."""
        self._replace(md_uri, lambda content: encode(change(decode(content, md_uri))), temp, kind, sync=sync)

    def _replace(self, md_uri: str, make: Callable[[bytes], bytes | None], temp: str, kind: str, *, sync: bool) -> None:
        for attempt in range(_TRIES):
            try:
                content, version = self.files.read_version(md_uri)
                new = make(content)
                if new is not None:
                    self.files.write(md_uri, new, temp, expected=version, sync=sync)
                return
            except Changed:
                time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))  # noqa: S311 - who waits how long
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(kind, md_uri) from error
            except OSError as error:
                raise guarded(error, f"write {md_uri!r}") from error
        raise ConflictError(f"{md_uri} is changed by others all the time; try again later")

    def _temp(self, record: Record) -> str:
        of = Layout.of_experiment if isinstance(record, Experiment) else Layout.of_record
        return of(record.md_uri).temp


def _absolute(files: Files, directories: Iterable[str]) -> Iterator[str]:
    for directory in directories:
        with contextlib.suppress(FileNotFoundError):  # of another kind of home
            yield files.absolute(directory)


class _FarError(Exception):
    """A URL is not that of a file beside its document, or below."""


def _near(directory: str) -> Callable[[str], str]:
    def resolve(url: str) -> str:
        if _BELOW.fullmatch(url) and is_path(url):
            return f"{directory}/{url}"
        if url:
            raise _FarError
        return ""

    return resolve


def _is_reference(said: Any) -> bool:
    return isinstance(said, dict) and isinstance(said.get("size"), int) and isinstance(said.get("sha256"), str)


def _overwrite(mine: Document, stored: Document) -> Document:
    """Take a container that was made by hand at its word, keeping only the keys it has no field for."""
    result = dict(stored)
    for key, value in mine.items():
        known = result.get(key)
        free = key in {"key_value_pairs", "metadata"}
        result[key] = (
            _overwrite(value, known) if isinstance(value, dict) and isinstance(known, dict) and not free else value
        )
    return result


_MANY = {Experiment, Dataset, RawData, ProcessedData}  # kinds that are many, or large, so that reading them counts
_TITLES = {
    "Experiment": "experiment",
    "Dataset": "dataset",
    "RawData": "raw data",
    "ProcessedData": "processed data",
    "Run": "run",
}
