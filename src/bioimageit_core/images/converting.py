"""Copies of images in open formats, for those who do not want to keep what their microscope writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bioimageit_core.core.exceptions import UnsupportedError
from bioimageit_core.images.model import ImageFacts
from bioimageit_core.images.reading import open_image
from bioimageit_core.images.writing import Told, write_ome_tiff, write_ome_zarr, write_ome_zarrs

__all__ = ["FORMS", "CopyForm", "convert", "copy_form", "stem_of"]

_ENDINGS = (".ome.zarr", ".zarr", ".ome.tiff", ".ome.tif", ".ome.tf8", ".ome.btf")


@dataclass(frozen=True)
class CopyForm:
    """What a copy is written as.

    Attributes
    ----------
    format
        Name of its format, as data have it.
    version
        Of OME-Zarr; empty for OME-TIFF.
    """

    name: str
    suffix: str
    format: str
    version: str = ""


FORMS = {
    form.name: form
    for form in (
        CopyForm("ome-zarr", ".ome.zarr", "imagezarr", "0.5"),
        CopyForm("ome-zarr-0.4", ".ome.zarr", "imagezarr", "0.4"),
        CopyForm("ome-tiff", ".ome.tiff", "imagetiff"),
    )
}


def copy_form(name: str) -> CopyForm:
    """Return the form of a name.

    Raises
    ------
    UnsupportedError
        There is no such form; the message lists those there are.
    """
    if name not in FORMS:
        raise UnsupportedError("this machine", f"convert to {name!r} (known: {', '.join(FORMS)})")
    return FORMS[name]


def stem_of(name: str) -> str:
    """Return the name of an image file without what tells its format.

    Examples
    --------
    >>> stem_of("a.ome.tif"), stem_of("b.v2.czi"), stem_of("c")
    ('a', 'b.v2', 'c')
    """
    for ending in _ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name.rpartition(".")[0] or name


def convert(path: str, target: Path, form: CopyForm, scene: int | None = None, told: Told | None = None) -> ImageFacts:
    """Write the images of a file with smaller resolutions, in chunks, compressed without loss.

    Parameters
    ----------
    path
        Any image that can be read.
    target
        Where to; nothing may be there.
    scene
        Only this one of the images in the file; by default all, as one file.

    Returns
    -------
    ImageFacts
        What the file said of the image, or of the first.

    Raises
    ------
    ImageReadError
        It cannot be read.
    """
    first = open_image(path, scene or 0)
    images = [first]
    if scene is None:
        images += [open_image(path, number) for number in range(1, len(first.facts.scenes))]
    if not form.version:
        write_ome_tiff(images, target, told=told)
    elif len(images) > 1:
        write_ome_zarrs(images, target, form.version, told=told)
    else:
        write_ome_zarr(first, target, form.version, told=told)
    return first.facts
