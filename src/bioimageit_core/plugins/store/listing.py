"""The list of a dataset: its document, and a log of what is not yet in it.

Rewriting a list of N for every data that is added costs N each time. So additions go to a log of ours first, and the
list is rewritten when the log has grown by a fixed share of it: the cost per addition does not grow. The list is whole
for other software whenever `flush` was called: at the end of every import of a directory, when the service is closed or
the process ends, and for small datasets at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from bioimageit_core.containers import Container, Dataset
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.json_text import encode_line
from bioimageit_core.core.paths import MD_SUFFIX, folded, join, name_of, parent, relative_path
from bioimageit_core.core.records import Document
from bioimageit_core.plugins.store.content import is_path
from bioimageit_core.plugins.store.documents import Documents
from bioimageit_core.plugins.store.layout import Layout

__all__ = ["Listing", "Listings"]

logger = logging.getLogger(__name__)

_SHARE = 16  # the list is rewritten when one in so many entries waits in the log


@dataclass
class Listing:
    """What is known of a dataset's folder, kept by the process so that adding one data costs the same at any size."""

    md_uri: str
    uuids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    """Documents that lay there unlisted when the folder was looked at: what an interrupted writer left, for example."""
    written: int = 0
    waiting: int = 0
    signature: object = None
    position: str = ""

    def takes(self, name: str) -> bool:
        """Say whether a name is free, also where case and normal form do not count."""
        return folded(name) not in self.names


class Listings:
    """Read and extend the lists of datasets."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._files = documents.files
        self._known: dict[str, Listing] = {}

    def read(self, md_uri: str) -> Dataset:
        """Read a dataset with all its data, those that wait in the log too."""
        layout = Layout.of_record(md_uri)
        # the log first: what moves from it to the list between the two reads is then seen twice, not never
        log, _ = self._files.read_log(layout.pending(md_uri))
        dataset = self._documents.read(Dataset, md_uri)
        if log:
            listed = {item.uuid for item in dataset.uris}
            dataset.uris += [item for item in _waiting(log, md_uri) if item.uuid not in listed]
            self._documents.remember(dataset)
        return dataset

    def names(self, md_uri: str) -> list[str]:
        """Return the paths of the documents of all data of a dataset, seen from its folder, in their order."""
        layout = Layout.of_record(md_uri)
        log, _ = self._files.read_log(layout.pending(md_uri))
        listed = self._documents.read(Dataset, md_uri).uris
        below = join(parent(md_uri), "")
        names = [
            uri.removeprefix(below) if uri.startswith(below) else relative_path(uri, md_uri)
            for uri in (item.md_uri for item in listed)
        ]
        if log:
            known = {item.uuid for item in listed}
            names += [url for uuid, url in _lines(log) if uuid not in known]
        return names

    def open(self, md_uri: str, *, anew: bool = False) -> Listing:
        """Return what is known of a dataset's folder, brought up to date; to be called with the lock held.

        With `anew` the folder is looked at even if its list has not changed.
        """
        listing = self._known.setdefault(md_uri, Listing(md_uri))
        layout = Layout.of_record(md_uri)
        signature = self._files.signature(md_uri)
        if anew or signature != listing.signature or signature is None:
            listed = self._documents.read(Dataset, md_uri).uris
            listing.uuids = {item.uuid for item in listed}
            listing.written, listing.signature = len(listing.uuids), signature
            names = set(self._files.names(parent(md_uri)))
            known = {name_of(item.md_uri) for item in listed}
            listing.unlisted = {name for name in names - known if name.endswith(MD_SUFFIX)} - {name_of(md_uri)}
            listing.names |= set(map(folded, names | known))  # of a document that was lost, too
            listing.position = ""
        log, listing.position = self._files.read_log(layout.pending(md_uri), listing.position)
        for item in _waiting(log, md_uri):
            listing.uuids.add(item.uuid)
            listing.names.add(folded(name_of(item.md_uri)))
            listing.unlisted.discard(name_of(item.md_uri))
        listing.waiting = len(listing.uuids) - listing.written
        return listing

    def add(
        self,
        listing: Listing,
        items: Sequence[Container],
        names: Sequence[str],
        *,
        sync: bool = True,
        flush: bool = True,
    ) -> None:
        """List data whose documents are written; `names` are the files that they brought, one each.

        Without `flush` the list itself waits, however much is in the log.
        """
        md_uri = listing.md_uri
        layout = Layout.of_record(md_uri)
        added = [(item.uuid, name_of(item.md_uri), name) for item, name in zip(items, names, strict=True)]
        self._files.append(layout.pending(md_uri), b"".join(map(encode_line, added)), sync=sync)
        for uuid, *both in added:
            listing.uuids.add(uuid)
            listing.names.update(map(folded, both))
        _, listing.position = self._files.read_log(layout.pending(md_uri), listing.position)
        listing.waiting = len(listing.uuids) - listing.written
        if flush and listing.waiting * _SHARE >= listing.written:
            try:
                self.flush(md_uri, sync=sync)
            except DataServiceError as error:  # they are added: the log says so, and the list is written later
                logger.warning("the list %s is not whole for other software yet: %s", md_uri, error)

    def forget(self, md_uri: str) -> None:
        """Look at a dataset's folder anew when it is opened the next time."""
        self._known.pop(md_uri, None)

    def let_go(self) -> None:
        """Forget all folders of whose data none waits: what is known of a large one takes memory."""
        self._known = {md_uri: listing for md_uri, listing in self._known.items() if listing.waiting}

    def flush(self, md_uri: str, *, sync: bool = True) -> None:
        """Rewrite a list if data wait to be in it; to be called with the lock held."""
        layout = Layout.of_record(md_uri)
        log, position = self._files.read_log(layout.pending(md_uri))
        if not log:
            return
        written = 0

        def with_waiting(document: Document) -> Document:
            nonlocal written
            urls = document.setdefault("urls", [])
            listed = {link.get("uuid") for link in urls}
            urls += [{"uuid": uuid, "url": url} for uuid, url in _lines(log) if uuid not in listed]
            written = len(urls)
            return document

        self._documents.rewrite(md_uri, with_waiting, layout.temp, "dataset", sync=sync)
        self._files.clear_log(layout.pending(md_uri), position)
        if listing := self._known.get(md_uri):
            # where there are no locks another writer may just have added more: look again
            listing.signature = self._files.signature(md_uri) if self._files.locks_work else None
            listing.position, listing.written, listing.waiting = "", written, 0

    def waiting(self) -> list[str]:
        """List the datasets that this process added to and whose lists are not whole yet."""
        return [listing.md_uri for listing in self._known.values() if listing.waiting]


def _waiting(log: bytes, md_uri: str) -> list[Container]:
    directory = parent(md_uri)
    return [Container(join(directory, url), uuid) for uuid, url in _lines(log)]


def _lines(log: bytes) -> Iterator[tuple[str, str]]:
    """Give the uuid and URL of what waits."""
    decode = msgspec.json.Decoder(list[str]).decode
    for line in log.splitlines():
        try:
            uuid, url, *_names = decode(line)
        except (msgspec.MsgspecError, ValueError):
            continue  # cut off when its writer was killed before it had said that it was done
        if "/" in url or url in {"", ".", ".."} or not is_path(url):
            continue  # nothing that we wrote: documents of data are in the folder of their list
        yield uuid, url
