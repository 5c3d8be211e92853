"""Data on their way: fetched from a home in loads that are neither many nor large."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace

from bioimageit_core.containers import Data
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.exchange.content import digest, fetch
from bioimageit_core.exchange.facts import REFERENCE
from bioimageit_core.plugins.contracts import DataService, GetsDataUri

__all__ = ["Fetched", "loads"]

_MOST = 256  # data to a load
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A data and its file on this machine, with the SHA-256 and size that the file had in its home."""

    data: Data
    path: str
    sha256: str
    size: int
    is_copy: bool = True
    """Whether it is ours; else it is where its home keeps it, and is left as it is."""

    @contextlib.contextmanager
    def own(self) -> Iterator[Fetched]:
        """Give the same with a file that is ours."""
        if self.is_copy:
            yield self
            return
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            place = os.path.join(room, os.path.basename(self.path))  # directories are never left where they are
            yield replace(self, path=shutil.copyfile(self.path, place), is_copy=True)


def loads(
    service: DataService, data: Iterable[Data], *, in_place: bool = False
) -> Generator[list[Fetched], None, None]:
    """Fetch data; the files of a load are there until the next one is asked for.

    Parameters
    ----------
    in_place
        Whether a file that its home keeps on this machine may be given as it is.
    """
    coming = iter(data)
    locate = service.get_data_uri if in_place and isinstance(service, GetsDataUri) else None
    while True:
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            arrivals, size = os.path.join(room, "arrivals"), 0
            os.mkdir(arrivals)
            load: list[Fetched] = []
            for each in coming:
                is_copy = locate is None or not _lies_at_uri(each, locate)
                path = _set_aside(fetch(service, each, arrivals), room) if is_copy else each.uri
                try:
                    load.append(Fetched(each, path, *digest(path), is_copy))
                except OSError as error:
                    why = f"{error.strerror or error} {error.filename!r}"
                    raise DataServiceError(f"cannot read {each.name!r} to move it: {why}") from error
                size += load[-1].size
                if len(load) == _MOST or size >= _MOST_BYTES:
                    break
            if not load:
                return
            yield load


def _lies_at_uri(data: Data, locate: Callable[[Data], str]) -> bool:
    """Say whether a home keeps the file of a data where its URI says, on this machine.

    What a document only refers to, directories and links are left to the home's own copying, which looks into them.
    """
    path = data.uri
    is_kept = os.path.isabs(path) and REFERENCE not in data.extra and os.path.isfile(path) and not os.path.islink(path)
    return is_kept and locate(data) == path


def _set_aside(path: str, room: str) -> str:
    """Make way for the next file; one has a directory of its own only where another of its name was before it."""
    name = os.path.basename(path.rstrip("/"))
    place = os.path.join(room, name)
    if os.path.lexists(place):
        place = os.path.join(tempfile.mkdtemp(dir=room), name)
    os.rename(path, place)
    return place
