"""Data whose documents are at hand and are read when somebody looks: a hundred thousand hits, of which few matter.

They are the published containers in all that one can do with them; the first look at a field makes them so in their
class, too.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from bioimageit_core.containers import ProcessedData, RawData

__all__ = ["UnreadProcessedData", "UnreadRawData", "unread"]

Read: TypeAlias = Callable[[bytes], Any]
"""Makes the container of a document, as the index holds it."""


class _Field:
    """A field that reads the document; what is read lies in the instance, and goes before this."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        if instance is None:
            return getattr(super(owner, owner), self._name)
        _look(instance)
        return getattr(instance, self._name)


def _look(data: Any) -> None:
    """Make a data what its document says; a thread that looks at the same time finds the same."""
    own = vars(data)
    if (unseen := own.get("_unread")) is None:
        return
    read, row = unseen
    found = read(*row)
    own.update(vars(found))
    object.__setattr__(data, "__class__", type(found))
    own.pop("_unread", None)


class _Unread:
    def __setattr__(self, name: str, value: Any) -> None:
        _look(self)
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        _look(self)
        return repr(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        _look(self)
        return self.__reduce_ex__(protocol)


class UnreadRawData(_Unread, RawData):
    """A raw data that nobody has looked at."""


class UnreadProcessedData(_Unread, ProcessedData):
    """A processed data that nobody has looked at."""


for _class in (UnreadRawData, UnreadProcessedData):
    for _each in dataclasses.fields(_class):
        _field = _Field()
        _field.__set_name__(_class, _each.name)
        setattr(_class, _each.name, _field)


def unread(kind: type[Any], read: Read, rows: Sequence[tuple[bytes]]) -> list[Any]:
    """Return the data that `read` makes of what an index holds of documents, before it does."""
    data = list(map(_new, itertools.repeat(kind, len(rows))))
    for each, row in zip(data, rows, strict=True):
        _set(each, "_unread", (read, row))  # an instance whose __dict__ was never asked for is half as dear
    return data


_new, _set = object.__new__, object.__setattr__
