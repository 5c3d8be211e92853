"""What one can ask about images: their facts, their pixels, and a small picture of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bioimageit_core.api.reading import local_path
from bioimageit_core.api.services import Services
from bioimageit_core.core.exceptions import UnsupportedError

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.images.model import ImageFacts, OpenImage

__all__ = ["ImageRequests"]


class ImageRequests(Services):
    """The part of `Request` about images."""

    def image_facts(self, data: Data, scene: int = 0) -> ImageFacts:
        """Read what an image says of itself: sizes, pixel sizes with units, channels; not its pixels.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        """
        from bioimageit_core.images.reading import read_facts

        with self._local(data) as path:
            return read_facts(path, scene)

    def open_image(self, data: Data, scene: int = 0) -> OpenImage:
        """Open an image: axes TCZYX, lazily, as dask arrays and as xarray, with all its resolutions.

        Parameters
        ----------
        scene
            Which of the images in the file, from 0.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        UnsupportedError
            The service makes only copies that are removed again; `download_data` gives one to keep.
        """
        from bioimageit_core.images.reading import open_image

        path = self._lasting(data)
        if not path:
            raise UnsupportedError(self._name_of_service("metadata"), f"open {data.name!r} lazily: download it first")
        return open_image(path, scene)

    def thumbnail(self, data: Data, size: int = 256, scene: int = 0) -> Path:
        """Return a small PNG of an image, from a cache where it was made before.

        It shows the middle time point and the maximum along Z; channels in their colours, each with a contrast of its
        own; labels in colours.

        Parameters
        ----------
        size
            Length of the longer side in pixels, 16 to 2048.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        """
        from bioimageit_core.images.thumbnails import thumbnail_of

        name = _name_for_look(data)
        path = self._lasting(data)
        if path:
            return thumbnail_of(path, size, name, scene)
        with contextlib.ExitStack() as stack:
            known_as = "|".join((self._name_of_service("metadata"), data.md_uri, data.uuid))
            copy = lambda: stack.enter_context(self._local(data))  # noqa: E731 - only where the cache lacks it
            return thumbnail_of(data.name, size, name, scene, known_as=known_as, copy=copy)

    def _lasting(self, data: Data) -> str:
        """Return a path of a data that stays; empty where the service has only copies to be removed."""
        service = self.data_service
        if getattr(service, "needs_cleanning", bool)():
            return ""
        locate = getattr(service, "get_data_uri", None)
        return local_path(str(locate(data) if locate else data.uri))

    @contextlib.contextmanager
    def _local(self, data: Data) -> Iterator[str]:
        """Give a path where the data can be read meanwhile."""
        if path := self._lasting(data):
            yield path
            return
        download = getattr(self.data_service, "download_data", None)
        if download is None:
            raise UnsupportedError(self._name_of_service("metadata"), f"give a local copy of {data.name!r}")
        folder = tempfile.mkdtemp(prefix="bioimageit-")
        try:
            given = str(download(data.md_uri, folder) or "")
            yield given or os.path.join(folder, *os.listdir(folder)[:1])
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _name_for_look(data: Data) -> str:
    """Return the words of which some say that an image holds labels: its name, and that of the tool's output."""
    output = getattr(data, "output", None) or {}
    return " ".join([data.name, str(output.get("name", "")), str(output.get("label", ""))])
