"""What in an experiment does not hold: every document is read, and every file whose content may have changed."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from bioimageit_core.containers import Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.core.json_text import decode
from bioimageit_core.core.paths import MD_SUFFIX, join, name_of, parent
from bioimageit_core.core.records import kind_of
from bioimageit_core.plugins.contracts import Finding
from bioimageit_core.plugins.store.checked import Checked, as_text
from bioimageit_core.plugins.store.content import is_text
from bioimageit_core.plugins.store.disk import is_coarse, is_settled
from bioimageit_core.plugins.store.documents import REFERENCE, Documents, guarded
from bioimageit_core.plugins.store.files import Stored
from bioimageit_core.plugins.store.journal import Journal
from bioimageit_core.plugins.store.layout import OURS, PROCESSED_DATASET, RAW_DATASET, Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.trash import Trash

__all__ = ["Checker"]

Progress = Callable[[int, int], None]
_A = TypeVar("_A")
_B = TypeVar("_B")
_RUN = re.compile(r"run(_[0-9]+)?\.md\.json")
_BATCH = 256  # documents that are held at a time
_SHARE = 32  # of them that a thread takes at a time
_PROBE = 4  # by which it is seen whether threads help
_LARGE = 1024 * 1024  # bytes of a file to read which takes far longer than to hand it to a thread


@dataclass(frozen=True, slots=True)
class _Folder:
    """A dataset's folder: the list, what it names, and what is there."""

    md_uri: str
    names: frozenset[str]
    listed: dict[str, str]
    unsaid: list[str]
    """Names that no document can say."""
    twice: dict[str, list[str]]
    """Documents that are listed more than once, with what they are listed as."""

    @property
    def documents(self) -> list[str]:
        """URIs of all documents that are listed or there, but the list itself."""
        directory, own = parent(self.md_uri), name_of(self.md_uri)
        there = {join(directory, name) for name in self.names if name.endswith(MD_SUFFIX) and name != own}
        return [*self.listed, *sorted(there - self.listed.keys())]


@dataclass(slots=True)
class _Seen:
    """What a look at a document and its file brought; the document itself only until its file was looked at."""

    data: RawData | ProcessedData | None = None
    said: bytes = b""
    signature: str = ""
    md_uri: str = ""
    run: str = ""
    is_whole: bool = False
    is_unknown: bool = False
    is_spared: bool = False
    describes: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    held: list[tuple[str, str, str]] = field(default_factory=list)


class Checker:
    """Find what does not hold in one experiment.

    Parameters
    ----------
    full
        Read every file; else only those that changed since a check read them last.
    """

    def __init__(
        self, documents: Documents, listings: Listings, journal: Journal, layout: Layout, *, full: bool = False
    ) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal
        self._layout = layout
        self._full = full
        self._sums: dict[str, tuple[Stored, ...]] = {}
        self._origin_of: dict[str, str] | None = None
        self._spared = self._unknown = 0

    @property
    def spared(self) -> tuple[int, int]:
        """How many files were not read as they are unchanged since a check read them, and how many as none knows them.

        Nothing says what the latter were when they were stored: the journal was lost, or other software wrote them.
        """
        return self._spared, self._unknown

    def check(self, *, content: bool = True, progress: Progress | None = None) -> Iterator[Finding]:
        """Give what does not hold.

        Parameters
        ----------
        content
            Compare the checksums of files; else only look whether they are there.
        progress
            Hears how many of how many documents were looked at, with their files.
        """
        experiment = self._documents.read(Experiment, self._layout.experiment)
        self._sums = self._journal.checksums(self._layout) if content else {}
        listed = {info.url for info in [experiment.raw_dataset, *experiment.processed_datasets]}
        folders = []
        for dataset in sorted(listed):
            found = self._folder(dataset)
            if isinstance(found, Finding):
                yield found
            else:
                folders.append(found)
        yield from self._unlisted(listed)
        checked = Checked(join(self._layout.ours, "checked.sqlite") if content and self._files.locks_work else "")
        try:
            with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
                counter = _Counter(sum(len(folder.documents) for folder in folders), progress)
                for folder in folders:
                    yield from self._contents(folder, pool, checked, content, counter)
        finally:
            checked.close()

    def _folder(self, md_uri: str) -> _Folder | Finding:
        try:
            found = self._files.names(parent(md_uri))
            names = frozenset(filter(is_text, found))
            items = self._listings.read(md_uri).uris
        except (FileNotFoundError, NotFoundError):
            return Finding("missing document", md_uri, "the dataset's list is not there")
        except BioImageITError as error:
            return Finding("unreadable document", md_uri, str(error))
        except OSError as error:
            raise guarded(error, f"check {md_uri!r}") from error
        listed: dict[str, str] = {}
        twice: dict[str, list[str]] = {}
        for item in items:
            if item.md_uri in listed:
                twice.setdefault(item.md_uri, [listed[item.md_uri]]).append(item.uuid)
            listed[item.md_uri] = item.uuid
        return _Folder(md_uri, names, listed, sorted(set(found) - names), twice)

    def _unlisted(self, listed: set[str]) -> Iterator[Finding]:
        """Look for folders that are datasets and that the experiment does not know, and for work left over."""
        layout = self._layout
        for name in sorted(self._files.names(layout.root)):
            for document in (RAW_DATASET, PROCESSED_DATASET):
                md_uri = join(layout.root, name, document)
                if name != OURS and md_uri not in listed and self._files.exists(md_uri):
                    yield Finding("orphan dataset", md_uri, "the experiment does not list it", repairable=True)
        trash = Trash(self._documents, self._listings, self._journal, layout)
        for error in trash.unreadable():
            yield Finding("unreadable document", error.uri, str(error))
        for entry in trash.unfinished():
            what = f"{entry.state} {entry.what} was interrupted: the same command again, or a repair, completes it"
            yield Finding("leftover", entry.place, what, repairable=True)
        for place in (layout.temp, layout.staging):
            try:
                left = sorted(self._files.names(place))
            except FileNotFoundError:
                continue
            for name in left:
                yield Finding("leftover", join(place, name), "left by an interrupted write", repairable=True)

    def _contents(
        self, folder: _Folder, pool: ThreadPoolExecutor, checked: Checked, content: bool, counter: _Counter
    ) -> Iterator[Finding]:
        """Look at the documents of a folder and their files, several at a time and no more held than a batch."""
        described: set[str] = set()
        runs: Counter[str] = Counter()
        documents = iter(folder.documents)
        while batch := list(itertools.islice(documents, _BATCH)):
            held: list[tuple[str, str, str]] = []
            for seen in self._look_at(folder, pool, checked, content, batch):
                counter.count()
                described |= seen.describes
                self._spared += seen.is_spared
                self._unknown += seen.is_unknown
                runs[seen.run] += 1
                held += seen.held
                yield from seen.findings
            checked.remember(held)
        for run, count in runs.items():
            if run and not self._files.exists(run):
                why = f"the run of {count} results of {name_of(parent(folder.md_uri))!r}, and not there"
                yield Finding("missing document", run, why)
        for md_uri, uuids in folder.twice.items():
            why = f"listed {len(uuids)} times in {name_of(folder.md_uri)}, as {', '.join(uuids)}"
            yield Finding("listed twice", md_uri, why, repairable=True)
        for name in folder.unsaid:
            uri = join(parent(folder.md_uri), name).encode(errors="backslashreplace").decode()
            yield Finding("orphan file", uri, "its name is not UTF-8, so that no document can name it: rename it")
        for name in sorted(folder.names - described - {name_of(folder.md_uri)}):
            if not name.endswith(MD_SUFFIX):
                uri = join(parent(folder.md_uri), name)
                yield Finding("orphan file", uri, "no document describes it", repairable=True)

    def _look_at(
        self, folder: _Folder, pool: ThreadPoolExecutor, checked: Checked, content: bool, batch: list[str]
    ) -> Iterator[_Seen]:
        """Look at some documents and their files; what a check knows of them is asked for in one go."""
        looked = _each(pool, functools.partial(self._look, folder), batch)
        known: dict[str, tuple[str, str]] = {}
        if content:
            known = checked.known([seen.md_uri for seen in looked] + [seen.data.uri for seen in looked if seen.data])
        compare = functools.partial(self._compare, known, content)
        large = {id(seen): pool.submit(compare, seen) for seen in looked if content and self._is_large(seen)}
        _each(pool, compare, [seen for seen in looked if id(seen) not in large])
        for seen in looked:
            if begun := large.get(id(seen)):
                begun.result()
            yield seen

    def _is_large(self, seen: _Seen) -> bool:
        """Say whether a file is worth a thread of its own."""
        known = self._sums.get(seen.data.uri, ()) if seen.data else ()
        return bool(known) and known[-1].size >= _LARGE

    def _compare(self, known: dict[str, tuple[str, str]], content: bool, seen: _Seen) -> None:
        """Compare a document and its file with what is known of them; then the document is let go."""
        if content and seen.is_whole:
            _compare_document(seen, seen.md_uri, known)
        if seen.data is not None:
            self._look_at_file(seen, seen.data, known, content)
        seen.said, seen.data = b"", None

    def _look(self, folder: _Folder, md_uri: str) -> _Seen:
        """Read a document; of one that cannot be told to be a data's there is no more to say."""
        seen, is_read = _Seen(md_uri=md_uri), False
        try:
            # what every writer leaves: a change that keeps it is told
            try:
                signature = self._files.signature(md_uri)
            except OSError as error:
                raise guarded(error, "read it") from error
            seen.signature = as_text(signature[:3] if isinstance(signature, tuple) else signature)
            seen.said = self._documents.content(md_uri)
            is_read = True
            if b'"process"' in seen.said and kind_of(decode(seen.said, md_uri)) == "run":
                self._documents.parse(Run, seen.said, md_uri)
                seen.is_whole = True
                return seen
            data = self._documents.parse_data(seen.said, md_uri)
        except NotFoundError:
            why = f"listed in {name_of(folder.md_uri)}, and not there"
            seen.findings.append(Finding("missing document", md_uri, why))
            return seen
        except BioImageITError as error:
            # what another program means by whole JSON is for people to judge; what was cut off and is nobody's goes
            is_empty = is_read and not seen.said.strip(b"\0 \n")  # not one that others may read, or later
            is_run = _RUN.fullmatch(name_of(md_uri)) is not None  # no list names it, but results do
            is_torn = is_empty or (is_read and not is_run and md_uri not in folder.listed and _is_torn(seen.said))
            kind = "leftover" if is_torn and md_uri not in folder.listed else "unreadable document"
            seen.findings.append(Finding(kind, md_uri, str(error), repairable=is_torn))
            stem = name_of(md_uri).removesuffix(MD_SUFFIX)
            seen.describes |= {name for name in folder.names if name == stem or os.path.splitext(name)[0] == stem}
            return seen
        seen.describes.add(name_of(data.uri))
        if md_uri not in folder.listed:
            why = f"not listed in {name_of(folder.md_uri)}"
            seen.findings.append(Finding("orphan document", md_uri, why, repairable=True))
        elif data.uuid != folder.listed[md_uri]:
            why = f"has uuid {data.uuid}, listed as {folder.listed[md_uri]}"
            seen.findings.append(Finding("swapped document", md_uri, why))
        seen.data, seen.is_whole = data, True
        seen.run = data.run.md_uri if isinstance(data, ProcessedData) else ""
        return seen

    def _look_at_file(
        self, seen: _Seen, data: RawData | ProcessedData, known: dict[str, tuple[str, str]], content: bool
    ) -> None:
        said = data.extra.get(REFERENCE)
        right = self._sums.get(data.uri, ())
        if isinstance(data, RawData) and isinstance(said, dict):
            right = (Stored(int(said["size"]), str(said["sha256"])),)
        try:
            if not right or not content:
                if not self._files.exists(data.uri):
                    raise FileNotFoundError
                seen.is_unknown = content
                return
            signature = as_text(_lasting(self._files.content_signature(data.uri)))
            if signature and not self._full and known.get(data.uri) == (signature, right[-1].sha256):
                seen.is_spared = True
                return
            found = self._files.digest(data.uri)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self._files.exists(data.uri):
                why = f"described by {name_of(data.md_uri)}, and not there"
                seen.findings.append(Finding("missing file", data.uri, why))
            else:
                seen.findings.append(Finding("unreadable file", data.uri, error.strerror or str(error)))
            return
        if found not in right:
            seen.findings.append(Finding("checksum", data.uri, self._changed(data.uri, found, right[-1])))
        elif signature:
            seen.held.append((data.uri, signature, found.sha256))

    def _changed(self, uri: str, found: Stored, right: Stored) -> str:
        if self._origin_of is None:
            self._origin_of = {known[-1].sha256: other for other, known in self._sums.items()}
        other = self._origin_of.get(found.sha256, uri)
        if other != uri:
            return f"it has the content of {name_of(other)!r}: swapped?"
        if found.size != right.size:
            return f"has {found.size} bytes, had {right.size}"
        return f"its content changed: SHA-256 was {right.sha256[:12]}…"


def _each(pool: ThreadPoolExecutor, work: Callable[[_A], _B], items: list[_A]) -> list[_B]:
    """Do something with each of many small things: by several threads where one waits for the disk or the network.

    Where everything is at hand, threads only take turns, and two take longer than one.
    """
    before = _waits()
    done = [work(item) for item in items[:_PROBE]]
    if _waits() - before < _PROBE / 2:
        return [*done, *map(work, items[_PROBE:])]
    shares = [items[start : start + _SHARE] for start in range(_PROBE, len(items), _SHARE)]
    return [*done, *itertools.chain.from_iterable(pool.map(lambda share: list(map(work, share)), shares))]


def _waits() -> float:
    """Count how often this thread had to wait for something; where the system does not tell, in milliseconds."""
    if sys.platform == "linux":
        import resource

        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    return 1000 * (time.perf_counter() - time.thread_time())


class _Counter:
    """Tell how far a check is."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def count(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)


def _lasting(signature: object) -> object | None:
    """Return a signature in which a change from now on would show; None for one that counts in seconds and is new."""
    if isinstance(signature, tuple) and is_coarse(signature) and not is_settled(signature):
        return None
    return signature


def _compare_document(seen: _Seen, md_uri: str, known: dict[str, tuple[str, str]]) -> None:
    """Tell of a document whose bytes changed though nobody wrote it."""
    digest, before = hashlib.sha256(seen.said).hexdigest(), known.get(md_uri)
    if before is None or before[0] != seen.signature:
        seen.held.append((md_uri, seen.signature, digest))
    elif before[1] != digest:
        seen.findings.append(Finding("checksum", md_uri, "its bytes changed, and nobody wrote it: look at the disk"))


def _is_torn(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return True
    return False
