"""Data on their way: fetched from a home in loads that are neither many nor large."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from bioimageit_core.containers import Data
from bioimageit_core.exchange.content import digest, fetch
from bioimageit_core.plugins.contracts import DataService

__all__ = ["Fetched", "loads"]

_MOST = 256  # data to a load
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A data and a local copy of its file, with the SHA-256 and size that the file had in its home."""

    data: Data
    path: str
    sha256: str
    size: int


def loads(service: DataService, data: Iterable[Data]) -> Generator[list[Fetched], None, None]:
    """Fetch data; the files of a load are there until the next one is asked for."""
    coming = iter(data)
    while True:
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            arrivals, size = os.path.join(room, "arrivals"), 0
            os.mkdir(arrivals)
            load: list[Fetched] = []
            for each in coming:
                path = _set_aside(fetch(service, each, arrivals), room)
                load.append(Fetched(each, path, *digest(path)))
                size += load[-1].size
                if len(load) == _MOST or size >= _MOST_BYTES:
                    break
            if not load:
                return
            yield load


def _set_aside(path: str, room: str) -> str:
    """Make way for the next file; one has a directory of its own only where another of its name was before it."""
    name = os.path.basename(path.rstrip("/"))
    place = os.path.join(room, name)
    if os.path.lexists(place):
        place = os.path.join(tempfile.mkdtemp(dir=room), name)
    os.rename(path, place)
    return place
