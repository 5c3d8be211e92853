"""What is derived from images and can be made again: kept in the user's cache, by what it was made from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bioimageit_core.images.model import ImageReadError

__all__ = ["DIRECTORY_VARIABLE", "place", "signature"]

DIRECTORY_VARIABLE = "BIOIMAGEIT_CACHE"


def place(kind: str, suffix: str, *made_from: str) -> Path:
    """Say where something is kept; it need not be there.

    Parameters
    ----------
    kind
        A directory of the cache.
    made_from
        All that it depends on.
    """
    root = os.environ.get(DIRECTORY_VARIABLE, "")
    if not root:
        import platformdirs

        root = platformdirs.user_cache_dir("bioimageit", appauthor=False)
    name = hashlib.sha256("\0".join(made_from).encode(errors="surrogatepass")).hexdigest()
    return Path(root) / kind / name[:2] / f"{name}.{suffix}"


def signature(path: str) -> str:
    """Return what changes with the content of a file, or of a Zarr directory that is written as a whole.

    Raises
    ------
    ImageReadError
        Nothing is there.
    """
    marks = [path]
    if os.path.isdir(path):
        marks += [os.path.join(path, name) for name in ("zarr.json", ".zattrs", ".zgroup", ".zarray")]
    try:
        stats = [os.stat(path), *(os.stat(mark) for mark in marks[1:] if os.path.exists(mark))]
    except OSError as error:
        raise ImageReadError(path, error.strerror or str(error)) from error
    return "|".join([os.path.abspath(path), *(f"{s.st_size}:{s.st_mtime_ns}:{s.st_ino}" for s in stats)])
