"""The files that a test of a wrapper gives to the tool, out of its test data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.datatypes import datatype, datatype_of_file, is_kind_of
from bioimageit_core.core.wrappers.document import children
from bioimageit_core.core.wrappers.model import Definition, Param
from bioimageit_core.core.wrappers.probe import probe
from bioimageit_core.core.wrappers.values import Collection

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["CannotRunError", "data_of_test", "find_test_file"]

_MAX_TEST_DATA_LEVELS = 4
_PARTS = {"imzml": ("imzml", "ibd"), "analyze75": ("hdr", "img", "t2m")}
"""What Galaxy calls the files of its composite datatypes, in their order; other parts keep their names."""


class CannotRunError(ToolsServiceError):
    """A test needs what there is not here; not the tool's fault."""


def find_test_file(definition: Definition, name: str) -> str:
    """Find a file in ``test-data`` beside the wrapper, or in that of a directory above.

    Raises
    ------
    CannotRunError
        It is not there.
    """
    directory = definition.directory
    for _ in range(_MAX_TEST_DATA_LEVELS):
        top = os.path.join(directory, "test-data")
        path = os.path.normpath(os.path.join(top, name))
        if path.startswith(top + os.sep) and os.path.exists(path):
            return path
        directory = os.path.dirname(directory)
    raise CannotRunError(f"test-data/{name} is not there")


def data_of_test(
    definition: Definition, item: _Element, param: Param
) -> InputFile | list[InputFile] | Collection | None:
    """Give the data of a ``<param>`` of a test: a file, several, a collection, or none.

    Raises
    ------
    CannotRunError
        A file is not there.
    """
    collection = item.find("collection")
    if collection is not None:
        return _collection(definition, collection, param)
    if item.find("composite_data") is not None:
        composite = _composite(definition, item)
        return [composite] if param.multiple else composite
    value = item.get("value") or item.get("values") or _end_of(item.get("location", ""))
    if not value:
        return None
    names = [part.strip() for part in value.split(",")] if param.multiple else [value]
    files = [_file(definition, item, name, param) for name in names if name]
    return files if param.multiple or param.type == "data_collection" else files[0]


def _end_of(location: str) -> str:
    return location.rpartition("/")[2]


def _collection(definition: Definition, node: _Element, param: Param) -> Collection:
    elements: dict[str, InputFile | Collection] = {}
    for item in children(node, "element"):
        inner = item.find("collection")
        name = item.get("name", "")
        value = item.get("value") or _end_of(item.get("location", ""))
        if inner is not None:
            elements[name] = _collection(definition, inner, param)
        elif item.find("composite_data") is not None:
            elements[name] = _composite(definition, item)
        else:
            elements[name] = _file(definition, item, value, param)
    return Collection(node.get("type", "list"), elements, node.get("name", ""))


def _file(definition: Definition, item: _Element, name: str, param: Param) -> InputFile:
    try:
        path = find_test_file(definition, name)
    except CannotRunError:
        if item.get("location"):
            raise CannotRunError(f"its input {name!r} would have to be downloaded") from None
        raise
    kind = item.get("ftype") or _kind(path, param)
    facts, sniffed = probe(path, kind)
    facts |= _metadata(item)
    return InputFile(path, os.path.basename(name.rstrip("/")), item.get("ftype") or sniffed, facts)


def _kind(path: str, param: Param) -> str:
    """Say what a file is; one of plain text, or of no kind, is what the tool accepts."""
    kind = datatype_of_file(path).name
    if kind not in ("data", "txt") or not param.formats or any(is_kind_of(kind, name) for name in param.formats):
        return kind
    fitting = [name for name in param.formats if kind == "data" or is_kind_of(name, "text")]
    return datatype(fitting[0]).name if fitting and os.path.isfile(path) else kind


def _metadata(item: _Element) -> dict[str, str]:
    return {entry.get("name", ""): entry.get("value", "") for entry in children(item, "metadata")}


def _composite(definition: Definition, item: _Element) -> InputFile:
    kind = item.get("ftype", "")
    names = [entry.get("value", "") for entry in children(item, "composite_data")]
    paths = [find_test_file(definition, name) for name in names]
    called = _PARTS.get(kind.lower(), ())
    parts = {
        (called[index] if index < len(called) else os.path.basename(path)): path for index, path in enumerate(paths)
    }
    facts = {"base_name": os.path.splitext(os.path.basename(paths[0]))[0], **_metadata(item)}
    return InputFile(paths[0], item.get("value") or os.path.basename(paths[0]), kind, facts, parts)
