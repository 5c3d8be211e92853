"""What plugins are installed: found by name and by entry point, imported only when that is asked for."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.machinery
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = [
    "KINDS",
    "PREFIX",
    "Broken",
    "Candidate",
    "PluginInfo",
    "attempt",
    "find_entry_points",
    "find_modules",
    "load",
    "with_distribution",
]

PREFIX = "bioimageit_"
KINDS = {"data": "bioimageit_core.data", "runner": "bioimageit_core.runners", "tools": "bioimageit_core.tools"}

_OURSELVES = ("bioimageit_core",)


@dataclass(frozen=True)
class PluginInfo:
    """What a plugin says of itself."""

    name: str
    kind: str
    builder: str


@dataclass(frozen=True)
class Candidate:
    """Something installed that is, or may be, a plugin.

    Attributes
    ----------
    module
        The module to import.
    name, kind
        Of the plugin; empty where only importing it tells.
    attribute
        Dotted name of the builder in the module; empty where the module's ``plugin_info`` tells.
    origin
        Where it comes from, for people.
    is_declared
        Whether somebody says that it is a plugin; else its name alone suggests so.
    """

    module: str
    name: str = ""
    kind: str = ""
    attribute: str = ""
    origin: str = ""
    is_declared: bool = True


@dataclass(frozen=True)
class Broken:
    """Why something that was tried did not work."""

    reason: str
    error: BaseException | None = None


def find_modules() -> Iterator[Candidate]:
    """Find the importable modules named ``bioimageit_…``, in alphabetical order; some of them may be no plugins."""
    for found in sorted(pkgutil.iter_modules(), key=lambda module: module.name):
        if found.name.startswith(PREFIX) and found.name not in _OURSELVES:
            candidate = Candidate(found.name, origin=f"module {found.name}", is_declared=False)
            info = _read_statically(found.name)
            yield replace(candidate, name=info.name, kind=info.kind) if info else candidate


def find_entry_points(kind: str = "") -> Iterator[Candidate | tuple[str, Broken]]:
    """Find the plugins that distributions declare; one that cannot be read is given with the reason."""
    from importlib.metadata import distributions  # 30 ms that choosing a built-in plugin need not cost

    groups = {group: kind_ for kind_, group in KINDS.items() if kind in ("", kind_)}
    seen: set[str] = set()
    for distribution in distributions():
        read = attempt(lambda distribution=distribution: _read_distribution(distribution, groups))  # type: ignore[misc]
        if isinstance(read, Broken):
            yield str(getattr(distribution, "_path", "a distribution")), read
        elif read[0] not in seen:
            seen.add(read[0])
            yield from read[1]


def with_distribution(candidate: Candidate) -> Candidate:
    """Say of a module found by its name which distribution it comes from, if one is called like it."""
    from importlib.metadata import PackageNotFoundError, version

    name = candidate.module.replace("_", "-")
    try:
        return replace(candidate, origin=f"{name} {version(name)} ({candidate.origin})")
    except PackageNotFoundError:
        return candidate


def load(candidate: Candidate) -> tuple[PluginInfo, Any] | Broken | None:
    """Import a candidate and return what it says and its builder, or what is wrong; None if it is no plugin."""
    module = attempt(lambda: importlib.import_module(candidate.module))
    if isinstance(module, Broken):
        return replace(module, reason=f"importing it fails: {module.reason}")
    return _examine(module, candidate)


def attempt(action: Callable[[], Any]) -> Any:
    """Run code of third parties; whatever it raises is returned as `Broken`, except the user's wish to stop.

    What it prints goes to the standard error, so that it cannot spoil what a command prints for programs.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may call sys.exit, or worse
        return Broken(_describe(error), error)


def _read_distribution(distribution: Distribution, groups: Mapping[str, str]) -> tuple[str, list[Candidate]]:
    name = distribution.metadata["Name"]
    return name, [
        Candidate(
            entry.module,
            name=entry.name,
            kind=groups[entry.group],
            attribute=entry.attr,
            origin=f"{name} {distribution.version} (entry point of module {entry.module})",
        )
        for entry in distribution.entry_points
        if entry.group in groups
    ]


def _examine(module: Any, candidate: Candidate) -> tuple[PluginInfo, Any] | Broken | None:
    found = module
    if candidate.attribute:
        found = attempt(lambda: functools.reduce(getattr, candidate.attribute.split("."), module))
        if isinstance(found, Broken):
            return Broken(f"module {candidate.module} has no {candidate.attribute}", found.error)
    if callable(found):
        return PluginInfo(candidate.name, candidate.kind, candidate.attribute), found
    said = found if isinstance(found, Mapping) else getattr(found, "plugin_info", None)
    if said is None:
        return Broken(f"module {candidate.module} has no plugin_info") if candidate.is_declared else None
    info = _read_info(said)
    if isinstance(info, Broken):
        return info
    owner = module if isinstance(found, Mapping) else found
    builder = getattr(owner, info.builder, None)
    if not callable(builder):
        return Broken(f"its plugin_info names the builder {info.builder!r}, which the module does not define")
    return info, builder


def _read_info(said: Any) -> PluginInfo | Broken:
    if not isinstance(said, Mapping):
        return Broken(f"its plugin_info is {type(said).__name__}, not a dict")
    for key in ("name", "type", "builder"):
        if not isinstance(said.get(key), str) or not said[key]:
            return Broken(f"its plugin_info has no text under {key!r}: {dict(said)!r}")
    if said["type"] not in KINDS:
        return Broken(f"its plugin_info has the type {said['type']!r}; expected {', '.join(KINDS)}")
    return PluginInfo(said["name"], said["type"], said["builder"])


def _read_statically(module: str) -> PluginInfo | None:
    # most plugins say plugin_info literally, so that choosing one need not import the others
    try:
        spec = importlib.machinery.PathFinder.find_spec(module)
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            return None
        with open(spec.origin, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, ImportError, RecursionError, MemoryError):
        return None  # importing it will tell
    said = [value for node in tree.body for value in _assigned_info(node)]
    if len(said) != 1:
        return None
    try:
        info = _read_info(ast.literal_eval(said[0]))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return None if isinstance(info, Broken) else info


def _assigned_info(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return []
    return [value for target in targets if isinstance(target, ast.Name) and target.id == "plugin_info"]


def _describe(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an exception of a plugin may break even here
        text = ""
    if isinstance(error, SystemExit):
        what = f"it calls sys.exit({text})"
    else:
        what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    machinery = ("<frozen", __file__, importlib.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__, limit=-20)
        if not frame.filename.startswith(machinery)
    ]
    return f"{what} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else what
