"""Small pictures of data, kept for a while."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.web.files import etag_of

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.web.site import Site

__all__ = ["Thumbnails"]

_KEPT = 2000
_SIDE = 192


class Thumbnails:
    """Makes each picture once as long as its file is the same."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, data: Data) -> tuple[bytes, str]:
        """Return a PNG and its entity tag.

        Raises
        ------
        NotFoundError
            No picture of it can be made.
        """
        path = self._site.files.path(data)
        status = os.stat(path)
        etag = etag_of(path, status.st_mtime_ns, status.st_size, _SIDE)
        with self._lock:
            if etag in self._kept:
                self._kept.move_to_end(etag)
                return self._kept[etag], etag
        content = self._make(path)
        if content is None:
            raise NotFoundError("picture", data.name)
        with self._lock:
            self._kept[etag] = content
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return content, etag

    def _make(self, path: str) -> bytes | None:
        from bioimageit_core.containers.html import thumbnail

        return thumbnail(path, _SIDE)
