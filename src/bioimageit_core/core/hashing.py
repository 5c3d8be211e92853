"""The checksum of a file."""

from __future__ import annotations

import os
from io import FileIO
from typing import Literal

__all__ = ["naming", "sha256_of", "sha256_of_path"]

_SMALL = 1024 * 1024


class naming:  # noqa: N801 - reads like `contextlib.suppress`
    """Have an `OSError` name the file: those of opening do, those of reading and writing do not."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = self._path
        return False


def sha256_of(file: FileIO) -> tuple[str, int]:
    """Read a file to its end; return its SHA-256 in hex (FIPS 180-4) and how many bytes that were."""
    import hashlib  # takes long to load, and who only reads needs none

    if os.fstat(file.fileno()).st_size <= _SMALL:  # of these `file_digest` spends most on a buffer
        content = file.read()
        return hashlib.sha256(content).hexdigest(), len(content)
    return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def sha256_of_path(path: str) -> str:
    """Return the SHA-256 of a file in hex."""
    with open(path, "rb", buffering=0) as file, naming(path):
        return sha256_of(file)[0]
