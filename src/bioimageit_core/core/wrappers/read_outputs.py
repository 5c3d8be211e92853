"""From ``<outputs>``, ``<stdio>`` and ``detect_errors`` to what an execution leaves and how it is judged."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.document import children, text_of, where
from bioimageit_core.core.wrappers.model import Discovery, ExitCode, FormatChange, Output, StdioRegex
from bioimageit_core.core.wrappers.output_actions import read_actions
from bioimageit_core.core.wrappers.read_inputs import is_true

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["NAMED_PATTERNS", "read_outputs", "read_provided_file", "read_stdio"]

_SAYS_OF_ERRORS = (16, 4)
NAMED_PATTERNS = {
    "__default__": r"primary_DATASET_ID_(?P<designation>[^_]+)_(?P<visible>[^_]+)_(?P<ext>[^_]+)(_(?P<dbkey>[^_]+))?",
    "__name__": r"(?P<name>.*)",
    "__designation__": r"(?P<designation>.*)",
    "__name_and_ext__": r"(?P<name>.*)\.(?P<ext>[^\.]+)?",
    "__designation_and_ext__": r"(?P<designation>.*)\.(?P<ext>[^\._]+)?",
}


def read_outputs(parent: _Element | None, path: str) -> tuple[Output, ...]:
    """Read ``<outputs>``."""
    found = []
    for item in children(parent, "data", "collection", "param", "output"):
        if item.tag == "param" and item.get("type", "data") != "data":
            continue
        found.append(_read_output(item, path))
    names = [output.name for output in found]
    for name in names:
        if names.count(name) > 1:
            raise ToolsServiceError(f"{path}: two outputs are named {name!r}")
    return tuple(found)


def _read_output(item: _Element, path: str, of_collection: bool = False) -> Output:
    name = item.get("name") or (item.get("argument", "").lstrip("-").replace("-", "_"))
    if not name:
        raise ToolsServiceError(f"{where(item, path)}: <{item.tag}> of the outputs needs a name")
    is_collection = item.tag == "collection" and not of_collection
    unsupported = ""
    if item.tag == "output" and item.get("type", "data") not in ("data", "collection"):
        unsupported = f"it is an expression's output of type {item.get('type')!r}"
    return Output(
        name=name,
        format=(item.get("format") or "data").split(",")[0].strip(),
        format_source=item.get("format_source", ""),
        label=item.get("label", ""),
        from_work_dir=item.get("from_work_dir", ""),
        filters=tuple(text_of(entry).strip() for entry in children(item, "filter")),
        changes=tuple(
            FormatChange(
                when.get("input", ""),
                when.get("value", ""),
                when.get("format", ""),
                when.get("input_dataset", ""),
                when.get("attribute", ""),
            )
            for block in children(item, "change_format")
            for when in children(block, "when")
        ),
        discoveries=tuple(_read_discovery(entry, path) for entry in children(item, "discover_datasets")),
        is_hidden=is_true(item.get("hidden")),
        auto_format=is_true(item.get("auto_format")),
        collection_type=(item.get("type") or "list") if is_collection and not item.get("structured_like") else "",
        type_source=item.get("type_source", "") if is_collection else "",
        elements=tuple(_read_output(entry, path, True) for entry in children(item, "data")) if is_collection else (),
        structured_like=item.get("structured_like", "") if is_collection else "",
        inherit_format=is_true(item.get("inherit_format")),
        actions=read_actions(item.find("actions"), path),
        unsupported=unsupported,
    )


def read_provided_file(parent: _Element | None, path: str) -> str:
    """Read where a tool may say itself what it wrote."""
    name = (parent.get("provided_metadata_file", "") if parent is not None else "").strip() or "galaxy.json"
    if os.path.isabs(name) or os.path.normpath(name).startswith(".."):
        raise ToolsServiceError(f"{path}: provided_metadata_file={name!r} leaves the tool's working directory")
    return name


def _read_discovery(item: _Element, path: str) -> Discovery:
    text = item.get("pattern", "__default__")
    pattern = NAMED_PATTERNS.get(text, text)
    try:
        re.compile(pattern)
    except re.error as error:
        raise ToolsServiceError(f"{where(item, path)}: pattern {text!r}: {error}") from error
    is_provided = is_true(item.get("from_provided_metadata") or item.get("from_tool_provided_metadata"))
    return Discovery(
        pattern=pattern,
        directory=item.get("directory", "."),
        format=item.get("format") or item.get("ext") or "",
        sort_by=item.get("sort_by", "filename"),
        recurse=is_true(item.get("recurse")),
        match_relative_path=is_true(item.get("match_relative_path")),
        assign_primary=is_true(item.get("assign_primary_output")),
        visible=is_true(item.get("visible"), True),
        is_provided=is_provided or item.get("discover_via") == "tool_provided_metadata",
    )


def read_stdio(
    root: _Element, command: _Element | None, path: str, profile: tuple[int, int]
) -> tuple[str, tuple[ExitCode, ...], tuple[StdioRegex, ...], int | None]:
    """Read how an execution is judged."""
    blocks = list(children(root, "stdio"))
    regexes = [_read_regex(item, path) for block in blocks for item in children(block, "regex") if item.get("match")]
    codes = []
    for item in (item for block in blocks for item in children(block, "exit_code")):
        low, high = _range(item, path)
        codes.append(ExitCode(low, high, _level(item), _description(item)))
    detect = command.get("detect_errors", "") if command is not None else ""
    oom_text = command.get("oom_exit_code") if command is not None else None
    oom = int(oom_text) if oom_text and oom_text.lstrip("-").isdigit() else None
    if detect not in ("", "default", "exit_code", "aggressive"):
        raise ToolsServiceError(
            f"{where(command, path) if command is not None else path}: detect_errors={detect!r}: "
            "known are exit_code and aggressive"
        )
    if detect in ("", "default"):
        # as in Galaxy: a wrapper that has <stdio>, and does not ask for more, is judged by that alone
        detect = "stdio" if blocks else "default" if profile < _SAYS_OF_ERRORS else "exit_code"
    return detect, tuple(codes), tuple(regexes), oom


def _level(item: _Element) -> str:
    """Read the level of a rule; what is not known as one is fatal."""
    text = item.get("level", "").lower()
    return next((name for name in ("log", "qc", "warning", "fatal_oom") if name in text), "fatal")


def _description(item: _Element) -> str:
    return item.get("desc", item.get("description", ""))


def _range(item: _Element, path: str) -> tuple[float, float]:
    text = (item.get("range") or item.get("value") or "").replace(" ", "")
    try:
        if ":" not in text:
            return float(int(text)), float(int(text))
        low, _, high = text.partition(":")
        return (float(int(low)) if low else float("-inf")), (float(int(high)) if high else float("inf"))
    except ValueError:
        raise ToolsServiceError(f"{where(item, path)}: {text!r} is not a range of exit statuses") from None


def _read_regex(item: _Element, path: str) -> StdioRegex:
    pattern = item.get("match", "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ToolsServiceError(f"{where(item, path)}: regular expression {pattern!r}: {error}") from error
    source = next((item.get(key, "") for key in ("src", "source", "sources") if item.get(key)), "both").lower()
    in_stdout, in_stderr = "out" in source, "err" in source
    if not (in_stdout or in_stderr):
        in_stdout = in_stderr = True
    return StdioRegex(pattern, in_stdout, in_stderr, _level(item), _description(item))
