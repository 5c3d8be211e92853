"""Small pictures of data: those of `Request.thumbnail`, made by a few threads of their own."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import NotFoundError, UnsupportedError
from bioimageit_core.web.files import etag_of

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.web.site import Site

__all__ = ["Thumbnails"]

_SIDE = 256


class Thumbnails:
    """Makes pictures beside all else: a wall of images that are slow to read keeps nobody waiting who asks for more."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pool = ThreadPoolExecutor(max(2, os.cpu_count() or 2), thread_name_prefix="web-thumbnails")

    async def get(self, data: Data) -> tuple[bytes, str]:
        """Return a PNG and its entity tag.

        Raises
        ------
        NotFoundError
            No picture of it can be made.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._get, data)

    def _get(self, data: Data) -> tuple[bytes, str]:
        from bioimageit_core.images.model import ImageReadError

        try:
            kept = self._site.request.thumbnail(data, _SIDE)
        except (ImageReadError, UnsupportedError, NotFoundError) as error:
            raise NotFoundError("picture", data.name) from error
        return kept.read_bytes(), etag_of(kept.name)
