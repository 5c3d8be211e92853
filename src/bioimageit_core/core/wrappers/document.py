"""Read the XML of wrappers: no DTD, no entity, no network, no huge tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.parsers import expat

from bioimageit_core.core.exceptions import ToolsServiceError

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["SOURCE", "attributes", "children", "parse_document", "text_of", "where"]

SOURCE = "__source__"
"""Attribute that says which file an element came from, where that is not the wrapper itself."""

_MAX_BYTES = 16 * 1024 * 1024


def parse_document(path: str) -> _Element:
    """Parse a wrapper, or a file of macros; comments and processing instructions are left out.

    Raises
    ------
    ToolsServiceError
        The file cannot be read, is not XML, or has a document type; the message names file and line.
    """
    from lxml import etree

    try:
        if os.path.getsize(path) > _MAX_BYTES:
            raise ToolsServiceError(f"{path}: larger than the {_MAX_BYTES} bytes that a wrapper may have")
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ToolsServiceError(f"{path}: cannot be read: {error.strerror or error}") from error
    _refuse_document_type(path, content)
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        strip_cdata=True,
    )
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 1
        raise ToolsServiceError(f"{path}:{line}: not well-formed XML: {error.msg}") from error


class _RootReachedError(Exception):
    """The prolog is over."""


def _refuse_document_type(path: str, content: bytes) -> None:
    """Raise if the prolog declares a document type: all that entities could be made of."""
    parser = expat.ParserCreate()

    def on_doctype(*_: object) -> None:
        raise ToolsServiceError(
            f"{path}:{parser.CurrentLineNumber}: has a document type (DTD); wrappers may not declare one"
        )

    def on_root(*_: object) -> None:
        raise _RootReachedError

    parser.StartDoctypeDeclHandler = on_doctype
    parser.StartElementHandler = on_root
    try:
        parser.Parse(content, True)
    except _RootReachedError:
        pass
    except expat.ExpatError as error:
        raise ToolsServiceError(f"{path}:{error.lineno}: not well-formed XML: {error}") from error


def where(element: _Element, path: str) -> str:
    """Say where an element stands: ``file:line``."""
    source = element.get(SOURCE)
    file = os.path.join(os.path.dirname(path), source) if source else path
    return f"{file}:{element.sourceline or 1}"


def attributes(element: _Element) -> dict[str, str]:
    """Give the attributes that the author wrote."""
    return {str(key): str(value) for key, value in element.attrib.items() if key != SOURCE}


def children(element: _Element | None, *tags: str) -> Iterator[_Element]:
    """Give the children of an element, all or those of some tags; none where there is no element."""
    if element is None:
        return
    for child in element:
        if isinstance(child.tag, str) and (not tags or child.tag in tags):
            yield child


def text_of(element: _Element | None) -> str:
    """Give all text of an element, that of its children included; empty where there is none."""
    return "" if element is None else "".join(str(part) for part in element.itertext())
