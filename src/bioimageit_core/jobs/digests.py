"""SHA-256 of data and of tools: what a record says that results were made from."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.hashing import sha256_of_path

__all__ = ["Digest", "Digests", "ToolDigest", "digest_path", "digest_tool"]

_BLOCK = 1 << 20
_LARGEST_BESIDE = 16 << 20  # bytes; what is larger beside a wrapper is data, not its code
_NOT_CODE = re.compile(r"(?i)^\.|~$|\.(?:pyc|pyo|swp|md|rst|log|bak)$")


@dataclass(frozen=True, slots=True)
class Digest:
    """The content of a file or directory.

    Attributes
    ----------
    sha256
        Of a directory: of the sorted lines ``{sha256 of the file}  {its path in the directory}``.
    size
        Bytes, of all files of a directory.
    mtime_ns
        When it was last changed, the newest file of a directory; with `size` it tells that nothing changed.
    """

    sha256: str
    size: int
    mtime_ns: int


class Digests:
    """Digests of what lies at paths; each is computed once as long as size and time stay."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], Digest] = {}

    def of(self, path: str) -> Digest:
        """Digest a file or directory.

        Raises
        ------
        OSError
            It cannot be read.
        """
        status = os.stat(path)
        if os.path.isdir(path):
            return digest_path(path)
        key = (path, status.st_size, status.st_mtime_ns, status.st_ino)
        digest = self._known.get(key)
        if digest is None:
            digest = self._known[key] = digest_path(path)
        return digest


@dataclass(frozen=True)
class ToolDigest:
    """The content of a tool: its wrapper and the files beside it.

    Attributes
    ----------
    sha256
        Of the sorted lines ``{sha256 of the file}  {its name}``; of full name and command where the wrapper is not a
        file here.
    files
        SHA-256 of each file, by name.
    """

    sha256: str
    files: dict[str, str]


def digest_path(path: str) -> Digest:
    """Digest a file, or a directory with all that is in it.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if not os.path.isdir(path):
        status = os.stat(path)
        return Digest(sha256_of_path(path), status.st_size, status.st_mtime_ns)
    size, newest = 0, 0
    whole = hashlib.sha256()
    for relative in sorted(_files_in(path)):
        file = os.path.join(path, relative)
        status = os.stat(file)
        size, newest = size + status.st_size, max(newest, status.st_mtime_ns)
        whole.update(f"{sha256_of_path(file)}  {relative.replace(os.sep, '/')}\n".encode("utf-8", "surrogateescape"))
    return Digest(whole.hexdigest(), size, newest)


def digest_tool(tool: Tool) -> ToolDigest:
    """Digest a tool's wrapper, what lies beside it (scripts, and the macros that it names), and what it shares.

    Shared with others are the macros that it imports from elsewhere, and the Python packages that lie where those and
    the wrapper have their common directory, as those of the package's own toolbox do.

    Other wrappers in the same directory, documentation and large files do not count. What a shared script directory
    holds counts for every tool in it: a change there may be a change of any of them.

    Raises
    ------
    OSError
        The wrapper cannot be read.
    """
    wrapper = tool.uri.removeprefix("file://")
    if not wrapper or not os.path.isfile(wrapper):
        return ToolDigest(hashlib.sha256(f"{tool.fullname()}\n{tool.command}".encode()).hexdigest(), {})
    folder = os.path.dirname(os.path.abspath(wrapper))
    own = os.path.basename(wrapper)
    names = [own, *(name for name in sorted(os.listdir(folder)) if name != own and _is_code(folder, name))]
    xml = {name: _read(os.path.join(folder, name)) for name in names if name.lower().endswith(".xml")}
    used = _named_from(own, xml)
    names = [name for name in names if name not in xml or name in used]
    names += [os.path.relpath(path, folder) for path in _shared(tool, folder)]
    files = {name.replace(os.sep, "/"): sha256_of_path(os.path.join(folder, name)) for name in dict.fromkeys(names)}
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return ToolDigest(hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest(), files)


def _shared(tool: Tool, folder: str) -> Iterator[str]:
    """Give the files outside of a wrapper's directory that its tool is made of."""
    from bioimageit_core.core.wrappers import wrapper_directories, wrapper_sources

    try:
        sources, common = [os.path.abspath(path) for path in wrapper_sources(tool)], wrapper_directories(tool)
    except ToolsServiceError:  # other software made it, or it changed since: it is what lies there
        return
    yield from (path for path in sources if os.path.dirname(path) != folder)
    if len(common) != 1 or common[0] == folder:
        return
    for name in sorted(os.listdir(common[0])):
        package = os.path.join(common[0], name)
        if os.path.isfile(os.path.join(package, "__init__.py")):
            yield from (os.path.join(package, file) for file in sorted(_files_in(package)) if file.endswith(".py"))


def _named_from(wrapper: str, xml: dict[str, bytes]) -> set[str]:
    """Give the wrapper and the XML files that it, or one of those, names."""
    found, to_read = {wrapper}, [wrapper]
    while to_read:
        text = xml[to_read.pop()]
        for name in xml:
            if name not in found and re.search(rb"(?<![\w.-])" + re.escape(os.fsencode(name)), text):
                found.add(name)
                to_read.append(name)
    return found


def _is_code(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)
    return not _NOT_CODE.search(name) and os.path.isfile(path) and os.path.getsize(path) <= _LARGEST_BESIDE


def _files_in(folder: str) -> Iterator[str]:
    for root, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(root, name), folder)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
