"""One writer at a time below an experiment, between threads and processes."""

from __future__ import annotations

import contextlib
import errno
import functools
import getpass
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ConflictError
from bioimageit_core.plugins.store.disk import strange_in

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["ExperimentLock"]

logger = logging.getLogger(__name__)

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_TELL_AFTER = 2.0  # seconds of waiting before the user hears for whom
_GIVE_UP_AFTER = 600.0


class ExperimentLock:
    """The lock of an experiment's folder of ours; the system releases it when its owner dies."""

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/lock"
        self._owner = f"{directory}/lock.owner"
        self._threads = threading.RLock()
        self._depth = 0
        self._works = True

    @functools.cached_property
    def _processes(self) -> FileLock:
        from filelock import FileLock  # takes long to import, and who only reads needs none

        # a file that merely is there would outlive an owner that was killed
        return FileLock(self._path, thread_local=False, fallback_to_soft=False)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; the thread that holds it may enter again.

        Raises
        ------
        ConflictError
            Another process held it for ten minutes; the message says which.
        OSError
            There is a link in the folder, through which a change would be one elsewhere.
        """
        with self._threads:
            if self._depth == 0:
                if strange := strange_in(os.path.dirname(self._path)):
                    raise OSError(errno.ELOOP, "no link or pipe may be here", strange)
                if self._works:
                    self._acquire()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._works:
                    self._processes.release()

    def _acquire(self) -> None:
        from filelock import Timeout

        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(self._path))  # not its parents: where no experiment is, none is begun
        try:
            try:
                self._processes.acquire(timeout=_TELL_AFTER, poll_interval=0.005)
            except Timeout:
                logger.warning("waiting for %s, who writes to %s", self._who(), os.path.dirname(self._path))
                self._processes.acquire(timeout=_GIVE_UP_AFTER, poll_interval=0.02)
        except Timeout as error:
            raise ConflictError(
                f"{self._path} is held by {self._who()}; end that process, or try again later"
            ) from error
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                raise
            self._works = False
            logger.warning("locks do not work at %s: let only one program at a time write there", self._path)
            return
        with contextlib.suppress(OSError), open(self._owner, "w", encoding="utf-8") as file:
            file.write(f"{_user()}, process {os.getpid()} on {socket.gethostname()}")

    def _who(self) -> str:
        try:
            with open(self._owner, encoding="utf-8") as file:
                return file.read(200) or "another process"
        except OSError:
            return "another process"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"
