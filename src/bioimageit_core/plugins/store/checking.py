"""What in an experiment does not hold, and its repair."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bioimageit_core.containers import Container, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.core.formats import FormatTable
from bioimageit_core.core.json_text import decode
from bioimageit_core.core.paths import MD_SUFFIX, document_names, join, name_of, parent
from bioimageit_core.core.records import Document, kind_of
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_core.plugins.contracts import Finding
from bioimageit_core.plugins.store.documents import REFERENCE, Documents, guarded
from bioimageit_core.plugins.store.files import Stored
from bioimageit_core.plugins.store.journal import Journal
from bioimageit_core.plugins.store.layout import DATA, OURS, PROCESSED_DATASET, RAW_DATASET, Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.trash import Trash

__all__ = ["Checker"]

Progress = Callable[[int, int], None]
_PASSES = 4


@dataclass
class _Folder:
    """What a dataset's folder holds: documents as they were read, and which files they speak of."""

    md_uri: str
    names: set[str]
    data: dict[str, RawData | ProcessedData] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)


class Checker:
    """Find what does not hold in one experiment; with a repair, make it hold."""

    def __init__(self, documents: Documents, listings: Listings, journal: Journal, formats: FormatTable) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal
        self._formats = formats

    def check(self, md_uri: str, *, content: bool = True, progress: Progress | None = None) -> Iterator[Finding]:
        """Give what does not hold in the experiment with this document.

        Parameters
        ----------
        content
            Read every data file and compare its checksum; else only whether it is there and has its size.
        progress
            Hears how many of how many data files were looked at.
        """
        layout = Layout.of_experiment(md_uri)
        experiment = self._documents.read(Experiment, layout.experiment)
        sums = self._journal.checksums(layout)
        listed = {info.url for info in [experiment.raw_dataset, *experiment.processed_datasets]}
        folders = []
        for dataset in sorted(listed):
            found = self._folder(dataset)
            if isinstance(found, Finding):
                yield found
            else:
                folders.append(found)
                yield from self._entries(found)
        yield from self._unlisted(layout, listed)
        yield from self._contents(folders, sums, content, progress)

    def _folder(self, md_uri: str) -> _Folder | Finding:
        try:
            names = set(self._files.names(parent(md_uri)))
            self._documents.read(Dataset, md_uri)
        except (FileNotFoundError, NotFoundError):
            return Finding("missing document", md_uri, "the dataset's list is not there")
        except BioImageITError as error:
            return Finding("unreadable document", md_uri, str(error))
        except OSError as error:
            raise guarded(error, f"check {md_uri!r}") from error
        return _Folder(md_uri, names)

    def _entries(self, folder: _Folder) -> Iterator[Finding]:
        """Compare a dataset's list with the documents in its folder."""
        directory = parent(folder.md_uri)
        listed = {item.md_uri: item.uuid for item in self._listings.read(folder.md_uri).uris}
        own = {name_of(folder.md_uri)}
        documents = {join(directory, name) for name in folder.names - own if name.endswith(MD_SUFFIX)}
        for md_uri in [*listed, *sorted(documents - set(listed))]:
            try:
                said = self._documents.content(md_uri)
                if kind_of(decode(said, md_uri)) == "run":
                    self._documents.parse(Run, said, md_uri)
                    continue
                data = self._documents.parse_data(said, md_uri)
            except NotFoundError:
                yield Finding("missing document", md_uri, f"listed in {name_of(folder.md_uri)}, and not there")
                continue
            except BioImageITError as error:
                is_torn = md_uri not in listed and _is_torn(said)
                yield Finding("leftover" if is_torn else "unreadable document", md_uri, str(error), repairable=is_torn)
                stem = name_of(md_uri).removesuffix(MD_SUFFIX)
                folder.described |= {name for name in folder.names if name == stem or os.path.splitext(name)[0] == stem}
                continue
            folder.data[md_uri] = data
            folder.described.add(name_of(data.uri))
            if md_uri not in listed:
                yield Finding("orphan document", md_uri, f"not listed in {name_of(folder.md_uri)}", repairable=True)
            elif data.uuid != listed[md_uri]:
                yield Finding("swapped document", md_uri, f"has uuid {data.uuid}, listed as {listed[md_uri]}")
        for name in sorted(folder.names - own - folder.described):
            if not name.endswith(MD_SUFFIX):
                uri = join(directory, name)
                yield Finding("orphan file", uri, "no document describes it", repairable=True)

    def _unlisted(self, layout: Layout, listed: set[str]) -> Iterator[Finding]:
        """Look for folders that are datasets and that the experiment does not know, and for work left over."""
        for name in sorted(self._files.names(layout.root)):
            for document in (RAW_DATASET, PROCESSED_DATASET):
                md_uri = join(layout.root, name, document)
                if name != OURS and md_uri not in listed and self._files.exists(md_uri):
                    yield Finding("orphan dataset", md_uri, "the experiment does not list it", repairable=True)
        for entry in Trash(self._documents, self._listings, self._journal, layout).unfinished():
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
        self, folders: list[_Folder], sums: dict[str, tuple[Stored, ...]], content: bool, progress: Progress | None
    ) -> Iterator[Finding]:
        data = [item for folder in folders for item in folder.data.values()]

        def look(item: RawData | ProcessedData) -> Finding | None:
            said = item.extra.get(REFERENCE) if isinstance(item.extra.get(REFERENCE), dict) else None
            known = (Stored(int(said["size"]), str(said["sha256"])),) if said else sums.get(item.uri, ())
            return self._look(item, known, content)

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for number, finding in enumerate(pool.map(look, data, chunksize=64), 1):
                if progress:
                    progress(number, len(data))
                if finding:
                    yield finding

    def _look(self, item: RawData | ProcessedData, known: tuple[Stored, ...], content: bool) -> Finding | None:
        try:
            if not self._files.exists(item.uri):
                return Finding("missing file", item.uri, f"described by {name_of(item.md_uri)}, and not there")
            if known and content:
                found = self._files.digest(item.uri)
                if found not in known:
                    return _changed(item.uri, found, known[-1])
        except OSError as error:
            return Finding("unreadable file", item.uri, error.strerror or str(error))
        return None

    def repair(self, md_uri: str) -> Iterator[str]:
        """Make hold what can be made to hold, and say what was done; nothing is lost, at most moved to the trash."""
        layout = Layout.of_experiment(md_uri)
        with self._files.lock(layout.ours):
            for entry in Trash(self._documents, self._listings, self._journal, layout).finish():
                yield f"finished {entry.record.state} {entry.record.what}"
            for _ in range(_PASSES):  # what one repair uncovers the next one mends
                found = [finding for finding in self.check(md_uri, content=False) if finding.repairable]
                yield from [self._mend(layout, finding) for finding in found]
                if not found:
                    break
            experiment = self._documents.read(Experiment, layout.experiment)
            for info in [experiment.raw_dataset, *experiment.processed_datasets]:
                self._listings.flush(info.url)

    def _mend(self, layout: Layout, finding: Finding) -> str:
        uri = finding.uri
        if finding.kind == "orphan document":
            self._list(uri)
            return f"listed {uri}"
        if finding.kind == "orphan dataset":
            return self._list_dataset(layout, uri)
        if finding.kind == "orphan file" and parent(uri) == join(layout.root, DATA):
            return self._describe(layout, uri)
        if finding.kind == "leftover" and not uri.endswith(MD_SUFFIX):
            self._files.remove(uri)
            return f"removed {uri}"
        self._files.move(uri, join(layout.trash, f"{generate_uuid()}-{name_of(uri)}"))
        self._journal.append(layout, [self._journal.line(layout, "trash", uri)])
        return f"moved {uri} to the trash"

    def _list(self, md_uri: str) -> None:
        directory = parent(md_uri)
        document = next(name for name in (RAW_DATASET, PROCESSED_DATASET) if self._files.exists(join(directory, name)))
        uuid = self._documents.load(md_uri).get("uuid", "")
        listing = self._listings.open(join(directory, document))
        self._listings.add(listing, [Container(md_uri, uuid)], [name_of(md_uri)])

    def _list_dataset(self, layout: Layout, md_uri: str) -> str:
        dataset = self._documents.load(md_uri, "dataset")
        folder = name_of(parent(md_uri))
        link = {
            "name": dataset.get("name") or folder,
            "url": f"{folder}/{name_of(md_uri)}",
            "uuid": dataset.get("uuid", ""),
        }

        def with_link(experiment: Document) -> Document:
            experiment.setdefault("processed_datasets", []).append(link)
            return experiment

        self._documents.edit(layout.experiment, with_link, layout.temp, "experiment")
        return f"listed the dataset {link['name']!r}"

    def _describe(self, layout: Layout, uri: str) -> str:
        listing = self._listings.open(layout.raw_dataset)
        free = next(name for name in document_names(name_of(uri)) if listing.takes(name))
        data = RawData(join(parent(uri), free), generate_uuid(), name_of(uri), "", format_date("now"))
        detected = self._formats.detect(uri)
        data.format, data.uri = detected.name if detected else "raw", uri
        self._documents.create(data)
        line = self._journal.content(layout, "adopt", data.md_uri, data.uuid, uri, self._files.digest(uri))
        self._journal.append(layout, [line])
        self._listings.add(listing, [Container(data.md_uri, data.uuid)], [name_of(uri)])
        return f"described {uri}"


def _is_torn(content: bytes) -> bool:
    """Say whether a document was cut off: what another program means by whole JSON is for people to judge."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return True
    return False


def _changed(uri: str, found: Stored, known: Stored) -> Finding:
    if found.size != known.size:
        return Finding("checksum", uri, f"has {found.size} bytes, had {known.size}")
    return Finding("checksum", uri, f"its content changed: SHA-256 was {known.sha256[:12]}…")
