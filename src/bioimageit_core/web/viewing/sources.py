"""Images that are read where they are looked at: what is known of them, and their pixels, kept open for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bioimageit_core.web.viewing.facts import Look, look_of

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.images.model import OpenImage

__all__ = ["ImageSource", "Sources"]

_OPEN = 8
_KNOWN = 1000
Kept = TypeVar("Kept")


class ImageSource:
    """An image whose parts can be read at every resolution that its file has.

    Parameters
    ----------
    look
        Its axes are those by which parts are named.
    """

    def __init__(self, look: Look, image: OpenImage) -> None:
        self.look = look
        self._axes = [index for index, axis in enumerate("TCZYX") if axis in look.axes]
        height, width = image.levels[0].shape[-2:]
        self._halved = {0: image.levels[0]}
        for level in image.levels[1:]:
            halvings = round(height / level.shape[-2]).bit_length() - 1
            if level.shape[-2:] == (-(-height // 2**halvings), -(-width // 2**halvings)):
                self._halved[halvings] = level

    def halvings(self, wanted: int) -> int:
        """Say how often the smallest resolution of the file is halved that is not smaller than one halved `wanted`."""
        return max(number for number in self._halved if number <= wanted)

    def read(self, where: tuple[slice, ...], halvings: int = 0) -> Any:
        """Give the part that slices, one an axis, select of the resolution that is halved so often."""
        full: list[Any] = [0] * 5
        for axis, one in zip(self._axes, where, strict=True):
            full[axis] = one
        return self._halved[halvings][tuple(full)].compute(scheduler="synchronous")


class Sources:
    """The images that were looked at last."""

    def __init__(self) -> None:
        self._looks: OrderedDict[tuple[str, int, str], Look] = OrderedDict()
        self._open: OrderedDict[tuple[str, int, str], ImageSource] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, data: Data, path: str, scene: int = 0) -> Look:
        """Say what is known of an image at a local path; its pixels are not read.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        UnsupportedError
            What reads it is not installed.
        """
        from bioimageit_core.images.reading import read_facts

        return self._kept(self._looks, _KNOWN, data, path, scene, lambda: look_of(read_facts(path, scene), data, path))

    def get(self, data: Data, path: str, scene: int = 0) -> ImageSource:
        """Open the image of a data at a local path.

        Raises
        ------
        ImageReadError
            It is no image, damaged, or can be read in huge pieces only.
        UnsupportedError
            What reads it is not installed.
        """
        from bioimageit_core.images.lazy import refuse_to_look
        from bioimageit_core.images.reading import open_image

        def make() -> ImageSource:
            image = open_image(path, scene)
            for level in image.levels:
                refuse_to_look(path, level)
            return ImageSource(look_of(image.facts, data, path), image)

        return self._kept(self._open, _OPEN, data, path, scene, make)

    def _kept(
        self,
        kept: OrderedDict[tuple[str, int, str], Kept],
        most: int,
        data: Data,
        path: str,
        scene: int,
        make: Callable[[], Kept],
    ) -> Kept:
        from bioimageit_core.images.cache import signature

        key = (signature(path), scene, data.md_uri)
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > most:
                kept.popitem(last=False)
        return made
