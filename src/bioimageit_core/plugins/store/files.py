"""The file operations that a store needs; all that LOCAL and FSSPEC do not share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import msgspec

__all__ = ["MODES", "Changed", "Entry", "Files", "Incoming", "Progress", "Stored", "Write"]

MODES = ("copy", "link", "reference")
"""How a source file gets into an experiment: copied, hard-linked, or left where it lies."""

Progress: TypeAlias = Callable[[int, int], None]
"""Hears how many of how many bytes have arrived."""


class Changed(OSError):  # noqa: N818 - a fact that its caller answers
    """A file is not what it was when it was read: somebody else wrote it meanwhile."""


class Entry(msgspec.Struct, frozen=True):
    """What a directory says of one of its entries; a directory has size 0."""

    name: str
    is_dir: bool
    size: int


class Stored(msgspec.Struct, frozen=True):
    """Content: its size in bytes and its SHA-256 in hex.

    A directory is known by the digest of its sorted ``<sha256>  <relative path>`` lines.
    """

    size: int
    sha256: str


class Incoming(msgspec.Struct, frozen=True):
    """A local source that was read once and can be placed; `path` is what `place` moves or uploads."""

    path: str
    stored: Stored
    is_dir: bool
    room: str = ""
    """The directory that `staging` made for it."""


class Write(msgspec.Struct, frozen=True):
    """A file that is to be replaced, if it still has the version `expected`."""

    uri: str
    content: bytes
    expected: object


class Files(ABC):
    """A filesystem. URIs are absolute; what is not there is a `FileNotFoundError`, any other trouble an `OSError`."""

    durable = True
    """Whether what is written is on the disk before it is said to be done."""
    locks_work = True
    """Whether `lock` keeps other processes out too."""
    placing_moves = False
    """Whether `place` leaves nothing of a file that was taken in, so that there is nothing to `discard`."""

    @abstractmethod
    def absolute(self, uri: str) -> str:
        """Return the one spelling of a URI that the store uses."""

    @abstractmethod
    def read(self, uri: str) -> bytes:
        """Read a whole file."""

    @abstractmethod
    def read_version(self, uri: str) -> tuple[bytes, object]:
        """Read a whole file, and what tells this content from others to `write`."""

    @abstractmethod
    def signature(self, uri: str) -> object | None:
        """Return what changes whenever a file's content does, None where there is no file."""

    def content_signature(self, uri: str) -> object | None:
        """Return what changes whenever the content of a data does; None where that cannot be told without reading."""
        return None

    @abstractmethod
    def exists(self, uri: str) -> bool:
        """Say whether there is a file or directory."""

    @abstractmethod
    def entries(self, uri: str) -> Iterator[Entry]:
        """List a directory; FileNotFoundError if there is none."""

    @abstractmethod
    def names(self, uri: str) -> list[str]:
        """List the names in a directory, without a look at each; FileNotFoundError if there is none."""

    @abstractmethod
    def write(
        self, uri: str, content: bytes, temp: str, *, new: bool = False, expected: object = None, sync: bool = True
    ) -> object | None:
        """Write a whole file or nothing, by way of the directory `temp`.

        With `new` a file that is already there stays and FileExistsError is raised; with a version that is `expected`,
        one that has another stays and `Changed` is raised. With `sync` the content is on the disk when this returns;
        without it, when `sync` was called. Returns the new signature where it is known without asking again.
        """

    def write_together(self, writes: Sequence[Write], temp: str) -> list[object]:
        """Replace several files; where writes are made durable, all contents are on the disk before the first is.

        Returns for each what `write` does, or the `OSError` for which it was not replaced.
        """
        done: list[object] = []
        for each in writes:
            try:
                done.append(self.write(each.uri, each.content, temp, expected=each.expected, sync=False))
            except OSError as error:
                done.append(error)
        return done

    @abstractmethod
    def make_dir(self, uri: str) -> None:
        """Make a directory and its parents; nothing happens if it is there."""

    @abstractmethod
    def take_in(self, source: str, temp: str, mode: str) -> Incoming:
        """Read a local source once: copied or linked under `temp`, and its content digested on the way."""

    @abstractmethod
    def place(
        self, incoming: Incoming, uri: str, *, sync: bool = True, temp: str = "", progress: Progress | None = None
    ) -> None:
        """Put what was taken in, or a local file of ours, at its final URI; FileExistsError if something is there."""

    @abstractmethod
    def holds(self, uri: str, source: str) -> bool:
        """Say whether `uri` has the same content as the local `source`."""

    @abstractmethod
    def digest(self, uri: str) -> Stored:
        """Read the content of a file or directory and digest it."""

    @abstractmethod
    def staging(self, directory: str) -> str:
        """Return a new local directory for a tool to write into; `directory` itself where that is local."""

    @abstractmethod
    def staged(self, path: str) -> Incoming:
        """Digest what a tool wrote into a `staging` directory; `place` moves it."""

    @abstractmethod
    def is_staged(self, path: str, directory: str) -> bool:
        """Say whether a local path is in a directory that `staging` made for `directory`."""

    @abstractmethod
    def fetch(self, uri: str, destination: str) -> None:
        """Copy a file or directory to a local path."""

    @abstractmethod
    def move(self, uri: str, destination: str, *, sync: bool = True) -> None:
        """Move a file or directory within the filesystem."""

    @abstractmethod
    def remove(self, uri: str) -> None:
        """Remove a file or a directory with all that is in it; nothing happens if it is not there."""

    @abstractmethod
    def append(self, log: str, content: bytes, *, sync: bool = True) -> None:
        """Add lines to a log."""

    @abstractmethod
    def read_log(self, log: str, since: str = "") -> tuple[bytes, str]:
        """Read the whole lines that a log got after the position `since`; return them and the position after them."""

    def read_log_back(self, log: str) -> Iterator[tuple[int, bytes]]:
        """Give the whole lines of a log, the last one first, each with its place in it."""
        content, _ = self.read_log(log)
        end = len(content)
        for line in reversed(content.splitlines(keepends=True)):
            end -= len(line)
            yield end, line

    @abstractmethod
    def clear_log(self, log: str, until: str) -> None:
        """Forget the lines of a log up to a position that `read_log` returned."""

    @abstractmethod
    def lock(self, directory: str) -> AbstractContextManager[None]:
        """Be the only writer below an experiment's folder of ours; may be entered again by the thread that holds it."""

    @abstractmethod
    def sync(self, uri: str) -> None:
        """Return when all that was written below `uri` is on the disk."""

    @abstractmethod
    def sync_together(self, uris: Sequence[str], *, entries: bool = True) -> None:
        """Return when these files and directories are on the disk, and their `entries` in what they are in."""

    def leads_to(self, uri: str) -> str:
        """Return the URI that `uri` is, with no links in it."""
        return uri

    def is_link(self, uri: str) -> bool:
        """Say whether there is a link, whatever it leads to."""
        return False

    def link_out_of(self, uri: str) -> str:
        """Return a link in a directory that leads out of it; ``''`` where there is none."""
        return ""

    @abstractmethod
    def local_copy(self, uri: str) -> str:
        """Return a path on this machine where `uri` can be read: its own, or that of a new copy."""

    @abstractmethod
    def exchange(self, incoming: Incoming, uri: str, aside: str, *, temp: str = "") -> None:
        """Put what was taken in where something is, which goes to `aside`."""

    @abstractmethod
    def take_back(self, incoming: Incoming, uri: str) -> None:
        """Undo `place`."""

    @abstractmethod
    def discard(self, incoming: Incoming) -> None:
        """Remove what was taken in: it was placed, or will not be."""
