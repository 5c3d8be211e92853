"""From the XML of a wrapper to its `Definition`."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers import read_inputs, read_outputs
from bioimageit_core.core.wrappers.dialect import dialect_of
from bioimageit_core.core.wrappers.document import attributes, children, parse_document, text_of, where
from bioimageit_core.core.wrappers.macros import expand, load_macros, replace_tokens
from bioimageit_core.core.wrappers.model import ConfigFile, Definition, EnvironmentVariable
from bioimageit_core.core.wrappers.old_templates import is_for_python_2

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["expanded_document", "read_definition", "read_head"]

_UNSUPPORTED_TYPES = {
    "data_source": "it fetches data from a web site through Galaxy",
    "data_source_async": "it fetches data from a web site through Galaxy",
    "manage_data": "it manages reference data of a Galaxy server",
    "interactive": "it is an interactive tool, a web application inside Galaxy",
    "expression": "it is an expression in JavaScript, evaluated by Galaxy",
    "set_metadata": "it is internal to Galaxy",
}

_cache: dict[str, tuple[tuple[tuple[str, int, int], ...], Definition]] = {}
_lock = threading.Lock()


def read_definition(path: str) -> Definition:
    """Read a wrapper, with its macros expanded; read again only when a file that it came from changed.

    Raises
    ------
    ToolsServiceError
        It cannot be read; the message names file and line.
    """
    path = os.path.abspath(path)
    with _lock:
        kept = _cache.get(path)
    if kept is not None and _stamps(tuple(stamp[0] for stamp in kept[0])) == kept[0]:
        return kept[1]
    definition = _read(path)
    with _lock:
        _cache[path] = (_stamps(definition.sources), definition)
    return definition


def _stamps(sources: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    stamps = []
    for source in sources:
        try:
            status = os.stat(source)
            stamps.append((source, status.st_mtime_ns, status.st_size))
        except OSError:
            stamps.append((source, -1, -1))
    return tuple(stamps)


def expanded_document(path: str) -> tuple[_Element, tuple[str, ...], dict[str, str]]:
    """Parse a wrapper and expand its macros; also give the files it came from and its template macros."""
    root = parse_document(path)
    if root.tag != "tool":
        raise ToolsServiceError(f"{path}:{root.sourceline}: the root element is <{root.tag}>, not <tool>")
    macros = load_macros(root, path)
    expand(root, macros, path)
    return root, (path, *macros.sources), dict(macros.templates)


def read_head(path: str) -> tuple[str, str, str, str] | None:
    """Give id, name, version and description of a wrapper, fast; None where the file is no wrapper.

    Raises
    ------
    ToolsServiceError
        It is not well-formed, or a wrapper without an id.
    """
    root = parse_document(path)
    if root.tag != "tool":
        return None
    facts = [root.get("id", ""), root.get("name", ""), root.get("version", ""), text_of(root.find("description"))]
    if any("@" in fact for fact in facts) or root.find("description") is None:
        tokens = load_macros(root, path).tokens
        facts = [replace_tokens(fact, tokens) for fact in facts]
    if not facts[0]:
        raise ToolsServiceError(f"{path}:{root.sourceline}: <tool> needs an id")
    return facts[0], facts[1] or facts[0], facts[2] or "1.0.0", " ".join(facts[3].split())


def _read(path: str) -> Definition:
    root, sources, templates = expanded_document(path)
    if not root.get("id"):
        raise ToolsServiceError(f"{path}:{root.sourceline}: <tool> needs an id")
    profile = _profile(root, path)
    command = root.find("command")
    members = read_inputs.read_members(root.find("inputs"), path)
    detect, exit_codes, regexes, oom = read_outputs.read_stdio(root, command, path, profile)
    return Definition(
        path=path,
        id=root.get("id", ""),
        name=root.get("name", "") or root.get("id", ""),
        version=root.get("version", "") or "1.0.0",
        dialect=dialect_of(root),
        profile=profile,
        tool_type="merge" if root.get("type") == "merge" else "sequential",
        description=" ".join(text_of(root.find("description")).split()),
        help=text_of(root.find("help")).strip(),
        command=text_of(command),
        command_place=where(command, path) if command is not None else path,
        interpreter=command.get("interpreter", "") if command is not None else "",
        strict=_is_strict(command, profile),
        has_old_templates=is_for_python_2(profile, root.get("python_template_version")),
        requirements=tuple(_requirements(root)),
        members=members,
        outputs=read_outputs.read_outputs(root.find("outputs"), path),
        provided_file=read_outputs.read_provided_file(root.find("outputs"), path),
        config_files=tuple(_config_files(root, path)),
        environment=tuple(_environment(root, path)),
        detect_errors=detect,
        exit_codes=exit_codes,
        regexes=regexes,
        oom_exit_code=oom,
        version_command=text_of(root.find("version_command")).strip(),
        templates=templates,
        unsupported=tuple(_unsupported(root, command)),
        sources=sources,
        test_nodes=tuple(children(root.find("tests"), "test")),
    )


def _profile(root: _Element, path: str) -> tuple[int, int]:
    text = root.get("profile", "16.01")
    try:
        major, _, minor = text.partition(".")
        return int(major), int(minor or 0)
    except ValueError:
        raise ToolsServiceError(f"{where(root, path)}: profile {text!r} is not of the form 'YY.MM'") from None


def _is_strict(command: _Element | None, profile: tuple[int, int]) -> bool:
    said = command.get("strict") if command is not None else None
    return said.lower() in ("true", "1", "yes") if said is not None else profile >= (20, 9)


def _unsupported(root: _Element, command: _Element | None) -> list[str]:
    reasons = []
    kind = root.get("tool_type", "default")
    if kind in _UNSUPPORTED_TYPES:
        reasons.append(f"tool_type {kind!r}: {_UNSUPPORTED_TYPES[kind]}")
    if root.find("code") is not None:
        reasons.append("<code>: hooks into Galaxy's own Python code")
    if root.find("entry_points") is not None and kind != "interactive":
        reasons.append("<entry_points>: a web application inside Galaxy")
    if command is None or not text_of(command).strip():
        reasons.append("it has no <command>")
    return reasons


def _requirements(root: _Element) -> list[dict[str, str]]:
    found = []
    for block in children(root, "requirements"):
        for item in children(block, "requirement", "package", "container"):
            facts = attributes(item)
            entry = {
                "origin": "container" if item.tag == "container" else "package",
                "type": facts.get("type", "package" if item.tag == "requirement" else "conda"),
                "name": text_of(item).strip(),
                "version": facts.get("version", ""),
                "env": facts.get("env", ""),
            }
            if item.tag == "container":
                entry["type"] = facts.get("type", "docker")
            found.append(entry)
    # the older dialect also has them outside of <requirements>
    return found + [
        {
            "origin": str(item.tag),
            "type": item.get("type", "conda" if item.tag == "package" else "docker"),
            "name": text_of(item).strip(),
            "version": item.get("version", ""),
            "env": item.get("env", ""),
        }
        for item in children(root, "package", "container")
    ]


def _config_files(root: _Element, path: str) -> list[ConfigFile]:
    found = []
    for item in children(root.find("configfiles"), "configfile", "inputs", "file"):
        is_inputs = item.tag == "inputs"
        found.append(
            ConfigFile(
                name=item.get("name", "inputs" if is_inputs else ""),
                text=text_of(item),
                filename=item.get("filename", ""),
                is_inputs=is_inputs,
                data_style=item.get("data_style", ""),
                place=where(item, path),
            )
        )
    return found


def _environment(root: _Element, path: str) -> list[EnvironmentVariable]:
    found = []
    for item in children(root.find("environment_variables"), "environment_variable"):
        name = item.get("name", "")
        if not name.isidentifier() or not name.isascii():
            raise ToolsServiceError(f"{where(item, path)}: {name!r} cannot be an environment variable")
        strip = item.get("strip", "false").lower() in ("true", "1")
        found.append(EnvironmentVariable(name, text_of(item), strip, where(item, path)))
    return found
