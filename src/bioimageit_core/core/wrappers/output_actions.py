"""The ``<actions>`` of outputs: formats and metadata that depend on parameters and inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.document import children, where

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["Condition", "OutputAction", "read_actions"]


@dataclass(frozen=True)
class Condition:
    """What an action depends on: a parameter's value, or the datatype of an input."""

    name: str
    value: str = ""
    datatype: str = ""


@dataclass(frozen=True)
class OutputAction:
    """One action.

    Attributes
    ----------
    type
        ``'format'`` or ``'metadata'``.
    name
        Of what is set of the metadata.
    source, attribute
        The parameter or input that its value comes from, and which attribute of it.
    unsupported
        Why it has no effect here; empty where it has.
    """

    type: str
    name: str = ""
    default: str = ""
    source: str = ""
    attribute: str = ""
    conditions: tuple[Condition, ...] = ()
    unsupported: str = ""


def read_actions(
    parent: _Element | None, path: str, conditions: tuple[Condition, ...] = ()
) -> tuple[OutputAction, ...]:
    """Read ``<actions>``, or what stands in a ``<when>`` of it."""
    found: list[OutputAction] = []
    for item in children(parent, "action", "conditional"):
        if item.tag == "action":
            found.append(_read_action(item, path, conditions))
            continue
        for when in children(item, "when"):
            condition = Condition(item.get("name", ""), when.get("value", ""), when.get("datatype_isinstance", ""))
            found.extend(read_actions(when, path, (*conditions, condition)))
    return tuple(found)


def _read_action(item: _Element, path: str, conditions: tuple[Condition, ...]) -> OutputAction:
    kind = item.get("type", "")
    if kind not in ("format", "metadata"):
        raise ToolsServiceError(f"{where(item, path)}: an action of type {kind!r}: known are format and metadata")
    option = item.find("option")
    source = attribute = unsupported = ""
    if option is not None:
        source, attribute = option.get("name", ""), option.get("param_attribute", "")
        if option.get("type") != "from_param":
            unsupported = f"its value comes from tables of a Galaxy server ({option.get('type')})"
        elif option.find("filter") is not None:
            unsupported = "its value is filtered"
    return OutputAction(kind, item.get("name", ""), item.get("default", ""), source, attribute, conditions, unsupported)
