"""Folders of this machine for copies of data and for results of tools."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable

__all__ = ["Places"]

_FEW = 16


class Places:
    """Folders below one that goes with this object; those whose copy was removed by somebody are removed too."""

    def __init__(self) -> None:
        self._root = ""
        self._given: list[str] = []
        self._many = _FEW
        self._lock = threading.Lock()

    def close(self) -> None:
        """Remove all."""
        with self._lock:
            if self._root:
                shutil.rmtree(self._root, ignore_errors=True)
            self._root, self._given = "", []

    def new(self) -> str:
        """Return a new folder."""
        with self._lock:
            if not self._root:
                self._root = tempfile.mkdtemp(prefix="bioimageit-http-")
                weakref.finalize(self, shutil.rmtree, self._root, ignore_errors=True)
            return tempfile.mkdtemp(dir=self._root)

    def copy(self, write: Callable[[str], str]) -> str:
        """Have a copy written into a new folder, and return its path."""
        folder = self.new()
        try:
            path = write(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            self._given.append(folder)
            if len(self._given) > self._many:  # not each time: somebody may keep thousands of copies
                self._given = [each for each in self._given if not _is_gone(each)]
                self._many = 2 * len(self._given) + _FEW
        return path

    def remove(self, folder: str) -> None:
        """Remove a folder if it is one of ours."""
        if self._root and os.path.dirname(os.path.abspath(folder)) == self._root:
            shutil.rmtree(folder, ignore_errors=True)


def _is_gone(folder: str) -> bool:
    """Remove a folder that is empty, and say whether it is gone."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
