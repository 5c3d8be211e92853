"""Names and places: URIs with POSIX separators, and names from outside made safe.

A URI is an absolute local path or ``scheme://path``. Everything here works on text alone; nothing touches a disk.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator

from bioimageit_core.core.exceptions import InvalidNameError

__all__ = [
    "MD_SUFFIX",
    "OURS",
    "absolute_path",
    "candidates",
    "check_name",
    "document_names",
    "file_names",
    "folded",
    "is_plain",
    "is_within",
    "join",
    "name_of",
    "parent",
    "plain_document_name",
    "relative_path",
    "simplify_path",
    "storable_name",
]

MD_SUFFIX = ".md.json"
OURS = ".bioimageit"
"""The folder of what is ours alone: journal, locks, index, trash, work in progress."""

_PLAIN_REST = re.compile(r"[^/\\.][^/\\]*(?:/[^/\\.][^/\\]*)*") if os.sep == "/" else re.compile(r"(?!)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .,()+-]{0,199}")
_MAX_BYTES = 255  # of one name, on ext4, APFS, NTFS (there in UTF-16 units) and in S3 consoles
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


def _split(uri: str) -> tuple[str, str]:
    """Split a URI into its scheme with ``://`` (or ``''``) and its path with POSIX separators."""
    if match := _SCHEME.match(uri):
        return match.group(0), uri[match.end() :]
    return "", uri.replace(os.sep, "/") if os.sep != "/" else uri


def simplify_path(path: str) -> str:
    """Return `path` without ``.``, ``..`` in its middle, and doubled separators.

    Examples
    --------
    >>> simplify_path("a/b/../c/./d")
    'a/c/d'
    """
    scheme, rest = _split(path)
    simple = posixpath.normpath(rest) if rest else ""
    return scheme + (simple.removeprefix("/") if scheme and not rest.startswith("/") else simple)


def relative_path(file: str, reference_file: str) -> str:
    """Say where `file` is, seen from the document `reference_file`; a `file` elsewhere (another scheme) stays as it is.

    Examples
    --------
    >>> relative_path("a/data/x.md.json", "a/p/y.md.json")
    '../data/x.md.json'
    """
    directory = reference_file[: reference_file.rfind("/") + 1]
    if directory and file.startswith(directory) and _PLAIN_REST.fullmatch(file, len(directory)):
        return file[len(directory) :]  # the usual case: beside the document, or below it
    (scheme, path), (reference_scheme, reference) = _split(file), _split(reference_file)
    if scheme != reference_scheme or posixpath.isabs(path) != posixpath.isabs(reference):
        return file
    if _drive(path) != _drive(reference):
        return file
    # normpath by hand rather than by relpath, which would ask for the current directory
    to = simplify_path(path).split("/")
    start = simplify_path(posixpath.dirname(reference)).rstrip("/").split("/") if posixpath.dirname(reference) else []
    common = 0
    while common < min(len(to), len(start)) and to[common] == start[common]:
        common += 1
    if ".." in start[common:]:  # no one can say where that leads without a disk
        return posixpath.relpath(path, posixpath.dirname(reference))
    return "/".join([".."] * (len(start) - common) + to[common:]) or "."


def absolute_path(file: str, reference_file: str) -> str:
    """Resolve a URL that stands in the document `reference_file`; the inverse of `relative_path`.

    Examples
    --------
    >>> absolute_path("x.tif", "a/data/x.md.json")
    'a/data/x.tif'
    """
    scheme, path = _split(file)
    if scheme or posixpath.isabs(path) or _drive(path):
        return simplify_path(file)
    reference_scheme, reference = _split(reference_file)
    return simplify_path(reference_scheme + posixpath.join(posixpath.dirname(reference), path))


def _drive(path: str) -> str:
    return path[:2].lower() if re.match(r"^[A-Za-z]:[/\\]", path) else ""


def join(directory: str, *names: str) -> str:
    """Join names to a URI of a directory."""
    return "/".join([directory.rstrip("/") or "", *names]) if directory else "/".join(names)


def parent(uri: str) -> str:
    """Return the URI of the directory that `uri` stands in."""
    head, _, name = uri.rpartition("/")
    if name and head and head[-1] != "/" and os.sep == "/":  # the usual case
        return head
    scheme, path = _split(uri)
    return scheme + posixpath.dirname(path.rstrip("/"))


def name_of(uri: str) -> str:
    """Return the last part of a URI."""
    name = uri.rpartition("/")[2]
    return name if name and os.sep == "/" else posixpath.basename(_split(uri)[1].rstrip("/"))


def is_within(uri: str, directory: str) -> bool:
    """Say whether `uri` is `directory` or below it, by their texts."""
    inner, outer = simplify_path(uri), simplify_path(directory).rstrip("/")
    return inner == outer or inner.startswith(outer + "/")


def folded(name: str) -> str:
    """Return what `name` is on a filesystem that minds neither case nor normal form.

    Examples
    --------
    >>> folded("Ünit.TIF") == folded("u\u0308nit.tif")
    True
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_name(kind: str, name: str, *, max_bytes: int = _MAX_BYTES) -> str:
    """Return `name` if it can be the name of a file or directory everywhere.

    Raises
    ------
    InvalidNameError
        It is empty, too long, reserved, or holds a separator or a control character; the message says which.
    """
    if isinstance(name, str) and is_plain(name) and len(name) <= max_bytes:
        return name
    if not isinstance(name, str) or not name.strip():
        raise InvalidNameError(kind, str(name), "a name is needed")
    if match := _CONTROL.search(name):
        raise InvalidNameError(kind, name, f"the character U+{ord(match.group()):04X} cannot be in a name")
    if match := re.search(r"[/\\]", name):
        raise InvalidNameError(kind, name, f"the separator {match.group()!r} cannot be in a name")
    if name.strip() in {".", ".."} or name.strip().strip(".") == "":
        raise InvalidNameError(kind, name, "it means a directory")
    if len(name.encode()) > max_bytes:
        raise InvalidNameError(kind, name, f"it has {len(name.encode())} bytes, at most {max_bytes} can be stored")
    if _RESERVED.match(name.strip()):
        raise InvalidNameError(kind, name, "it is reserved on Windows")
    if _is_ours(name):
        raise InvalidNameError(kind, name, "it is the name of the folder where this software keeps what is its own")
    return name


def _is_ours(name: str) -> bool:
    """Say whether a name is, on any filesystem, that of the folder of ours."""
    return "".join(folded(name).split()).rstrip(".") == OURS


def storable_name(name: str) -> str:
    """Return the name to store a source file under: its own, with what no document can say replaced by ``_``.

    Names reserved on Windows get a leading ``_``, and one that looks like a metadata document is told apart.
    """
    if is_plain(name) and not name.lower().endswith(MD_SUFFIX):
        return name
    stored = re.sub(r"[/\\]", "_", _CONTROL.sub("_", name))
    if _RESERVED.match(stored) or stored.strip(". ") == "" or _is_ours(stored):
        stored = f"_{stored}"
    if stored.lower().endswith(MD_SUFFIX):
        stored = f"{stored[: -len('.json')]}_.json"
    return _fit(*posixpath.splitext(stored))


def is_plain(name: str) -> bool:
    """Say whether a name is one that everybody takes as it is: nothing in it needs a second look."""
    return _PLAIN_NAME.fullmatch(name) is not None and not _RESERVED.match(name)


def file_names(name: str) -> Iterator[str]:
    """Give the names to try for a file, best first: ``x.tif``, ``x_1.tif``, ``x_2.tif``, ..."""
    stem, extension = posixpath.splitext(name)
    yield name
    number = 1
    while True:
        yield _fit(stem, f"_{number}{extension}")
        number += 1


def document_names(file_name: str) -> Iterator[str]:
    """Give the names to try for the metadata of a file: ``x.md.json``, ``x.tif.md.json``, ``x.tif_1.md.json``, ..."""
    yield _fit(posixpath.splitext(file_name)[0], MD_SUFFIX)
    yield _fit(file_name, MD_SUFFIX)
    number = 1
    while True:
        yield _fit(file_name, f"_{number}{MD_SUFFIX}")
        number += 1


def plain_document_name(file_name: str) -> str:
    """Return the first of `document_names` for a file that everybody takes as it is; ``''`` for any other.

    Examples
    --------
    >>> plain_document_name("x.tif"), plain_document_name("µ.tif"), plain_document_name("x.md.json")
    ('x.md.json', '', '')
    """
    if not is_plain(file_name) or file_name.lower().endswith(MD_SUFFIX):
        return ""
    return posixpath.splitext(file_name)[0] + MD_SUFFIX  # a plain name is not too long


def candidates(stem: str, suffix: str) -> Iterator[str]:
    """Give the names to try for a numbered document: ``run.md.json``, ``run_1.md.json``, ..."""
    yield stem + suffix
    number = 1
    while True:
        yield f"{stem}_{number}{suffix}"
        number += 1


def _fit(stem: str, suffix: str) -> str:
    """Join, shortening `stem` where the name would be too long; a digest keeps shortened names apart."""
    if len((stem + suffix).encode()) <= _MAX_BYTES:
        return stem + suffix
    import hashlib  # takes long to import, and such names are rare

    digest = hashlib.sha256(stem.encode()).hexdigest()[:8]
    room = _MAX_BYTES - len(suffix.encode()) - len(digest) - 1
    if room < 1:  # the suffix alone is too long: it is no suffix anybody minds
        return _fit(stem + suffix, "")
    return f"{stem.encode()[:room].decode(errors='ignore')}~{digest}{suffix}"
