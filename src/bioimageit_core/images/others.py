"""Every other format: by bioio and the readers for it that are installed, else by Bio-Formats.

bioio finds its readers by their entry points; none of them is imported here, so that readers under other licences are
the choice of who installs them. Importing bioio takes seconds: it is done for files that nothing else reads.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from bioimageit_core.images import bioformats
from bioimageit_core.images.lazy import canonical
from bioimageit_core.images.model import AXES, Channel, ImageFacts, ImageReadError, OpenImage, UnknownImageError, stated
from bioimageit_core.images.omexml import image_statements

__all__ = ["facts", "open_", "prefers"]

_TIFF_INSIDE = (".lsm", ".stk", ".scn", ".svs", ".ndpi")  # tifffile knows these dialects: nothing else is needed
_NAMELESS = ("Channel:", "channel_")


def prefers(path: str) -> bool:
    """Say whether a file that starts as a TIFF does is to be read from here: those whose pixels lie in other files."""
    return path.lower().endswith((".vsi", ".flex")) and not path.lower().endswith(_TIFF_INSIDE)


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what the file says of one of its images.

    Raises
    ------
    UnknownImageError
        No installed reader takes it.
    ImageReadError
        It is damaged, or has no such scene.
    """
    return _read(path, scene)[0]


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of the file."""
    found, data = _read(path, scene)
    if data is None:
        return bioformats.open_(path, scene)
    return OpenImage(found, [data])


def _read(path: str, scene: int) -> tuple[ImageFacts, Any]:
    """Return the facts, and the lazy array where bioio has it."""
    failure: Exception | None = None
    if importlib.util.find_spec("bioio") is not None:
        try:
            return _by_bioio(path, scene)
        except ImageReadError:
            raise
        except Exception as error:  # noqa: BLE001 - its readers raise anything; another reader may take the file
            failure = error
    if bioformats.is_there():
        try:
            return bioformats.facts(path, scene), None
        except ImageReadError as error:
            if failure is None or type(failure).__name__ == "UnsupportedFileFormatError":
                raise
            reason = next(iter(str(failure).splitlines()), type(failure).__name__)
            raise ImageReadError(path, f"{error.reason}; nor can bioio: {reason}") from failure
    extension = os.path.splitext(path)[1].lstrip(".") or "this"
    reason = next(iter(str(failure).splitlines()), type(failure).__name__) if failure else "bioio is not installed"
    if failure is not None and type(failure).__name__ != "UnsupportedFileFormatError":
        raise ImageReadError(path, f"bioio's reader cannot read it: {reason}; Bio-Formats is not there") from failure
    what = f"no installed reader takes it: bioio needs one for {extension} files (pip install bioio-…), or Bio-Formats"
    raise UnknownImageError(path, what) from failure


def _by_bioio(path: str, scene: int) -> tuple[ImageFacts, Any]:
    with _quietly():
        from bioio import BioImage

        image = BioImage(path)
        scenes = tuple(str(name) for name in image.scenes)
        if not 0 <= scene < len(scenes):
            raise ImageReadError(path, f"no scene {scene}: it has {len(scenes)} (counted from 0)")
        image.set_scene(scene)
        data = image.reader.xarray_dask_data
        names = "".join(str(dim) for dim in data.dims).upper()
        found = _facts(image, data, names, scenes, scene)
        return found, canonical(path, data.data, names, data.data.chunksize)


def _facts(image: Any, data: Any, names: str, scenes: tuple[str, ...], scene: int) -> ImageFacts:
    axes = "".join(axis for axis in AXES if axis in names)
    lengths = {axis: int(data.shape[names.index(axis)]) if axis in names else 1 for axis in AXES}
    if "S" in names:
        lengths["C"] *= int(data.shape[names.index("S")])
    said = _ome(image, scene) or _standard(image)
    sizes = {axis: float(getattr(image.physical_pixel_sizes, axis) or 0) for axis in "ZYX"}
    units = dict.fromkeys(sizes, "µm")  # that of bioio's interface
    if said.get("pixel_sizes"):
        sizes, units = said["pixel_sizes"], said["units"]
    sizes, units = stated(sizes, units, axes)
    channels = said.get("channels") or tuple(Channel(_name(name)) for name in image.channel_names or ())
    package = type(image.reader).__module__.partition(".")[0]
    return ImageFacts(
        axes,
        lengths,
        str(data.dtype),
        sizes,
        units,
        channels if len(channels) == lengths["C"] else (),
        said.get("name", ""),
        said.get("acquired", ""),
        said.get("objective", {}),
        scenes,
        scene,
        reader=package.replace("_", "-"),
        version=_version(package),
    )


def _ome(image: Any, scene: int) -> dict[str, Any]:
    """Return what the reader says in OME's terms; few of them do."""
    with contextlib.suppress(Exception):
        images = image_statements(image.ome_metadata.to_xml())
        return images[scene] if scene < len(images) else {}
    return {}


def _standard(image: Any) -> dict[str, Any]:
    """Return what a reader that knows nothing of OME says in bioio's own terms."""
    found: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        said = image.standard_metadata
        if said.imaging_datetime:
            found["acquired"] = said.imaging_datetime.isoformat()
        if said.objective:
            found["objective"] = {"Model": str(said.objective)}
    return found


def _name(name: Any) -> str:
    text = str(name)
    return "" if text.startswith(_NAMELESS) or text.isdecimal() else text


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what readers say to their developers from the user; failures are raised."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)
