"""Documents of many raw data that differ in little: rendered once, filled in for each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import RawData
from bioimageit_core.core.json_text import encode
from bioimageit_core.core.records import Document
from bioimageit_core.plugins.store.files import Stored

__all__ = ["Form", "LineForm", "Written"]


@dataclass(slots=True)
class Written:
    """A document of a raw data that was just written: all that an index wants to know of it."""

    file: str
    signature: object
    content: bytes
    name: str
    author: str
    date: str
    format: str
    pairs: Mapping[str, Any]


class LineForm:
    """The line of the journal about a data but for what differs: names that are plain, identity and content.

    Parameters
    ----------
    render
        Makes the line of a document's name, an identity, a file's name and a content; it is filled with marks.
    """

    def __init__(self, render: Callable[[str, str, str, Stored], bytes]) -> None:
        document, identity, name, digest = (uuid.uuid4().hex for _ in range(4))
        size = uuid.uuid4().int
        rest = render(document, identity, name, Stored(size, digest)).decode("utf-8")
        self._parts: list[str] = []
        for mark in (document, identity, name, str(size), digest):
            part, _, rest = rest.partition(mark)
            self._parts.append(part)
        self._parts.append(rest)

    def filled(self, md_name: str, identity: str, name: str, stored: Stored) -> bytes:
        """Return the line of one data."""
        a, b, c, d, e, f = self._parts
        return f"{a}{md_name}{b}{identity}{c}{name}{d}{stored.size}{e}{stored.sha256}{f}".encode()


class Form:
    """The document of a raw data but for its uuid and its name, which is also that of its file.

    Parameters
    ----------
    like
        What it is the form for; kept as long as the form.
    data
        Says the rest; it is filled with marks.
    render
        Makes the document.
    """

    def __init__(self, like: object, data: RawData, directory: str, render: Callable[[RawData], Document]) -> None:
        self.like = like
        identity, name = uuid.uuid4().hex, uuid.uuid4().hex
        data.md_uri, data.uri = f"{directory}/{name}.md.json", f"{directory}/{name}"
        data.uuid, data.name = identity, name
        before, _, rest = encode(render(data)).decode("ascii").partition(identity)
        self._parts = (before, *rest.split(name))
        if len(self._parts) != 4:
            raise AssertionError(self._parts)

    def filled(self, identity: str, name: str) -> bytes:
        """Return the document of a data whose name is plain (see `core.paths.is_plain`), so that JSON keeps it."""
        before, between, and_, after = self._parts
        return f"{before}{identity}{between}{name}{and_}{name}{after}".encode("ascii")
