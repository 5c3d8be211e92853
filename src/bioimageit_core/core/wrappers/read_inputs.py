"""From ``<inputs>`` to parameters, conditionals, sections and repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.document import attributes, children, text_of, where
from bioimageit_core.core.wrappers.model import (
    Case,
    Conditional,
    Member,
    Option,
    Param,
    Repeat,
    Section,
    Validator,
)
from bioimageit_core.core.wrappers.sanitizer import read_sanitizer

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["argument_name", "read_members"]

_KNOWN_TYPES = frozenset(
    [
        "text",
        "integer",
        "float",
        "boolean",
        "select",
        "color",
        "data",
        "data_collection",
        "hidden",
        "data_column",
        "drill_down",
        "genomebuild",
        "baseurl",
        "directory_uri",
        "number",
        "string",
    ]
)
_REFUSED_TYPES = {
    "baseurl": "the address of a Galaxy server",
    "group_tag": "tags of a Galaxy history",
    "library_data": "a library of a Galaxy server",
    "rules": "Galaxy's editor of collections",
    "ftpfile": "uploads of a Galaxy server",
    "upload_dataset": "uploads of a Galaxy server",
    "file": "uploads of a Galaxy server",
}
_ALIASES = {"number": "float", "string": "text", "bool": "boolean", "int": "integer", "hidden_data": "data"}


def argument_name(argument: str) -> str:
    """Give the name of a parameter that only says its argument.

    Examples
    --------
    >>> argument_name("--foo-bar"), argument_name("-sigma")
    ('foo_bar', 'sigma')
    """
    return argument.lstrip("-").replace("-", "_")


def is_true(text: str | None, default: bool = False) -> bool:
    """Read a boolean attribute."""
    return default if text is None else text.strip().lower() in ("true", "yes", "1", "on")


def read_members(parent: _Element | None, path: str) -> tuple[Member, ...]:
    """Read what stands in ``<inputs>`` or in a group."""
    members: list[Member] = []
    for item in children(parent):
        if item.tag == "param":
            members.append(_read_param(item, path))
        elif item.tag == "conditional":
            members.append(_read_conditional(item, path))
        elif item.tag == "section":
            inner = read_members(item, path)
            members.append(Section(_name(item, path), inner, item.get("title", "")))
        elif item.tag == "repeat":
            members.append(_read_repeat(item, path))
        elif item.tag == "page":
            members.extend(read_members(item, path))
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise ToolsServiceError(f"{path}: two inputs are named {member.name!r}")
        seen.add(member.name)
    return tuple(members)


def _name(item: _Element, path: str) -> str:
    name = item.get("name", "")
    if not name:
        raise ToolsServiceError(f"{where(item, path)}: <{item.tag}> needs a name")
    return name


def _read_repeat(item: _Element, path: str) -> Repeat:
    minimum = _whole(item, "min", path) or 0
    return Repeat(
        _name(item, path),
        read_members(item, path),
        item.get("title", ""),
        minimum,
        _whole(item, "max", path),
        max(_whole(item, "default", path) or 0, minimum),
    )


def _whole(item: _Element, key: str, path: str) -> int | None:
    text = item.get(key)
    if text is None or not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise ToolsServiceError(f"{where(item, path)}: {key}={text!r} is not a whole number") from None


def _read_conditional(item: _Element, path: str) -> Conditional:
    test = item.find("param")
    if test is None:
        raise ToolsServiceError(f"{where(item, path)}: <conditional> needs a <param> that it depends on")
    param = _read_param(test, path)
    if param.type not in ("select", "boolean", "hidden", "text", "integer"):
        raise ToolsServiceError(f"{where(test, path)}: a conditional cannot depend on a {param.type!r} parameter")
    cases = []
    for when in children(item, "when"):
        value = when.get("value")
        if value is None:
            raise ToolsServiceError(f"{where(when, path)}: <when> needs a value")
        cases.append(Case(value, read_members(when, path)))
    return Conditional(_name(item, path), param, tuple(cases), where(item, path))


def _read_param(item: _Element, path: str) -> Param:
    argument = item.get("argument", "")
    name = item.get("name") or argument_name(argument)
    if not name:
        raise ToolsServiceError(f"{where(item, path)}: <param> needs a name or an argument")
    kind = _ALIASES.get(item.get("type", "text"), item.get("type", "text"))
    unsupported = f"it is of type {kind!r}: {_REFUSED_TYPES[kind]}" if kind in _REFUSED_TYPES else ""
    if not unsupported and kind not in _KNOWN_TYPES:
        raise ToolsServiceError(
            f"{where(item, path)}: param {name!r} is of type {kind!r}; known are {', '.join(sorted(_KNOWN_TYPES))}"
        )
    multiple = is_true(item.get("multiple"))
    options: tuple[Option, ...] = ()
    if kind in ("select", "drill_down"):
        options, reason = _read_options(item)
        unsupported = unsupported or reason
    is_open = kind == "select" and not unsupported and not options and _is_of_data(item)
    sanitizer = item.find("sanitizer")
    return Param(
        name=name,
        type=kind,
        label=item.get("label") or text_of(item.find("label")),
        help=item.get("help") or text_of(item.find("help")),
        argument=argument,
        optional=_is_optional(item, kind, multiple),
        default=_default(item, kind),
        multiple=multiple,
        separator=item.get("separator", ","),
        formats=tuple(part.strip() for part in item.get("format", "").split(",") if part.strip()),
        options=options,
        true_value=item.get("truevalue", "true"),
        false_value=item.get("falsevalue", "false"),
        minimum=item.get("min", ""),
        maximum=item.get("max", ""),
        validators=tuple(_read_validator(entry) for entry in children(item, "validator")),
        sanitizer=read_sanitizer(sanitizer) if sanitizer is not None else None,
        collection_types=tuple(part.strip() for part in item.get("collection_type", "").split(",") if part.strip()),
        load_contents=_whole(item, "load_contents", path) or 0,
        is_rgb=is_true(item.get("rgb")),
        is_open=is_open,
        unsupported=unsupported,
        place=where(item, path),
    )


def _is_optional(item: _Element, kind: str, multiple: bool) -> bool:
    said = item.get("optional")
    if said is not None:
        return is_true(said)
    if item.get("type") == "hidden_data":
        return True
    return kind in ("select", "drill_down", "data_column") and multiple


def _default(item: _Element, kind: str) -> str | None:
    if kind == "genomebuild":
        return item.get("value", "?")
    if kind == "boolean":
        checked = item.get("checked")
        if checked is None:
            # "value" is not what the schema says, but what authors write
            return "true" if is_true(item.get("value")) else "false"
        return "true" if is_true(checked) else "false"
    value: str | None = item.get("value")
    if value is None and kind in ("text", "hidden"):
        inner = item.find("value")
        value = text_of(inner) if inner is not None else None
    return value


def _read_options(item: _Element) -> tuple[tuple[Option, ...], str]:
    """Give the choices, and why they are not known before Galaxy makes them (empty where they are)."""
    if item.get("dynamic_options"):
        return (), "its choices are computed by code inside Galaxy (dynamic_options)"
    found = [
        Option(
            option.get("value", text_of(option)),
            option.get("name") or text_of(option).strip(),
            is_true(option.get("selected")),
        )
        for option in item.iter("option")
    ]
    block = item.find("options")
    if block is None or found:
        return tuple(found), ""
    for key, meaning in (
        ("from_data_table", "a data table of a Galaxy server"),
        ("from_file", "a file of a Galaxy server"),
        ("from_url", "a web address"),
        ("from_parameter", "another parameter"),
    ):
        if block.get(key):
            return (), f"its choices come from {meaning} ({key}={block.get(key)!r})"
    if list(children(block)) and not _is_of_data(item):
        return (), "its choices are made by filters inside Galaxy"
    return (), ""


def _is_of_data(item: _Element) -> bool:
    """Say whether the choices of a select are read from data that are given to the tool, or from their metadata."""
    block = item.find("options")
    if block is None:
        return False
    filters = {entry.get("type", "") for entry in children(block, "filter")}
    return bool(block.get("from_dataset")) or bool(filters & {"data_meta", "param_value"})


def _read_validator(item: _Element) -> Validator:
    facts = attributes(item)
    return Validator(
        facts.pop("type", ""), facts.pop("message", ""), is_true(facts.pop("negate", None)), facts, text_of(item)
    )
