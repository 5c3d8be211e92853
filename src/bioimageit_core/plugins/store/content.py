"""Content of local files and directories: digested in one pass, also while it is copied."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import FileIO

from bioimageit_core.core.hashing import naming, sha256_of
from bioimageit_core.plugins.store.files import Stored

__all__ = [
    "CHUNK",
    "READING",
    "copy_and_digest",
    "digest_of_parts",
    "digest_path",
    "files_below",
    "is_path",
    "is_text",
    "lines_back",
    "open_regular",
    "same_content",
    "write_all",
]

# a pipe that poses as a file must not make us wait
READING = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
CHUNK = 4 * 1024 * 1024
_PIECE = 64 * 1024


def is_path(text: str) -> bool:
    """Say whether the system could have a file of that name."""
    if text.isascii():  # the usual case
        return "\0" not in text
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def is_text(name: str) -> bool:
    """Say whether a document can name a file; one whose name is not UTF-8 it cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`, however little the system takes at a time."""
    written = os.write(descriptor, content)
    if written < len(content):
        view = memoryview(content)[written:]
        while view:
            view = view[os.write(descriptor, view) :]


def files_below(directory: str) -> Iterator[str]:
    """Give the relative paths of all files, sorted, with POSIX separators; links are followed to files only."""
    found = []
    for folder, _folders, files in os.walk(directory):
        inner = os.path.relpath(folder, directory).replace(os.sep, "/")
        found += [name if inner == "." else f"{inner}/{name}" for name in files]
    yield from sorted(found)


def copy_and_digest(source: int, target: int, name: str) -> Stored:
    """Copy between two descriptors and digest what passes; an error of reading names the source."""
    import hashlib

    digest, size = hashlib.sha256(), 0
    while True:
        with naming(name):
            content = os.read(source, CHUNK)
        if not content:
            return Stored(size, digest.hexdigest())
        digest.update(content)
        write_all(target, content)
        size += len(content)


def digest_path(path: str) -> Stored:
    """Digest a file, or a directory part by part."""
    if os.path.isdir(path):
        return digest_of_parts({name: _digest_regular(f"{path}/{name}") for name in files_below(path)})
    return _digest_regular(path)


def same_content(path: str, other: str) -> bool:
    """Compare two files or two directories byte by byte."""
    if os.path.isdir(path) != os.path.isdir(other):
        return False
    if not os.path.isdir(path):
        return os.path.getsize(path) == os.path.getsize(other) and _same_bytes(path, other)
    ours, theirs = list(files_below(path)), list(files_below(other))
    return ours == theirs and all(same_content(f"{path}/{name}", f"{other}/{name}") for name in ours)


def _same_bytes(path: str, other: str) -> bool:
    with open(path, "rb") as one, open(other, "rb") as two:
        while True:
            with naming(path):
                ours = one.read(CHUNK)
            with naming(other):
                theirs = two.read(CHUNK)
            if ours != theirs or not ours:
                return ours == theirs


def lines_back(descriptor: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file up to `end`, the last one first, each with its place; a piece at a time is held."""
    start, rest = end, b""
    while start:
        size = min(start, _PIECE)
        start -= size
        first, *whole = (os.pread(descriptor, size, start) + rest).split(b"\n")
        place = start + size + len(rest)
        for line in reversed(whole):
            place -= len(line)
            if line:
                yield place, line
            place -= 1
        rest = first
    if rest and end:
        yield 0, rest


def open_regular(path: str) -> tuple[int, int]:
    """Open a file to read, and return it with its size; what is none, a pipe for example, is not waited for.

    Raises
    ------
    IsADirectoryError
        It is a directory.
    OSError
        It is something else.
    """
    try:
        descriptor = os.open(path, READING)
    except PermissionError as error:  # what Windows says of a directory
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path) from error
        raise
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "is not a regular file", path)


def _digest_regular(path: str) -> Stored:
    with FileIO(open_regular(path)[0]) as file, naming(path):
        digest, size = sha256_of(file)
        return Stored(size, digest)


def digest_of_parts(parts: dict[str, Stored]) -> Stored:
    """Digest a directory from the digests of its files, by relative path."""
    import hashlib

    lines = "".join(f"{parts[name].sha256}  {name}\n" for name in sorted(parts))
    return Stored(sum(part.size for part in parts.values()), hashlib.sha256(lines.encode()).hexdigest())
