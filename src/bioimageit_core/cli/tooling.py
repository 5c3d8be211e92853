"""Find tools as a user names them, and show them."""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING

from bioimageit_core.cli.output import cell, show_table, show_text
from bioimageit_core.containers import IO_PARAM, Tool, ToolParameterContainer
from bioimageit_core.core.exceptions import ToolNotFoundError

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session

__all__ = ["find_tool", "show_tool"]


def find_tool(session: Session, name: str) -> Tool:
    """Find a tool by its full name, its id (the newest version) or the path of its wrapper.

    Raises
    ------
    ToolNotFoundError
        There is none; the error names those that are like it.
    """
    request = session.request
    if name.endswith(".xml") or os.sep in name:
        return request.get_tool_from_uri(os.path.abspath(os.path.expanduser(name)))
    known = request.search_tool("")
    if any(tool.fullname() == name for tool in known):
        return request.get_tool(name)
    of_id = [tool for tool in known if tool.id == name]
    if of_id:
        return request.get_tool(max(of_id, key=lambda tool: _version_key(tool.version)).fullname())
    names = [tool.fullname() for tool in known] + [tool.id for tool in known]
    raise ToolNotFoundError(name, difflib.get_close_matches(name, names, 3, 0.5))


def show_tool(tool: Tool) -> None:
    """Show what a tool takes, makes and does."""
    show_text(f"{tool.fullname()}: {tool.name}\n{tool.description}\n")
    inputs = [each for each in tool.inputs if each.io != IO_PARAM]
    parameters = [each for each in tool.inputs if each.io == IO_PARAM]
    if inputs:
        show_table(["input", "format", "what it is"], ((each.name, each.format, _said(each)) for each in inputs))
        show_text("")
    if parameters:
        rows = ((each.name, _kind(each), each.default_value, _said(each)) for each in parameters)
        show_table(["parameter", "values", "default", "what it is"], rows)
        show_text("")
    if tool.outputs:
        show_table(["output", "format", "what it is"], ((each.name, each.format, _said(each)) for each in tool.outputs))
        show_text("")
    given = " ".join(f"-i {each.name}=data" for each in inputs)
    show_text(f"bioimageit run EXPERIMENT {tool.fullname()} {given}".rstrip())
    if tool.help.strip():
        show_text(f"\n{tool.help.strip()}")


def _said(parameter: ToolParameterContainer) -> str:
    return " ".join(f"{parameter.description}. {parameter.help}".strip(" .").split())


def _kind(parameter: ToolParameterContainer) -> str:
    choices = parameter.select_info.values
    if not choices:
        return parameter.type
    more = ", …" if len(choices) > 6 else ""
    return f"{', '.join(cell(choice) for choice in choices[:6])}{more}"


def _version_key(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.+_-]", version)]
