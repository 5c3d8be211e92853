"""Files of this machine that only grow: journals, a line for each change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from io import FileIO

from bioimageit_core.plugins.store.content import lines_back, open_regular, write_all
from bioimageit_core.plugins.store.disk import in_made_directory

__all__ = ["LocalLogs"]

# not through a link, which leads elsewhere
_APPENDING = os.O_RDWR | os.O_CREAT | os.O_APPEND
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _APPENDING |= getattr(os, _flag, 0)


class LocalLogs:
    """The part of `LocalFiles` about logs."""

    durable: bool

    def append(self, log: str, content: bytes, *, sync: bool = True) -> None:
        descriptor = in_made_directory(log, lambda: os.open(log, _APPENDING, 0o666))
        try:
            end = os.fstat(descriptor).st_size
            if end and os.pread(descriptor, 1, end - 1) != b"\n":  # a writer was killed in mid-line
                content = b"\n" + content
            write_all(descriptor, content)
            if sync and self.durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read_log(self, log: str, since: str = "") -> tuple[bytes, str]:
        start = int(since or 0)
        try:
            with FileIO(open_regular(log)[0]) as file:
                if start > os.fstat(file.fileno()).st_size:  # it was cleared meanwhile
                    start = 0
                file.seek(start)
                content = file.readall()
        except FileNotFoundError:
            return b"", ""
        whole = content[: content.rfind(b"\n") + 1]
        return whole, str(start + len(whole))

    def read_log_back(self, log: str) -> Iterator[tuple[int, bytes]]:
        try:
            with FileIO(open_regular(log)[0]) as file:
                yield from lines_back(file.fileno(), os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            return

    def clear_log(self, log: str, until: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if str(os.path.getsize(log)) == until:
                os.unlink(log)
