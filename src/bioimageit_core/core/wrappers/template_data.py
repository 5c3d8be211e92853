"""What templates see of inputs and outputs: ``str()`` is the path, the rest is what Galaxy says of a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.datatypes import datatype_of_file, is_kind_of
from bioimageit_core.core.wrappers.probe import number_of_values
from bioimageit_core.core.wrappers.sanitizer import sanitize_name

__all__ = ["CollectionValue", "DataList", "DataValue", "MetadataValue", "NoData", "OutputValue"]


_NO_VALUES: dict[str, dict[str, Any]] = {
    "data": {"dbkey": "?"},
    "image": dict.fromkeys(
        ("axes", "dtype", "num_unique_values", "width", "height", "channels", "depth", "frames"), "None"
    ),
    "text": {"data_lines": 0},
    "tabular": {"columns": 0, "comment_lines": 0, "column_types": [], "column_names": []},
}
"""What Galaxy says of a dataset of these datatypes where nothing was found out."""


class MetadataValue:
    """What is known of a dataset; as in Galaxy, what is not known is None or what its datatype has instead."""

    def __init__(self, facts: Mapping[str, Any], ext: str = "data", path: str = "") -> None:
        self._facts = facts
        self._ext = ext
        self._path = path

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        if key in self._facts:
            return _clean(self._facts[key])
        if key == "num_unique_values" and self._path:
            return number_of_values(self._path) or "None"
        kinds = (kind for kind, known in _NO_VALUES.items() if key in known and is_kind_of(self._ext, kind))
        return next((_NO_VALUES[kind][key] for kind in kinds), None)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Give a fact, or a default."""
        return _clean(self._facts[key]) if key in self._facts else default

    def is_set(self, key: str) -> bool:
        """Say whether a fact is known."""
        return key in self._facts


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize_name(value)
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value


class DataValue:
    """An input file."""

    is_collection = False

    def __init__(self, file: InputFile, path: str, files_path: str, number: int, identifier: str = "") -> None:
        kind = datatype_of_file(file.name if "." in file.name else file.path, file.format)
        if kind.name == "data":
            kind = datatype_of_file(file.path, file.format)
        self._path = path
        self.ext = kind.name
        self.extension = kind.name
        self.file_ext = kind.name
        self.name = sanitize_name(file.name)
        self.display_name = self.name
        self.element_identifier = sanitize_name(identifier or file.name)
        self.extra_files_path = files_path
        self.files_path = files_path
        self.hid = number
        self.id = number
        self.metadata = MetadataValue(file.metadata, kind.name, file.path)
        self.dbkey = "?"
        self.created_from_basename = sanitize_name(os.path.basename(file.path))
        self.groups: frozenset[str] = frozenset()
        self._source = file.path

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return self._path

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._path)

    def __iter__(self) -> Iterator[DataValue]:
        # an input that may be many is often iterated where it happens to be one
        return iter([self])

    def __getitem__(self, key: Any) -> Any:
        return self._path[key]

    def __contains__(self, item: object) -> bool:
        return str(item) in self._path

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, (str, DataValue)) and str(other) == self._path)

    def __hash__(self) -> int:
        return hash(self._path)

    def __add__(self, other: str) -> str:
        return self._path + other

    def __radd__(self, other: str) -> str:
        return other + self._path

    def is_of_type(self, *extensions: str) -> bool:
        """Say whether it is of one of some datatypes, or a kind of them."""
        return any(is_kind_of(self.ext, name) for name in extensions)

    @property
    def file_name(self) -> str:
        """The path."""
        return self._path

    @property
    def dataset(self) -> DataValue:
        """Itself, as Galaxy has it."""
        return self

    @property
    def datatype(self) -> DataValue:
        """Itself: ``$x.datatype.file_ext`` is what templates ask."""
        return self

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return os.path.getsize(self._source) if os.path.exists(self._source) else 0

    def get_size(self) -> int:
        """Give its size in bytes."""
        return self.size

    def split(self, separator: str | None = None) -> list[str]:
        """Split the path, as templates of older tools do."""
        return self._path.split(separator)

    @property
    def is_input_supplied(self) -> bool:
        """Whether there is a file."""
        return True


class NoData:
    """An optional input that has no file."""

    is_collection = False
    is_input_supplied = False
    name = element_identifier = ""
    metadata = MetadataValue({})

    def __init__(self, ext: str = "") -> None:
        self.ext = self.extension = self.file_ext = ext

    def __str__(self) -> str:
        return "None"

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return other is None or other == "None" or isinstance(other, NoData)

    def __hash__(self) -> int:
        return hash("None")

    def is_of_type(self, *_extensions: str) -> bool:
        """Say no."""
        return False


class _Listed:
    """What can be written into a file, path by path; whoever makes it says where such a file lies."""

    list_file: Callable[[str], str]

    def paths_as_file(self, sep: str = "\n") -> str:
        """Give the path of a file that has all paths."""
        return self.list_file(sep.join(str(item) for item in self))  # type: ignore[attr-defined]


class DataList(list[DataValue], _Listed):
    """The files of an input that takes several."""

    is_collection = False

    def __str__(self) -> str:
        return ",".join(str(item) for item in self) or "None"

    @property
    def is_input_supplied(self) -> bool:
        """Whether there is a file."""
        return bool(self)

    def __getattr__(self, name: str) -> Any:
        # with one file, what is asked of the list is meant for it
        if name.startswith("__") or len(self) != 1:
            raise AttributeError(name)
        return getattr(self[0], name)


class CollectionValue(_Listed):
    """A collection: its elements in order, by identifier, by attribute or by number."""

    is_collection = True

    def __init__(self, type_: str, name: str, elements: Mapping[str, Any]) -> None:
        self.collection_type = type_
        self.name = sanitize_name(name)
        self.element_identifier = self.name
        self._elements = dict(elements)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements.values())

    def __len__(self) -> int:
        return len(self._elements)

    def __bool__(self) -> bool:
        return bool(self._elements)

    def __getitem__(self, key: Any) -> Any:
        return list(self._elements.values())[key] if isinstance(key, (int, slice)) else self._elements[str(key)]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__.get("_elements", {}):
            raise AttributeError(name)
        return self._elements[name]

    def __str__(self) -> str:
        return ",".join(str(item) for item in self)

    def __contains__(self, key: object) -> bool:
        return key in self._elements

    @property
    def is_input_supplied(self) -> bool:
        """Whether there is an element."""
        return bool(self._elements)

    @property
    def all_paths(self) -> list[str]:
        """The paths of all files, those of collections in it included."""
        return [
            path
            for item in self._elements.values()
            for path in (item.all_paths if isinstance(item, CollectionValue) else [str(item)])
        ]

    @property
    def ext(self) -> str:
        """The datatype of the first element."""
        first = next(iter(self._elements.values()), None)
        return "" if first is None else str(first.ext)

    def keys(self) -> list[str]:
        """Give the identifiers."""
        return [sanitize_name(key) for key in self._elements]

    def items(self) -> list[tuple[str, Any]]:
        """Give the identifiers and elements."""
        return [(sanitize_name(key), value) for key, value in self._elements.items()]

    def is_of_type(self, *extensions: str) -> bool:
        """Say whether the first element is of one of some datatypes."""
        first = next(iter(self._elements.values()), None)
        return first is not None and first.is_of_type(*extensions)


class OutputValue:
    """An output: ``str()`` is the path that the tool writes to."""

    def __init__(self, name: str, path: str, ext: str, label: str, number: int, elements: Mapping[str, Any]) -> None:
        self._path = path
        self._elements = dict(elements)
        self.name = sanitize_name(label or name)
        self.ext = self.extension = self.file_ext = ext
        self.extra_files_path = self.files_path = f"{path.removesuffix('.dat')}_files"
        self.hid = self.id = number
        self.metadata = MetadataValue({}, ext)

    def __str__(self) -> str:
        return self._path

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, str) and other == self._path)

    def __hash__(self) -> int:
        return hash(self._path)

    def __add__(self, other: str) -> str:
        return self._path + other

    def __radd__(self, other: str) -> str:
        return other + self._path

    def __getitem__(self, key: Any) -> Any:
        return self._elements[str(key)]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__.get("_elements", {}):
            raise AttributeError(name)
        return self._elements[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements.values())

    def keys(self) -> list[str]:
        """Give the identifiers of the elements that the wrapper lists."""
        return list(self._elements)

    def is_of_type(self, *extensions: str) -> bool:
        """Say whether it is of one of some datatypes."""
        return any(is_kind_of(self.ext, name) for name in extensions)

    @property
    def file_name(self) -> str:
        """The path."""
        return self._path

    @property
    def dataset(self) -> OutputValue:
        """Itself, as Galaxy has it."""
        return self
