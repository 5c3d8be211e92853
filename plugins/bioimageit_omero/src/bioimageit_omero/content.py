"""The files of data: an image becomes an Image with its original file attached, anything else an attached file."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError

from bioimageit_omero.annotations import DATA, ORIGINAL, TABLE, link_to
from bioimageit_omero.ice import model, rstring
from bioimageit_omero.pixels import LazyImage, create_image, describe_image, image_info
from bioimageit_omero.session import Session
from bioimageit_omero.source import ImageSource, open_image
from bioimageit_omero.tables import read_csv, write_table
from bioimageit_omero.uris import DATASET, FILE, IMAGE, Ref

__all__ = ["Stored", "discard", "fetch", "file_digest", "store"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LONGEST = 250
_MOST_FILES = 1_000_000


@dataclass
class Stored:
    """A data whose content is in the server, but which no dataset has yet.

    Attributes
    ----------
    ref
        The new data.
    objects
        What is to be saved so that the dataset has it; together with all that says what it is.
    facts
        What is to be remembered: ``sha1`` of the source, whether it is a ``directory``.
    made
        What is to be deleted if it comes to nothing.
    """

    ref: Ref
    objects: list[Any]
    facts: dict[str, str]
    made: dict[str, list[int]] = field(default_factory=dict)


def store(
    session: Session, path: Path, name: str, dataset: Ref, group: int, *, keep_original: bool, digest: str
) -> Stored:
    """Bring a file or a Zarr directory into the server.

    Raises
    ------
    DataServiceError
        It cannot be read or written; nothing of it is left.
    """
    made: dict[str, list[int]] = {}
    facts = {"sha1": digest, "content": "directory" if path.is_dir() else "file"}
    try:
        source = open_image(path)
        if source is None:
            return _store_file(session, path, name, dataset, group, facts, made)
        with contextlib.closing(source):
            return _store_image(session, path, source, name, dataset, group, facts, made, keep_original=keep_original)
    except DataServiceError:
        discard(session, made, group)
        raise
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        discard(session, made, group)
        raise DataServiceError(f"cannot store {str(path)!r}: {error}") from error


def _store_image(
    session: Session,
    path: Path,
    source: ImageSource,
    name: str,
    dataset: Ref,
    group: int,
    facts: dict[str, str],
    made: dict[str, list[int]],
    *,
    keep_original: bool,
) -> Stored:

    image = create_image(session, source, name, group)
    made["Image"] = [image]
    ref = Ref(IMAGE, image)
    objects = describe_image(session, image, name, source)
    if keep_original:
        objects.append(link_to(ref, _attached(session, path, ORIGINAL, group, made)))
    link = model().DatasetImageLinkI()
    link.setParent(model().DatasetI(dataset.id, False))
    link.setChild(model().ImageI(image, False))
    return Stored(ref, [*objects, link], facts, made)


def _store_file(
    session: Session, path: Path, name: str, dataset: Ref, group: int, facts: dict[str, str], made: dict[str, list[int]]
) -> Stored:

    annotation = _attached(session, path, DATA, group, made)
    annotation.setDescription(rstring(name))
    (annotation,) = session.save([annotation], group)
    made["FileAnnotation"] = [int(annotation.id.val)]
    ref = Ref(FILE, int(annotation.id.val))
    objects = [link_to(Ref(DATASET, dataset.id), model().FileAnnotationI(ref.id, False))]
    if session.settings.tables == "omero" and path.suffix.lower() in (".csv", ".tsv"):
        objects.append(link_to(ref, _table_of(session, path, group, made)))
    return Stored(ref, objects, facts, made)


def _table_of(session: Session, path: Path, group: int, made: dict[str, list[int]]) -> Any:
    """Make an OMERO.table of a CSV file, and the annotation that has it."""
    file = write_table(session, _stored_name(path.stem), read_csv(path.read_bytes()), group)
    made["OriginalFile"].append(file)
    annotation = model().FileAnnotationI()
    annotation.setFile(model().OriginalFileI(file, False))
    annotation.setNs(rstring(TABLE))
    return annotation


def _attached(session: Session, path: Path, ns: str, group: int, made: dict[str, list[int]]) -> Any:
    """Upload a file, or a directory as an archive, and make the annotation that has it."""
    with _as_file(path) as (file, name):
        mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
        uploaded = session.upload(file, _stored_name(name), mimetype, group)
    made["OriginalFile"] = [int(uploaded.id.val)]
    annotation = model().FileAnnotationI()
    annotation.setFile(uploaded)
    annotation.setNs(rstring(ns))
    return annotation


def _stored_name(name: str) -> str:
    clean = name.encode("utf-8", "replace").decode().replace("\0", "_")
    stem, suffix = os.path.splitext(clean)
    return clean if len(clean) <= _LONGEST else stem[: _LONGEST - len(suffix)] + suffix


@contextlib.contextmanager
def _as_file(path: Path) -> Iterator[tuple[Path, str]]:
    if not path.is_dir():
        yield path, path.name
        return
    with tempfile.TemporaryDirectory(prefix="bioimageit-omero-") as folder:
        archive = Path(folder) / "content.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, allowZip64=True) as target:
            for file in _files_of(path):
                info = zipfile.ZipInfo(file.relative_to(path).as_posix(), _EPOCH)
                with file.open("rb") as source, target.open(info, "w", force_zip64=True) as sink:
                    shutil.copyfileobj(source, sink)
        yield archive, f"{path.name}.zip"


def _files_of(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())


def file_digest(path: Path) -> str:
    """Compute the SHA-1 of a file, or of the names and contents of a directory's files.

    Raises
    ------
    DataServiceError
        It cannot be read.
    """
    import hashlib

    digest = hashlib.sha1(usedforsecurity=False)
    try:
        if not path.is_dir() and not path.is_file():
            raise DataServiceError(f"cannot read {str(path)!r}: there is no such file")
        for file in _files_of(path) if path.is_dir() else [path]:
            if path.is_dir():
                digest.update(
                    f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode("utf-8", "replace")
                )
            with file.open("rb") as content:
                while block := content.read(2**20):
                    digest.update(block)
    except (OSError, ValueError) as error:
        raise DataServiceError(f"cannot read {str(path)!r}: {error}") from error
    return digest.hexdigest()


def discard(session: Session, made: dict[str, list[int]], group: int) -> None:
    """Delete what came to nothing; what cannot be deleted now is left unlinked."""
    for kind in ("Image", "FileAnnotation", "OriginalFile"):
        with contextlib.suppress(DataServiceError):
            session.delete({kind: made.get(kind, [])}, group)


# back


def fetch(session: Session, ref: Ref, uri: str, file: Any, facts: dict[str, str], target: Path) -> None:
    """Write the content of a data to `target`: the file that came in, or an OME-TIFF of the pixels.

    Parameters
    ----------
    file
        The ``OriginalFile`` that the data has, or None.
    """
    partial = target.with_name(f".{target.name[-100:]}.{os.getpid()}.part")
    try:
        if file is None and ref.kind == IMAGE:
            _write_tiff(session, ref, uri, partial)
        elif file is None:
            raise DataServiceError(f"{uri} has no file")
        else:
            with partial.open("wb") as sink:
                for block in session.read_file(int(file.id.val), int(file.size.val)):
                    sink.write(block)
        if facts.get("content") == "directory" and file is not None:
            _unpack(partial, target)
        else:
            os.replace(partial, target)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataServiceError(f"cannot write {str(target)!r}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _unpack(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        names = source.namelist()
        if len(names) > _MOST_FILES:
            raise DataServiceError(f"{archive.name} has {len(names)} files, at most {_MOST_FILES} are unpacked")
        folder = Path(tempfile.mkdtemp(prefix=".bioimageit-", dir=target.parent))
        try:
            for name in names:
                inner = (folder / name).resolve()
                if not inner.is_relative_to(folder.resolve()):
                    raise DataServiceError(f"the archive leads outside with {name!r}")
            source.extractall(folder)
            os.chmod(folder, 0o777 & ~_umask())
            os.replace(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _write_tiff(session: Session, ref: Ref, uri: str, path: Path) -> None:
    import tifffile

    info = image_info(session, ref.id, uri)
    image = LazyImage(session, info)
    metadata: dict[str, Any] = {"axes": "TCZYX"}
    for axis, size in info.sizes.items():
        metadata[f"PhysicalSize{axis}"], metadata[f"PhysicalSize{axis}Unit"] = size.value, size.unit
    channels: dict[str, list[Any]] = {}
    if any(channel.name for channel in info.channels):
        channels["Name"] = [channel.name for channel in info.channels]
    if info.channels and all(channel.colour for channel in info.channels):
        channels["Color"] = [_signed(channel.colour) for channel in info.channels]
    if channels:
        metadata["Channel"] = channels
    planes = (image[t, c, z] for t in range(info.shape[0]) for c in range(info.shape[1]) for z in range(info.shape[2]))
    tifffile.imwrite(
        path, planes, shape=info.shape, dtype=image.dtype, metadata=metadata, ome=True, photometric="minisblack"
    )


def _signed(colour: tuple[int, int, int, int] | None) -> int:
    """Write a colour as OME does: RGBA in a signed integer of 32 bits."""
    return int.from_bytes(bytes(colour or (255, 255, 255, 255)), "big", signed=True)
