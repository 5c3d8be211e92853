"""What a journal says of the contents of files, in little memory: a hundred thousand of them are asked about."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left

from bioimageit_core.core.paths import join
from bioimageit_core.plugins.store.files import Files
from bioimageit_core.plugins.store.journal import Journal
from bioimageit_core.plugins.store.layout import Layout

__all__ = ["Recorded"]

_SHA256 = re.compile("[0-9a-f]{64}")
_BITS = (1 << 64) - 1  # of a path, and of a SHA-256: enough to notice that a content is another


class Recorded:
    """The checksums that the journal of the experiment at `layout` tells of."""

    def __init__(self, files: Files, journal: Journal, layout: Layout) -> None:
        self._files, self._journal, self._layout = files, journal, layout
        self._read()

    def is_of(self, layout: Layout) -> bool:
        """Say whether it is that experiment's."""
        return self._layout == layout

    def _read(self) -> None:
        self._signature = self._files.signature(self._layout.journal)
        said: dict[int, int] = {}
        for record in self._journal.read(self._layout)[0]:
            file, sha256 = record.get("file"), record.get("sha256")
            if isinstance(file, str) and isinstance(sha256, str) and _SHA256.fullmatch(sha256):
                said[_key(join(self._layout.root, file))] = _start(sha256)
        self._paths = array("Q", sorted(said))
        self._contents = array("Q", map(said.__getitem__, self._paths))

    def agrees(self, uri: str, sha256: str) -> bool | None:
        """Say whether a file has the SHA-256 that was written down last; None where none was."""
        found = self._agrees(uri, sha256)
        if not found and self._files.signature(self._layout.journal) != self._signature:
            self._read()
            found = self._agrees(uri, sha256)
        return found

    def _agrees(self, uri: str, sha256: str) -> bool | None:
        place = bisect_left(self._paths, _key(uri))
        if place == len(self._paths) or self._paths[place] != _key(uri):
            return None
        return self._contents[place] == _start(sha256)


def _key(uri: str) -> int:
    return hash(uri) & _BITS


def _start(sha256: str) -> int:
    return int(sha256[:16], 16)
