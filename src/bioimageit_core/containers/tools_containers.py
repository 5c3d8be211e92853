"""Containers of tools: programs described by XML wrappers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "IO_INPUT",
    "IO_OUTPUT",
    "IO_PARAM",
    "PARAM_BOOLEAN",
    "PARAM_FILE",
    "PARAM_NUMBER",
    "PARAM_SELECT",
    "PARAM_STRING",
    "CmdSelectContainer",
    "Tool",
    "ToolIndexContainer",
    "ToolParameterContainer",
    "ToolTestParameterContainer",
    "ToolsCategoryContainer",
]

PARAM_NUMBER = "number"
PARAM_STRING = "string"
PARAM_SELECT = "select"
PARAM_BOOLEAN = "boolean"
PARAM_FILE = "file"

IO_PARAM = "param"
IO_INPUT = "input"
IO_OUTPUT = "output"


@dataclass(eq=False)
class CmdSelectContainer:
    """The choices of a select parameter: labels to show and the values they stand for."""

    names: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def size(self) -> int:
        """Count the choices."""
        return len(self.names)

    def add(self, name: str, value: str) -> None:
        """Add a choice."""
        self.names.append(name)
        self.values.append(value)


@dataclass(eq=False)
class ToolParameterContainer:
    """A parameter, input or output of a tool.

    Attributes
    ----------
    io
        `IO_PARAM`, `IO_INPUT` or `IO_OUTPUT`.
    type
        `PARAM_NUMBER`, `PARAM_STRING`, `PARAM_SELECT`, `PARAM_BOOLEAN` or `PARAM_FILE`.
    format
        Of an input or output: the name of a format of the format table, or a Galaxy datatype; several are
        separated by commas.
    """

    name: str = ""
    description: str = ""
    help: str = ""
    value: Any = ""
    type: str = ""
    io: str = ""
    is_advanced: bool = False
    is_data: bool = False
    default_value: Any = ""
    select_info: CmdSelectContainer = field(default_factory=CmdSelectContainer)
    format: str = ""


@dataclass(eq=False)
class ToolTestParameterContainer:
    """A value that a test of the tool gives to a parameter, or expects of an output."""

    type: str = ""
    name: str = ""
    value: Any = ""
    file: str = ""


@dataclass(eq=False)
class ToolIndexContainer:
    """What a search finds: enough of a tool to choose it."""

    id: str = ""
    name: str = ""
    version: str = ""
    uri: str = ""
    description: str = ""

    def fullname(self) -> str:
        """``{id}_v{version}``."""
        return f"{self.id}_v{self.version}"


@dataclass(eq=False)
class ToolsCategoryContainer:
    """A category of tools; `parent` is the id of the category it stands in."""

    id: str = ""
    name: str = ""
    description: str = ""
    parent: str = ""
    thumbnail: str = ""


@dataclass(eq=False)
class Tool:
    """A program described by an XML wrapper.

    Attributes
    ----------
    type
        ``'sequential'`` (one execution an item) or ``'merge'`` (one execution for the whole selection).
    uri
        Where the wrapper is.
    requirements
        One dict a ``<requirements>`` entry: ``{'origin': 'package' | 'container', 'type': ..., 'name': ...,
        'version': ..., 'env': ...}``.
    command
        The command's template, as the wrapper says it.
    """

    id: str = ""
    name: str = ""
    version: str = ""
    type: str = "sequential"
    uri: str = ""
    description: str = ""
    requirements: list[dict[str, str]] = field(default_factory=list)
    command: str = ""
    inputs: list[ToolParameterContainer] = field(default_factory=list)
    outputs: list[ToolParameterContainer] = field(default_factory=list)
    tests: list[list[ToolTestParameterContainer]] = field(default_factory=list)
    help: str = ""
    categories: list[str] = field(default_factory=list)

    def fullname(self) -> str:
        """``{id}_v{version}``."""
        return f"{self.id}_v{self.version}"

    def man(self) -> str:
        """Describe the tool and its parameters, as text for a terminal."""
        lines = [f"{self.name} ({self.fullname()})", self.description, ""]
        for title, parameters in (("Inputs and parameters", self.inputs), ("Outputs", self.outputs)):
            lines.append(f"{title}:")
            for parameter in parameters:
                kind = parameter.format if parameter.is_data else parameter.type
                default = f", default {parameter.default_value!r}" if parameter.io == IO_PARAM else ""
                lines.append(f"  {parameter.name} ({kind}{default}): {parameter.description}")
            lines.append("")
        return "\n".join([*lines, self.help]).rstrip()

    def _repr_html_(self) -> str:
        from bioimageit_core.containers.html import tool_html

        return tool_html(self)
