"""What an execution left: the outputs, those from the working directory, and those that are discovered."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import Call, OutputFile
from bioimageit_core.core.wrappers.datatypes import datatype_of_file
from bioimageit_core.core.wrappers.galaxy_call import WORK_DIR, staged_output
from bioimageit_core.core.wrappers.model import Definition, Discovery
from bioimageit_core.core.wrappers.provided import Provided, read_provided
from bioimageit_core.core.wrappers.read_outputs import NAMED_PATTERNS
from bioimageit_core.core.wrappers.specs import OutputSpec, specs_of
from bioimageit_core.core.wrappers.values import State

__all__ = ["Found", "collect", "discover"]

_OLDEST = (16, 1)
_IN_WORK_DIR = Discovery(NAMED_PATTERNS["__default__"])
_IN_NEW_FILES = Discovery(NAMED_PATTERNS["__default__"], directory="")


@dataclass(frozen=True)
class Found:
    """A dataset that was discovered."""

    designation: str
    path: str
    extension: str
    label: str = ""


def collect(definition: Definition, state: State, call: Call, *, is_complete: bool = True) -> list[OutputFile]:
    """Find what a call left, and move each output to where its caller wants it.

    Parameters
    ----------
    is_complete
        Whether an output that is not there is an error.

    Raises
    ------
    ToolsServiceError
        The tool wrote nothing for an output; the message names output and path.
    """
    found: list[OutputFile] = []
    missing: list[str] = []
    provided = read_provided(os.path.join(call.job_dir, WORK_DIR, definition.provided_file))
    if provided.failed():
        raise ToolsServiceError(f"tool {definition.name!r} says itself that {provided.failed()!r} failed")
    for spec in specs_of(definition, state):
        files = list(_files_of(definition, spec, call, provided))
        if not files and not spec.is_discovered and not (spec.is_collection and not spec.elements):
            missing.append(f"{spec.name!r} ({spec.from_work_dir or call.outputs.get(spec.name, 'its elements')})")
        found.extend(files)
    if missing and is_complete:
        raise ToolsServiceError(f"tool {definition.name!r} ended well, but wrote nothing for {', '.join(missing)}")
    return found


def _files_of(definition: Definition, spec: OutputSpec, call: Call, provided: Provided) -> Iterator[OutputFile]:
    if definition.dialect == "plain":
        path = call.outputs[spec.name]
        if os.path.exists(path):
            yield OutputFile(spec.name, path, spec.format, spec.label)
        return
    work_dir = os.path.join(call.job_dir, WORK_DIR)
    if not spec.is_collection:
        staged = staged_output(call.job_dir, spec.name)
        target = call.outputs.get(spec.name, "")
        source = _from_work_dir(spec.from_work_dir, work_dir)
        path = _shared(source, target) if source else _moved(_or_files_dir(staged), target)
        if path:
            said = provided.of_output(spec.name, os.path.basename(staged), spec.number)
            kind = _format(path, str(said["ext"])) if said.get("ext") else spec.format
            yield OutputFile(spec.name, path, kind, str(said.get("name") or spec.label))
    for index, (key, element) in enumerate(spec.elements.items()):
        staged = staged_output(call.job_dir, f"{spec.name}_{index}")
        source = _from_work_dir(element.from_work_dir, work_dir) or (staged if os.path.exists(staged) else "")
        if source:
            yield OutputFile(spec.name, source, element.format, spec.label, key)
    yield from _discovered(definition, spec, call, provided)


def _discovered(definition: Definition, spec: OutputSpec, call: Call, provided: Provided) -> Iterator[OutputFile]:
    is_taken = False
    for discovery in _discoveries(definition, spec):
        top = os.path.join(call.job_dir, "tmp" if discovery is _IN_NEW_FILES else WORK_DIR)
        for item in _listed(discovery, spec, top, provided):
            kind = discovery.format or item.extension or (spec.datatype if spec.is_collection else "")
            if discovery.format in ("", "input") and item.extension:
                kind = item.extension
            kind = kind or spec.datatype
            if discovery.assign_primary and not is_taken:
                is_taken = True
                path = _moved(item.path, call.outputs.get(spec.name, ""))
                yield OutputFile(spec.name, path, _format(path, kind), spec.label)
            else:
                yield OutputFile(
                    spec.name, item.path, _format(item.path, kind), item.label or spec.label, item.designation
                )


def _discoveries(definition: Definition, spec: OutputSpec) -> tuple[Discovery, ...]:
    """Give where to look; outputs of the oldest profile may have files beside them, without saying so."""
    found = spec.output.discoveries if spec.output is not None else ()
    is_oldest = definition.profile <= _OLDEST and not spec.is_collection
    return found or ((_IN_WORK_DIR, _IN_NEW_FILES) if is_oldest else ())


def _listed(discovery: Discovery, spec: OutputSpec, work_dir: str, provided: Provided) -> Iterator[Found]:
    """Give the datasets that a tool lists itself, or that a pattern finds, with what the tool says of them."""
    if not discovery.is_provided:
        numbered = replace(discovery, pattern=discovery.pattern.replace("DATASET_ID", str(spec.number)))
        for item in discover(numbered, work_dir):
            said = provided.of_file(spec.name, os.path.basename(item.path))
            extension, label = str(said.get("ext") or item.extension), str(said.get("name", ""))
            yield replace(item, extension=extension, label=label)
        return
    top = _inside(discovery.directory, work_dir)
    for entry in provided.datasets_of(spec.name):
        path = os.path.normpath(os.path.join(top, str(entry.get("filename", ""))))
        if not _is_inside(path, work_dir):
            raise ToolsServiceError(f"output {spec.name!r}: the tool lists {path!r}, outside of its working directory")
        name = str(entry.get("designation") or entry.get("name") or os.path.basename(path))
        if os.path.exists(path):
            extension = str(entry.get("ext") or discovery.format)
            yield Found("|".join(entry.get("identifiers", (name,))), path, extension, str(entry.get("name", "")))


def _format(path: str, kind: str) -> str:
    from bioimageit_core.core.wrappers.datatypes import datatype, format_of

    return format_of(kind if kind and kind != "data" else datatype_of_file(path).name) or datatype(kind).format


def _or_files_dir(staged: str) -> str:
    """Give an output that the tool wrote, or the one thing in its directory of extra files."""
    if os.path.exists(staged):
        return staged
    files_dir = f"{staged.removesuffix('.dat')}_files"
    if os.path.isdir(files_dir):
        entries = sorted(os.listdir(files_dir))
        return os.path.join(files_dir, entries[0]) if len(entries) == 1 else files_dir
    return ""


def _from_work_dir(pattern: str, work_dir: str) -> str:
    if not pattern:
        return ""
    for candidate in (pattern, pattern.strip()):
        path = os.path.normpath(os.path.join(work_dir, candidate))
        if not _is_inside(path, work_dir):
            raise ToolsServiceError(f"from_work_dir={pattern!r} leaves the tool's working directory")
        if os.path.exists(path):
            return path
        matches = sorted(glob.glob(candidate, root_dir=work_dir, recursive=True))
        if matches:
            return os.path.join(work_dir, matches[0])
    return ""


def _is_inside(path: str, directory: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(directory) + os.sep)


def _shared(source: str, target: str) -> str:
    """Give a file of the working directory to an output, and leave it for others that are made of it too."""
    if target and not os.path.isdir(source) and not os.path.islink(source) and not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            _copy(source, target)
        return target
    return _moved(source, target)


def _moved(source: str, target: str) -> str:
    if not source or not target or os.path.abspath(source) == os.path.abspath(target):
        return source
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(source) and not os.path.isdir(source):
        # a link to an input: the content is the output, not the link
        shutil.copyfile(source, target)
        return target
    try:
        os.replace(source, target)
    except OSError:
        _copy(source, target)  # another filesystem
    return target


def _copy(source: str, target: str) -> None:
    """Copy beside, then rename, so that nobody sees half of it; what cannot be copied leaves nothing."""
    part = f"{target}.part"
    try:
        (shutil.copytree if os.path.isdir(source) else shutil.copyfile)(source, part)
        os.replace(part, target)
    except BaseException:
        if os.path.isdir(part):
            shutil.rmtree(part, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
        raise


def discover(discovery: Discovery, work_dir: str) -> list[Found]:
    """Find datasets in a directory of the tool's working directory, in the order that the wrapper asks for.

    Raises
    ------
    ToolsServiceError
        The directory leaves the working directory.
    """
    top = _inside(discovery.directory, work_dir)
    found = []
    for path in _candidates(top, discovery.recurse):
        relative = os.path.relpath(path, top)
        match = re.match(discovery.pattern, relative if discovery.match_relative_path else os.path.basename(path))
        if match is None:
            continue
        groups = match.groupdict()
        found.append(Found(_designation(groups, path), path, groups.get("ext") or discovery.format))
    return _sorted(found, discovery.sort_by)


def _inside(directory: str, work_dir: str) -> str:
    top = os.path.normpath(os.path.join(work_dir, directory or "."))
    if top != os.path.normpath(work_dir) and not _is_inside(top, work_dir):
        raise ToolsServiceError(f"discover_datasets directory={directory!r} leaves the working directory")
    return top


def _candidates(top: str, recurse: bool) -> Iterator[str]:
    if not os.path.isdir(top):
        return
    if not recurse:
        for name in sorted(os.listdir(top)):
            path = os.path.join(top, name)
            if os.path.isfile(path) or name.endswith(".zarr"):
                yield path
        return
    for directory, inner, names in os.walk(top):
        inner.sort()
        for name in sorted(names):
            yield os.path.join(directory, name)


def _designation(groups: Mapping[str, str | None], path: str) -> str:
    nested = [groups[key] or "" for key in sorted(groups) if key.startswith("identifier_")]
    if nested:
        return "|".join(nested)
    for key in ("designation", "name"):
        if groups.get(key):
            return str(groups[key])
    return os.path.basename(path)


def _sorted(found: list[Found], sort_by: str) -> list[Found]:
    is_reverse = sort_by.startswith("reverse_")
    rest = sort_by.removeprefix("reverse_")
    is_numeric = rest.startswith("numeric_")
    key = rest.removeprefix("numeric_").removeprefix("lexical_")

    def text(item: Found) -> str:
        return os.path.basename(item.path) if key in ("filename", "") else item.designation

    def number(item: Found) -> tuple[float, str]:
        match = re.search(r"-?\d+(\.\d+)?", text(item))
        return (float(match[0]) if match else float("inf"), text(item))

    return sorted(found, key=number if is_numeric else text, reverse=is_reverse)
