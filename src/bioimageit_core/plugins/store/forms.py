"""Documents of many raw data that differ in little: rendered once, filled in for each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import RawData
from bioimageit_core.core.json_text import encode
from bioimageit_core.core.records import Document

__all__ = ["Form", "Written"]


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
