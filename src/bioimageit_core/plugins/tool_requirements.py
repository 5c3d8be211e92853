"""What a tool requires, out of its container: packages with their channels, and container images."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import RunnerExecError

__all__ = ["Package", "images_of", "packages_of"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9_.*+!]+")
_CONSTRAINT = re.compile(r"((==?|!=|>=?|<=?|~=)[A-Za-z0-9_.*+!]+(,|$))+")
_CHANNEL = re.compile(r"[A-Za-z0-9_./:@%+~-]+")
_SPEC = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)(.*)", re.DOTALL)
_BUILD = re.compile(r"=?([A-Za-z0-9_.*+!]+)=[A-Za-z0-9_.*]+")


@dataclass(frozen=True)
class Package:
    """A package that a tool requires.

    Attributes
    ----------
    name
        As conda calls it, in lower case.
    version
        A version, which stands for all that begin with it (``1.22`` for ``1.22.4``), as Galaxy and conda mean it; empty
        for any.
    constraint
        What else is asked of the version, such as ``>=1.2,<2``; empty for nothing.
    channels
        Where its wrapper wants it from; empty where the wrapper is silent.
    """

    name: str
    version: str = ""
    constraint: str = ""
    channels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}{f'={self.version}' if self.version else self.constraint}"


def packages_of(tool: Tool) -> list[Package]:
    """List the packages that a tool requires, of either dialect, without repetitions.

    Raises
    ------
    RunnerExecError
        A requirement is none that a package manager could be given.

    Examples
    --------
    >>> packages_of(Tool(requirements=[{"origin": "package", "type": "conda", "name": "-c imcf spitfire=1.2 numpy"}]))
    ... # doctest: +NORMALIZE_WHITESPACE
    [Package(name='spitfire', version='1.2', constraint='', channels=('imcf',)),
     Package(name='numpy', version='', constraint='', channels=('imcf',))]
    """
    found: dict[Package, None] = {}
    for entry in tool.requirements:
        kind, text = entry.get("type") or "package", (entry.get("name") or "").strip()
        if entry.get("origin", "package") != "package" or kind not in ("package", "conda") or not text:
            continue
        if kind == "conda":
            found.update(dict.fromkeys(_read_line(text, entry.get("version") or "", tool)))
        else:
            found[_package(text, entry.get("version") or "", (), tool)] = None
    return list(found)


def images_of(tool: Tool, *kinds: str) -> list[str]:
    """List the container images of a tool that are of one of `kinds` (``docker``, ``singularity``), in their order."""
    entries = [item for item in tool.requirements if item.get("origin") == "container"]
    return [
        name
        for kind in kinds
        for item in entries
        if (item.get("type") or "docker").lower() == kind and (name := (item.get("name") or "").strip())
    ]


def _read_line(text: str, version: str, tool: Tool) -> Iterator[Package]:
    """Read what the older dialect writes, the arguments of ``conda install``."""
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        raise _refuse(tool, text, str(error)) from error
    channels: list[str] = []
    specs: list[str] = []
    for word in words:
        option, _, value = word.partition("=")
        if option in ("-c", "--channel"):
            channel = value or next(words, "")
            if not _CHANNEL.fullmatch(channel) or channel.startswith("-"):
                raise _refuse(tool, text, f"{channel!r} is no channel")
            channels.append(channel)
        elif word.startswith("-"):
            if word not in ("-y", "--yes"):
                raise _refuse(tool, text, f"option {word} is not supported (only -c CHANNEL is)")
        else:
            specs.append(word)
    for spec in specs:
        yield _package(spec, version, tuple(channels), tool)


def _package(text: str, version: str, channels: tuple[str, ...], tool: Tool) -> Package:
    channel, separator, rest = text.rpartition("::")
    if separator:
        if not _CHANNEL.fullmatch(channel) or channel.startswith("-"):
            raise _refuse(tool, text, f"{channel!r} is no channel")
        text, channels = rest, (channel, *channels)
    match = _SPEC.fullmatch(text)
    if match is None or not _NAME.fullmatch(match[1]):
        raise _refuse(tool, text, "expected the name of a package")
    name, condition = match[1].lower(), match[2].replace(" ", "") or version.strip()
    if condition.startswith("=") and (build := _BUILD.fullmatch(condition.lstrip("="))):
        condition = build[1]  # which build of a version is for the solver to say
    condition = re.sub(r"^=(?!=)", "", condition)
    if condition in ("", "*"):
        return Package(name, channels=channels)
    if _VERSION.fullmatch(condition):
        return Package(name, condition.removesuffix(".*").removesuffix("*"), channels=channels)
    if _CONSTRAINT.fullmatch(condition) and not condition.endswith(","):
        return Package(name, constraint=condition, channels=channels)
    raise _refuse(tool, f"{name} {condition}", f"version {condition!r} cannot be understood")


def _refuse(tool: Tool, text: str, reason: str) -> RunnerExecError:
    return RunnerExecError(f"tool {tool.fullname()!r} requires {text!r}: {reason}")
