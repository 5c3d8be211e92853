"""What a tool asks for, as its wrapper says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bioimageit_core.core.wrappers.model import Conditional, Member, Param, Section
from bioimageit_core.web.shapes import ToolForm, ToolSummary

if TYPE_CHECKING:
    from bioimageit_core.containers import Tool, ToolIndexContainer

__all__ = ["form_of", "summary_of"]


def summary_of(tool: Tool | ToolIndexContainer) -> ToolSummary:
    """Show a tool in a list."""
    return ToolSummary(
        fullname=tool.fullname(),
        id=tool.id,
        name=tool.name,
        version=tool.version,
        description=tool.description,
        categories=list(getattr(tool, "categories", ())),
    )


def form_of(tool: Tool) -> ToolForm:
    """Show what a tool asks for.

    Raises
    ------
    ToolsServiceError
        Its wrapper cannot be read.
    """
    from bioimageit_core.core.wrappers.containers import definition_of

    definition = definition_of(tool)
    return ToolForm(
        **summary_of(tool).model_dump(),
        help=tool.help,
        members=[_member(member) for member in definition.members],
        outputs=[
            {"name": output.name, "label": output.label or output.name, "format": output.format}
            for output in definition.outputs
            if not output.is_hidden
        ],
    )


def _member(member: Member) -> dict[str, Any]:
    if isinstance(member, Param):
        return _param(member)
    if isinstance(member, Conditional):
        cases = [{"value": case.value, "members": [_member(each) for each in case.members]} for case in member.cases]
        return {"kind": "conditional", "name": member.name, "test": _param(member.test), "cases": cases}
    members = [_member(each) for each in member.members]
    if isinstance(member, Section):
        return {"kind": "section", "name": member.name, "label": member.label, "members": members}
    return {
        "kind": "repeat",
        "name": member.name,
        "label": member.label,
        "members": members,
        "minimum": member.minimum,
        "maximum": member.maximum,
        "default": member.default,
    }


def _param(param: Param) -> dict[str, Any]:
    return {
        "kind": "param",
        "name": param.name,
        "type": param.type,
        "label": param.label,
        "help": param.help,
        "optional": param.optional,
        "default": param.default,
        "multiple": param.multiple,
        "formats": list(param.formats),
        "options": [
            {"value": option.value, "label": option.label, "is_selected": option.is_selected}
            for option in param.options
        ],
        "true_value": param.true_value,
        "false_value": param.false_value,
        "minimum": param.minimum,
        "maximum": param.maximum,
        "validators": [
            {
                "type": each.type,
                "message": each.message,
                "negate": each.negate,
                "options": dict(each.options),
                "text": each.text,
            }
            for each in param.validators
        ],
        "unsupported": param.unsupported,
        "is_data": param.is_data,
    }
