"""YAML of strangers: what JSON can say, and dates; no tags, and nothing that grows or turns in circles in reading."""

from __future__ import annotations

from typing import Any

__all__ = ["decode"]

_MAX_DEPTH = 64
_MAX_NODES = 1_000_000


def decode(text: str) -> Any:
    """Read a document.

    Raises
    ------
    ValueError
        It is not YAML, nested too deeply, has tags (``!!binary``), or aliases that stand for themselves or more than
        a million nodes in all; the message says it, and where.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        refused = _refusal(yaml.parse(text, loader), yaml)
        if not refused:
            return loader(text).get_single_data()
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a date with a month 13 is a ValueError
        raise ValueError(f"is not YAML: {' '.join(str(error).split())}") from error
    raise ValueError(refused)


def _refusal(events: Any, yaml: Any) -> str:
    """Weigh every node with all that its aliases stand for, before any of it is made; say what is wrong."""
    weights: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the weight of what came before
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                weights[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in weights:
                return f"has an alias *{event.anchor} to what it is in, or to nothing{_place(event)}"
            total += weights[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            if event.tag:
                return f"has a tag, {event.tag!r}: texts, numbers, lists and mappings are read{_place(event)}"
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, total))
            elif event.anchor:
                weights[event.anchor] = 1
            total += 1
        if len(open_nodes) > _MAX_DEPTH:
            return "is nested too deeply"
        if total > _MAX_NODES:
            return f"stands for more than {_MAX_NODES} values; has it aliases of aliases?"
    return ""


def _place(event: Any) -> str:
    return f", line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"
