"""Between a wrapper's `Definition` and the published `Tool` container, both ways."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import (
    IO_INPUT,
    IO_OUTPUT,
    IO_PARAM,
    PARAM_BOOLEAN,
    PARAM_FILE,
    PARAM_NUMBER,
    PARAM_SELECT,
    PARAM_STRING,
    CmdSelectContainer,
    Tool,
    ToolParameterContainer,
    ToolTestParameterContainer,
)
from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.model import Definition, Option, Output, Param, walk_params
from bioimageit_core.core.wrappers.reader import read_definition

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["definition_of", "tool_of"]

_PUBLISHED_TYPES = {
    "integer": PARAM_NUMBER,
    "float": PARAM_NUMBER,
    "boolean": PARAM_BOOLEAN,
    "select": PARAM_SELECT,
    "drill_down": PARAM_SELECT,
    "data": PARAM_FILE,
    "data_collection": PARAM_FILE,
}
_MERGE = "merge"


def tool_of(definition: Definition) -> Tool:
    """Make the published container of a wrapper."""
    return Tool(
        id=definition.id,
        name=definition.name,
        version=definition.version,
        type=_tool_type(definition),
        uri=definition.path,
        description=definition.description,
        requirements=[dict(item) for item in definition.requirements],
        command=definition.command,
        inputs=[_parameter(name, param) for name, param in walk_params(definition.members)],
        outputs=[_output(output) for output in definition.outputs],
        tests=[_test(node) for node in definition.test_nodes],
        help=definition.help,
    )


def _tool_type(definition: Definition) -> str:
    """Say ``merge`` where the wrapper does, or where an input that it needs takes all data of a selection."""
    if definition.tool_type == _MERGE:
        return _MERGE
    needed = [param for _, param in walk_params(definition.members) if param.is_data and not param.optional]
    return _MERGE if any(param.takes_many for param in needed) else "sequential"


def _parameter(name: str, param: Param) -> ToolParameterContainer:
    default: Any = param.default if param.default is not None else ""
    select = CmdSelectContainer()
    for option in param.options:
        select.add(option.label or option.value, option.value)
    if param.type in ("select", "drill_down"):
        chosen = [option.value for option in param.options if option.is_selected]
        first = [param.options[0].value] if param.options and not param.multiple and not param.optional else []
        default = (
            ",".join(chosen) if param.multiple else (chosen or [default] if default else chosen or first or [""])[0]
        )
    elif param.type == "boolean":
        select.add("true", param.true_value)
        select.add("false", param.false_value)
    return ToolParameterContainer(
        name=name,
        description=param.label or param.help,
        help=param.help,
        value=default,
        type=PARAM_STRING if param.is_open else _PUBLISHED_TYPES.get(param.type, PARAM_STRING),
        io=IO_INPUT if param.is_data else IO_PARAM,
        is_data=param.is_data,
        default_value=default,
        select_info=select,
        format=",".join(param.formats),
    )


def _output(output: Output) -> ToolParameterContainer:
    return ToolParameterContainer(
        name=output.name,
        description=output.label or output.name,
        type=PARAM_FILE,
        io=IO_OUTPUT,
        is_data=True,
        format=output.format,
    )


def _test(node: _Element) -> list[ToolTestParameterContainer]:
    return [
        ToolTestParameterContainer(
            str(item.tag), item.get("name", ""), item.get("value", ""), item.get("file", "") or item.get("value", "")
        )
        for item in node.iter("param", "output")
    ]


def definition_of(tool: Tool) -> Definition:
    """Give the definition of a tool: of its wrapper, or, where there is none on disk, of the container alone.

    Raises
    ------
    ToolsServiceError
        The wrapper cannot be read.
    """
    if tool.uri.endswith(".xml") and os.path.isfile(tool.uri):
        definition = read_definition(tool.uri)
        if definition.id == tool.id and definition.command == tool.command:
            return definition
    if not tool.command.strip():
        raise ToolsServiceError(f"tool {tool.fullname()!r} has no command")
    return Definition(
        path=tool.uri,
        id=tool.id,
        name=tool.name or tool.id,
        version=tool.version,
        dialect="plain",
        profile=(16, 1),
        tool_type=tool.type,
        description=tool.description,
        help=tool.help,
        command=tool.command,
        command_place=tool.uri or tool.fullname(),
        requirements=tuple(tool.requirements),
        members=tuple(_member(item, tool.type == _MERGE) for item in tool.inputs),
        outputs=tuple(Output(item.name, item.format or "data", label=item.description) for item in tool.outputs),
    )


def _member(item: ToolParameterContainer, is_merge: bool) -> Param:
    is_data = item.is_data or item.io == IO_INPUT
    default = item.default_value if item.default_value not in ("", None) else item.value
    text = None if default in ("", None) else str(default)
    pairs = list(zip(item.select_info.values, item.select_info.names, strict=False))
    kind = {PARAM_NUMBER: "float", PARAM_BOOLEAN: "boolean", PARAM_SELECT: "select"}.get(item.type, "text")
    if kind == "select" and not pairs:
        kind = "text"
    if kind == "float":
        # a container does not say which numbers are whole: they are passed on as they were given
        kind = "text"
    labels = {label: value for value, label in pairs}
    return Param(
        name=item.name,
        type="data" if is_data else kind,
        label=item.description,
        help=item.help,
        default="true" if kind == "boolean" and text is not None and text == labels.get("true") else text,
        multiple=is_data and is_merge,
        formats=tuple(part.strip() for part in item.format.split(",") if part.strip()),
        options=tuple(Option(v, n, v == text) for v, n in pairs) if kind == "select" else (),
        true_value=labels.get("true", "true") if kind == "boolean" else "true",
        false_value=labels.get("false", "false") if kind == "boolean" else "false",
    )
