"""Making hold what does not: nothing is lost by it, at most moved to the trash, and all is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bioimageit_core.containers import Container, Experiment, RawData
from bioimageit_core.core.exceptions import DataServiceError, DocumentError
from bioimageit_core.core.formats import FormatTable
from bioimageit_core.core.paths import MD_SUFFIX, document_names, join, name_of, parent
from bioimageit_core.core.records import Document
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_core.plugins.contracts import Finding
from bioimageit_core.plugins.store.checking import Checker
from bioimageit_core.plugins.store.documents import Documents
from bioimageit_core.plugins.store.journal import Journal
from bioimageit_core.plugins.store.layout import DATA, PROCESSED_DATASET, RAW_DATASET, Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.trash import Trash

__all__ = ["Repairer"]

_PASSES = 4
_PAIRS = "key_value_pairs."


class Repairer:
    """Repair one experiment; to be used with its lock held."""

    def __init__(
        self, documents: Documents, listings: Listings, journal: Journal, layout: Layout, formats: FormatTable
    ) -> None:
        self._documents = documents
        self._files = documents.files
        self._listings = listings
        self._journal = journal
        self._layout = layout
        self._formats = formats
        self._told: dict[str, dict[str, Any]] = {}
        self._pairs: dict[str, dict[str, Any]] = {}

    def repair(self) -> Iterator[str]:
        """Make hold what can be made to hold, and say what was done."""
        for entry in Trash(self._documents, self._listings, self._journal, self._layout).finish():
            yield f"finished {entry.record.state} {entry.record.what}"
        for _ in range(_PASSES):  # what one repair uncovers the next one mends
            checker = Checker(self._documents, self._listings, self._journal, self._layout)
            found = [finding for finding in checker.check(content=False) if finding.repairable]
            self._read_journal({finding.uri for finding in found if finding.kind == "orphan file"})
            done = [said for finding in found if (said := self._mend(finding))]
            yield from done
            if not done:
                break
        experiment = self._documents.read(Experiment, self._layout.experiment)
        for info in [experiment.raw_dataset, *experiment.processed_datasets]:
            self._listings.flush(info.url)

    def _mend(self, finding: Finding) -> str:
        uri = finding.uri
        if finding.kind == "orphan document":
            return self._list(uri)
        if finding.kind == "listed twice":
            return self._list_once(uri)
        if finding.kind == "orphan dataset":
            return self._list_dataset(uri)
        if finding.kind == "orphan file":
            return self._take_file(uri)
        if finding.kind == "leftover" and not uri.endswith(MD_SUFFIX):
            self._files.remove(uri)
            return f"removed {uri}"
        return self._discard(uri)

    def _discard(self, uri: str) -> str:
        self._files.move(uri, join(self._layout.trash, f"{generate_uuid()}-{name_of(uri)}"))
        self._journal.append(self._layout, [self._journal.line(self._layout, "trash", uri)])
        return f"moved {uri} to the trash"

    def _list(self, md_uri: str) -> str:
        directory = parent(md_uri)
        document = next(name for name in (RAW_DATASET, PROCESSED_DATASET) if self._files.exists(join(directory, name)))
        uuid, dataset = self._documents.load(md_uri).get("uuid", ""), join(directory, document)
        listing = self._listings.open(dataset)
        if uuid not in listing.uuids:  # the usual case, for which no list is read: it may be long, and orphans many
            self._listings.add(listing, [Container(md_uri, uuid)], [name_of(md_uri)])
            return f"listed {md_uri}"
        known = next(item for item in self._listings.read(dataset).uris if item.uuid == uuid)
        if self._files.exists(known.md_uri):
            return self._discard_copy(md_uri, known.md_uri)
        self._listings.flush(dataset)

        def with_new_name(dataset: Document) -> Document:
            links = [{**link, "url": name_of(md_uri)} if link.get("uuid") == uuid else link for link in dataset["urls"]]
            return {**dataset, "urls": links}

        self._documents.edit(dataset, with_new_name, self._layout.temp, "dataset")
        self._listings.forget(dataset)
        return f"listed {md_uri} in place of {name_of(known.md_uri)}"

    def _discard_copy(self, md_uri: str, of: str) -> str:
        """Move a document to the trash whose identity another has; and its file, if that is one of its own."""
        own = ""
        with contextlib.suppress(DataServiceError):
            copy, original = (self._documents.parse_data(self._documents.content(uri), uri) for uri in (md_uri, of))
            if copy.uri != original.uri and parent(copy.uri) == parent(md_uri) and self._files.exists(copy.uri):
                own = copy.uri
        said = self._discard(md_uri)
        return f"{said}, and {self._discard(own)}" if own else said

    def _list_once(self, md_uri: str) -> str:
        """Keep one entry for a document: the one with its identity, where there is such a one."""
        directory = parent(md_uri)
        document = next(name for name in (RAW_DATASET, PROCESSED_DATASET) if self._files.exists(join(directory, name)))
        listing, url = join(directory, document), name_of(md_uri)
        uuid = self._documents.load(md_uri).get("uuid", "") if self._files.exists(md_uri) else ""
        self._listings.flush(listing)

        def with_one(dataset: Document) -> Document:
            links = [link for link in dataset["urls"] if link.get("url") == url]
            kept = next((link for link in links if link.get("uuid") == uuid), links[0])
            dataset["urls"] = [link for link in dataset["urls"] if link is kept or link.get("url") != url]
            return dataset

        self._documents.edit(listing, with_one, self._layout.temp, "dataset")
        self._listings.forget(listing)
        return f"listed {md_uri} once"

    def _list_dataset(self, md_uri: str) -> str:
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

        self._documents.edit(self._layout.experiment, with_link, self._layout.temp, "experiment")
        return f"listed the dataset {link['name']!r}"

    def _take_file(self, uri: str) -> str:
        """Describe a file of the raw dataset; one in another, of which nobody knows how it was made, goes."""
        told = self._told.get(uri)
        lost = join(self._layout.root, str(told["md"])) if told else ""
        if parent(uri) == join(self._layout.root, DATA):
            return self._describe(uri, told)
        if lost and not self._files.exists(lost) and self._is_listed(lost):
            return ""  # its document was lost, and with it how it was made: a check goes on telling of that
        return self._discard(uri)

    def _is_listed(self, md_uri: str) -> bool:
        dataset = self._listings.read(join(parent(md_uri), PROCESSED_DATASET))
        return any(item.md_uri == md_uri for item in dataset.uris)

    def _read_journal(self, files: set[str]) -> None:
        """Find its last words on files that no document describes, and the annotations of their data."""
        self._told, self._pairs = {}, {}
        if not files:
            return
        lines, _ = self._journal.read(self._layout)
        for line in lines:
            uri = join(self._layout.root, line["file"]) if isinstance(line.get("file"), str) else ""
            if uri in files and line.get("uuid"):
                self._told[uri] = line
        self._pairs = {str(told["md"]): {} for told in self._told.values()}
        lines, _ = self._journal.read(self._layout)
        for line in lines:
            md = str(line.get("md"))
            if md in self._pairs and isinstance(line.get("new"), dict):
                fields = line.get("op") == "update"
                new = {k.removeprefix(_PAIRS): v for k, v in line["new"].items() if not fields or k.startswith(_PAIRS)}
                self._pairs[md].update(new)

    def _describe(self, uri: str, told: dict[str, Any] | None) -> str:
        """Write a document for a file; with the identity and the annotations that it had, if the journal knows them."""
        listing = self._listings.open(self._layout.raw_dataset)
        try:
            self._documents.check_place(uri, uri, self._layout.root)
            stored = self._files.digest(uri)
        except (DocumentError, OSError):
            return ""  # no data: a pipe, or a link that leads out of the experiment, or to nothing
        md_uri = join(self._layout.root, str(told["md"])) if told else ""
        is_lost = bool(told) and parent(md_uri) == parent(uri) and not self._files.exists(md_uri)
        if not is_lost:
            md_uri = join(parent(uri), next(name for name in document_names(name_of(uri)) if listing.takes(name)))
        data = RawData(md_uri, generate_uuid(), name_of(uri), "", format_date("now"))
        detected = self._formats.detect(uri)
        data.format, data.uri = detected.name if detected else "raw", uri
        if told and is_lost:
            data.uuid, data.author = str(told["uuid"]), str(told.get("who", ""))
            data.date = str(told.get("t", ""))[:10] or data.date
            pairs = self._pairs[str(told["md"])]
            data.key_value_pairs = {key: value for key, value in pairs.items() if value is not None}
        self._documents.create(data)
        about = (self._layout, "adopt", data.md_uri, data.uuid, uri, stored)
        self._journal.append(self._layout, [self._journal.content(*about)])
        if data.uuid not in listing.uuids:
            self._listings.add(listing, [Container(data.md_uri, data.uuid)], [name_of(uri)])
        again = f", as {data.uuid} again, without what the image says of itself ('bioimageit describe' reads it)"
        return f"described {uri}" + (again if is_lost else "")
