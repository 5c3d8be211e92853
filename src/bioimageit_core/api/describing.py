"""What image files say of themselves, as it is recorded when they are imported."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import BioImageITError

if TYPE_CHECKING:
    from bioimageit_core.containers import RawData
    from bioimageit_core.core.formats import Format

__all__ = ["IMAGE_READERS", "Described", "Describer", "add_facts", "is_cheap_to_describe", "is_image"]

IMAGE_READERS = ("imagetiff", "imagezarr", "imagepng", "imagejpeg", "bioformat")
"""Who reads formats that are images."""

_FEW = 1000
_LARGE = 2**20  # bytes of a file beside which looking into it costs nothing
_MARK = "Reader"


@dataclass
class Described:
    """How many data got facts of their images, and which do not read as images, with the reason."""

    count: int = 0
    unread: dict[str, str] = field(default_factory=dict)


class Describer:
    """Reads facts of images; what is no image that can be read is remembered, and stops nothing.

    Attributes
    ----------
    asked
        How many files it was asked for.
    unread
        Paths of those that it could not read, and why.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.unread: dict[str, str] = {}

    def __call__(self, path: str) -> Mapping[str, Any]:
        """Return the facts of the first image in a file, under the names of OME; none where it cannot be read."""
        from bioimageit_core.images.reading import read_facts

        self.asked += 1
        try:
            return read_facts(path).document()
        except BioImageITError as error:
            self.unread[path] = str(error)
            return {}

    def warning(self) -> str:
        """Say what could not be read; empty where there is nothing to say."""
        if not self.unread:
            return ""
        reason = next(iter(self.unread.values()))
        if self.asked == 1:
            return f"imported without what the image says of itself: {reason}"
        return f"{len(self.unread)} of {self.asked} files do not read as images; the first: {reason}"


def is_image(format_: Format) -> bool:
    """Say whether data of a format are images."""
    return format_.reader in IMAGE_READERS


def add_facts(data: RawData, found: Mapping[str, Any], *, anew: bool = False) -> bool:
    """Add facts to the metadata of a data; say whether there was anything to add.

    Where a reader's facts are there already, nothing is, unless it is done anew. What somebody wrote there stays; anew
    only what images do not state stays.
    """
    if not found or (_MARK in data.metadata and not anew):
        return False
    before = data.metadata
    data.metadata = {**before, **found} if anew else {**found, **before}
    return data.metadata != before


def is_cheap_to_describe(directory: str, filter_: str, *, recursive: bool) -> bool:
    """Say whether looking into the files of a directory costs little beside copying them: they are few, or large.

    It looks at the first files alone.
    """
    try:
        matches = re.compile(filter_).search
    except re.error:  # the service says so
        return False
    some = list(itertools.islice((path for path in _files(directory, recursive) if matches(path)), _FEW + 1))
    if len(some) <= _FEW:
        return True
    return sum(os.path.getsize(path) for path in some if os.path.exists(path)) >= len(some) * _LARGE


def _files(directory: str, recursive: bool) -> Iterator[str]:
    from bioimageit_core.plugins.store.sources import is_zarr

    for folder, folders, names in os.walk(directory):
        yield from (os.path.join(folder, name) for name in names)
        folders[:] = [name for name in folders if recursive and not is_zarr(os.path.join(folder, name))]
