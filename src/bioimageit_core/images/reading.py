"""Open any image: who reads it is found by what is in it, never by its name alone."""

from __future__ import annotations

import errno
import importlib.util
import os
from types import ModuleType
from typing import Protocol

from bioimageit_core.core.exceptions import UnsupportedError
from bioimageit_core.images.model import ImageFacts, ImageReadError, OpenImage, UnknownImageError

__all__ = ["kind_of", "open_image", "read_facts"]

_TIFFS = (".tif", ".tiff", ".btf")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
_HINT = "pip install 'bioimageit-core[images]'"


class _Reader(Protocol):
    def facts(self, path: str, scene: int = 0) -> ImageFacts: ...

    def open_(self, path: str, scene: int = 0) -> OpenImage: ...


def read_facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what a file says of one of its images; its pixels are not read.

    Parameters
    ----------
    path
        A file, or the directory of an OME-Zarr.
    scene
        Which of the images in it, from 0.

    Raises
    ------
    UnknownImageError
        No installed reader takes it for an image.
    ImageReadError
        It is missing, cut off or damaged, or has no such scene.
    UnsupportedError
        The library that reads it is not installed.
    """
    try:
        return _reader_of(path).facts(path, scene)
    except ImportError as error:
        raise _lacking(path, error) from error


def open_image(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of a file: axes TCZYX, lazily, with pixel sizes, units and names of channels.

    Parameters
    ----------
    path, scene
        As for `read_facts`.

    Raises
    ------
    ImageReadError
        As for `read_facts`; pixels that are damaged raise it when they are read.
    UnsupportedError
        The library that reads it is not installed.
    """
    try:
        return _reader_of(path).open_(path, scene)
    except ImportError as error:
        raise _lacking(path, error) from error


def kind_of(path: str) -> str:
    """Say what a file or directory is by its first bytes: ``TIFF``, ``Zarr``, ``PNG``, ``JPEG``; else nothing."""
    from bioimageit_core.images import tiff, zarrs

    if os.path.isdir(path):
        return "Zarr" if zarrs.is_zarr(path) else ""
    try:
        start = _start_of(path)
    except OSError:
        return ""
    starts = {tiff.MAGIC: "TIFF", (b"\x89PNG\r\n\x1a\n",): "PNG", (b"\xff\xd8\xff",): "JPEG"}
    return next((kind for magic, kind in starts.items() if start.startswith(magic)), "")


def _reader_of(path: str) -> _Reader:
    from bioimageit_core.images import lif, nd2, others, pictures, tiff, zarrs

    if os.path.isdir(path):
        if not zarrs.is_zarr(path):
            raise UnknownImageError(path, "a directory, and no Zarr store")
        return _as_reader(zarrs)
    try:
        start = _start_of(path)
    except OSError as error:
        raise ImageReadError(path, error.strerror or str(error)) from error
    if not start:
        raise ImageReadError(path, "the file is empty")
    # what is called a TIFF or a picture and is none is damaged; nobody else needs to be asked
    name = path.lower()
    if (start.startswith(tiff.MAGIC) or name.endswith(_TIFFS)) and not others.prefers(path):
        return _as_reader(tiff)
    if lif.is_lif(start) and importlib.util.find_spec("liffile") is not None:
        return _as_reader(lif)
    if nd2.is_nd2(start, path) and importlib.util.find_spec("nd2") is not None:
        return _as_reader(nd2)
    return _as_reader(pictures if pictures.is_picture(start) or name.endswith(_PICTURES) else others)


def _start_of(path: str) -> bytes:
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise OSError(errno.EINVAL, "is not a regular file", path)
    with open(path, "rb") as file:
        return file.read(16)


def _as_reader(module: ModuleType) -> _Reader:
    return module


def _lacking(path: str, error: ImportError) -> UnsupportedError:
    return UnsupportedError("this machine", f"read {path!r}: {error.name} is not installed ({_HINT})")
