"""Which outputs a call has, in which formats, under which labels."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.datatypes import datatype, datatype_of_file, extension_of, format_of, is_kind_of
from bioimageit_core.core.wrappers.model import Conditional, Definition, Member, Output, Param
from bioimageit_core.core.wrappers.output_actions import Condition, OutputAction
from bioimageit_core.core.wrappers.values import Collection, State

__all__ = ["OutputSpec", "data_of", "specs_of"]

_log = logging.getLogger(__name__)
_FIRST_NUMBER = 1001  # of outputs; inputs have the numbers before


@dataclass(frozen=True)
class OutputSpec:
    """An output that a call has.

    Attributes
    ----------
    format
        Name in the format table.
    datatype
        Galaxy's name of it.
    extension
        Of the file, without a dot.
    is_discovered
        Whether files are found after the tool ran, instead of or beside the one.
    collection_type
        Of a collection: ``list``, ``paired``, ``list:paired``, ...
    number
        What templates see as its id.
    metadata
        What the wrapper's actions say of it.
    elements
        Of a collection whose elements are known before: each with its identifier; of one in another, ``outer|inner``.
    """

    name: str
    format: str
    datatype: str
    extension: str
    label: str = ""
    is_discovered: bool = False
    is_collection: bool = False
    collection_type: str = ""
    is_hidden: bool = False
    from_work_dir: str = ""
    number: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    elements: Mapping[str, OutputSpec] = field(default_factory=dict)
    output: Output | None = field(default=None, repr=False, compare=False)

    @property
    def has_file(self) -> bool:
        """Whether the caller can say where it is to lie."""
        if self.is_collection:
            return False
        discoveries = self.output.discoveries if self.output is not None else ()
        return not self.is_discovered or not any(item.assign_primary for item in discoveries)


def specs_of(definition: Definition, state: State) -> list[OutputSpec]:
    """Give the outputs that these values lead to: filters applied, formats and labels resolved.

    Raises
    ------
    ToolsServiceError
        An output needs what only Galaxy has.
    """
    found = []
    for number, output in enumerate(definition.outputs, start=_FIRST_NUMBER):
        if not all(_passes(text, definition, state, output.name) for text in output.filters):
            continue
        if output.unsupported:
            raise ToolsServiceError(f"{definition.path}: output {output.name!r}: {output.unsupported}")
        found.append(replace(_spec(output, definition, state), number=number))
    return found


def _spec(output: Output, definition: Definition, state: State) -> OutputSpec:
    name = _datatype_name(output, definition, state)
    kind = _collection_type(output, state)
    elements: dict[str, OutputSpec] = {
        element.name: _spec(element, definition, state)
        for element in output.elements
        if all(_passes(text, definition, state, element.name) for text in element.filters)
    }
    if output.structured_like:
        elements |= _like(output, state, name)
    elif kind == "paired" and not elements and not output.discoveries:
        elements = {key: _element(key, name) for key in ("forward", "reverse")}
    return OutputSpec(
        name=output.name,
        format=format_of(name),
        datatype=datatype(name).name,
        extension=extension_of(name),
        label=_label(output.label, definition, state) or output.name,
        is_discovered=bool(output.discoveries),
        is_collection=output.is_collection,
        collection_type=kind,
        is_hidden=output.is_hidden,
        from_work_dir=output.from_work_dir,
        metadata=dict(_acted(output, "metadata", definition, state)),
        elements=elements,
        output=output,
    )


def _collection_type(output: Output, state: State) -> str:
    source = data_of(state, output.structured_like or output.type_source)
    return source.type if isinstance(source, Collection) else output.collection_type


def _element(key: str, datatype_name: str) -> OutputSpec:
    return OutputSpec(key, format_of(datatype_name), datatype_name, extension_of(datatype_name), key)


def _like(output: Output, state: State, name: str) -> dict[str, OutputSpec]:
    source = data_of(state, output.structured_like)
    elements = {}
    for key, file in _flat(source) if isinstance(source, Collection) else ():
        kind = datatype_of_file(file.path, file.format).name if output.inherit_format else name
        elements[key] = _element(key, kind)
    return elements


def _flat(collection: Collection, prefix: str = "") -> Iterator[tuple[str, InputFile]]:
    for key, element in collection.elements.items():
        if isinstance(element, Collection):
            yield from _flat(element, f"{prefix}{key}|")
        else:
            yield f"{prefix}{key}", element


def _datatype_name(output: Output, definition: Definition, state: State) -> str:
    name = output.format
    if output.format_source:
        source = data_of(state, output.format_source)
        first = _first_file(source)
        if first is not None:
            name = datatype_of_file(first.path, first.format).name
            if first.format and format_of(first.format) == first.format.lower() and name == "data":
                name = first.format
        else:
            name = _declared(definition, output.format_source) or name
    elif name == "input":
        source = next((value for _, value in _all_data(state.tree)), None)
        first = _first_file(source)
        name = datatype_of_file(first.path, first.format).name if first is not None else "data"
    for change in output.changes:
        if change.input_dataset:
            actual: tuple[str, ...] | None
            first = _first_file(data_of(state, change.input_dataset))
            is_known = first is not None and change.attribute in ("ext", "extension", "file_ext")
            actual = (datatype_of_file(first.path, first.format).name,) if first is not None and is_known else None
        else:
            actual = _as_said(definition, state, change.input)
        if actual is not None and change.value in actual:
            name = change.format
            break
    name = next((value for _, value in reversed(_acted(output, "format", definition, state))), name)
    return "data" if output.auto_format or name in ("auto", "_sniff_") else name


def _acted(output: Output, kind: str, definition: Definition, state: State) -> list[tuple[str, str]]:
    """Give name and value of each action of a kind whose conditions hold."""
    found = []
    for action in output.actions:
        holds = all(_holds(condition, definition, state) for condition in action.conditions)
        if action.type != kind or action.unsupported or not holds:
            continue
        value = _of_source(action, definition, state) if action.source else None
        if action.default and (value is None or kind == "metadata"):
            value = _filled(action.default, definition, state)
        if value:
            found.append((action.name, value))
    return found


def _holds(condition: Condition, definition: Definition, state: State) -> bool:
    if not condition.datatype:
        return condition.value in (_as_said(definition, state, condition.name) or ())
    first = _first_file(data_of(state, condition.name))
    return first is not None and is_kind_of(datatype_of_file(first.path, first.format).name, condition.datatype)


def _of_source(action: OutputAction, definition: Definition, state: State) -> str | None:
    first = _first_file(data_of(state, action.source))
    if first is None:
        return next(iter(_as_said(definition, state, action.source) or ()), None)
    last = action.attribute.rpartition(".")[2]
    if last in ("ext", "extension", "file_ext"):
        return datatype_of_file(first.path, first.format).name
    return first.metadata.get(last) or (first.name if last in ("name", "") else None)


def _declared(definition: Definition, name: str) -> str:
    from bioimageit_core.core.wrappers.model import walk_params

    for flat, param in walk_params(definition.members):
        if name in (flat, param.name, flat.replace("|", ".")) and param.formats:
            return param.formats[0]
    return ""


def _first_file(value: Any) -> InputFile | None:
    if isinstance(value, InputFile):
        return value
    if isinstance(value, Collection):
        return next(iter(value.files()), None)
    if isinstance(value, list):
        return value[0] if value else None
    return None


def _as_said(definition: Definition, state: State, name: str) -> tuple[str, ...] | None:
    """Give a parameter's value in the words that a wrapper may compare it with."""
    value: Any = state.tree
    members: tuple[Member, ...] = definition.members
    param: Param | None = None
    for part in re.split(r"[.|]", name):
        if not isinstance(value, dict) or part not in value:
            return _by_bare_name(state, name)
        value = value[part]
        param, members = _member(members, part)
    return _said(param, value)


def _by_bare_name(state: State, name: str) -> tuple[str, ...] | None:
    for flat, value in state.flat.items():
        if flat.rpartition("|")[2] == name:
            return _said(None, value)
    return None


def _said(param: Param | None, value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        words = ("true", "True") if value else ("false", "False")
        return (*words, *((param.true_value if value else param.false_value,) if param is not None else ()))
    return ("" if value is None else str(value),)


def _member(members: tuple[Member, ...], name: str) -> tuple[Param | None, tuple[Member, ...]]:
    for member in members:
        if member.name == name:
            if isinstance(member, Param):
                return member, ()
            if isinstance(member, Conditional):
                return None, (member.test, *(inner for case in member.cases for inner in case.members))
            return None, member.members
    return None, ()


def data_of(state: State, name: str) -> Any:
    """Give the value of an input by its name: bare, dotted, or flat."""
    value: Any = state.tree
    for part in re.split(r"[.|]", name):
        match = re.fullmatch(r"(\w+?)(?:\[(\d+)\]|_(\d+))", part)
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif match and isinstance(value, dict) and isinstance(value.get(match[1]), list):
            items, index = value[match[1]], int(match[2] or match[3])
            value = items[index] if index < len(items) else None
        else:
            value = None
            break
    if value is not None:
        return value
    bare = re.split(r"[.|]", name)[-1]
    return next((found for key, found in _walk(state.tree) if key == bare), None)


def _walk(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _walk(value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                yield from _walk(item)
        elif isinstance(value, (InputFile, Collection, list)):
            yield key, value


def _all_data(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in _walk(tree):
        if _first_file(value) is not None:
            yield key, value


def _passes(text: str, definition: Definition, state: State, name: str) -> bool:
    if not text:
        return True
    try:
        # the wrapper's own code, as trusted as the program that it wraps
        return bool(eval(text, {"__builtins__": __builtins__}, _filter_names(state)))  # nosec B307 # noqa: S307
    except Exception as error:  # noqa: BLE001  (as in Galaxy, a filter that fails filters nothing)
        _log.debug("%s: filter %r of output %r: %s", definition.path, text, name, error)
        return True


class _Dataset(str):
    """An input as filters see it."""

    ext: str
    extension: str
    name: str
    metadata: Mapping[str, str]


def _filter_names(state: State) -> dict[str, Any]:
    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shown(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shown(item) for item in value]
        if isinstance(value, InputFile):
            dataset = _Dataset(value.path)
            dataset.ext = dataset.extension = datatype_of_file(value.path, value.format).name
            dataset.name, dataset.metadata = value.name, value.metadata
            return dataset
        return value

    return {key: shown(value) for key, value in state.tree.items()}


_SIMPLE = re.compile(r"\$\{\s*(tool\.name|tool\.id|tool\.version|on_string)\s*\}|\$(tool\.name|on_string)\b")


def _label(text: str, definition: Definition, state: State) -> str:
    if "$" not in text:
        return text
    names = [file.name for _, value in _walk(state.tree) for file in _files_of(value)]
    on = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    facts = {
        "tool.name": definition.name,
        "tool.id": definition.id,
        "tool.version": definition.version,
        "on_string": on or "no data",
    }
    label = _SIMPLE.sub(lambda match: facts[match[1] or match[2]], text)
    return _filled(label, definition, state) if "$" in _SIMPLE.sub("", text) else label


def _files_of(value: Any) -> list[InputFile]:
    if isinstance(value, InputFile):
        return [value]
    if isinstance(value, Collection):
        return value.files()
    return [item for item in value if isinstance(item, InputFile)] if isinstance(value, list) else []


def _filled(text: str, definition: Definition, state: State) -> str:
    """Fill what is left of a label: parameters by dotted name; what is not known stays as it is."""

    def said(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        first, _, last = name.rpartition(".")
        if last in ("name", "element_identifier", "display_name") and first:
            found = _first_file(data_of(state, first))
            if found is not None:
                return found.name
        file = _first_file(data_of(state, name))
        if file is not None:
            return file.name
        value = _as_said(definition, state, name)
        return value[0] if value else match[0]

    return re.sub(r"\$\{\s*([\w.]+)\s*\}|\$([\w.]*\w)", said, text)
