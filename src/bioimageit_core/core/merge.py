"""Two writers, one document: apply what one changed to what the other stored meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

__all__ = ["merge", "same_json"]


def same_json(one: Any, other: Any) -> bool:
    """Say whether two values are the same in JSON, where ``1``, ``1.0`` and ``true`` are not.

    Examples
    --------
    >>> same_json({"a": 1}, {"a": True}), 1 == True
    (False, True)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def merge(base: Any, mine: Any, stored: Any) -> Any:
    """Apply what changed from `base` (as it was read) to `mine` (as it shall be) to what is `stored` now.

    Dicts are merged key by key and lists item by item (by ``uuid``, or by value), so what others added or changed
    meanwhile stays, unless it is the very thing that was changed here.

    Examples
    --------
    >>> merge({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3, "unknown": 0})
    {'a': 2, 'b': 3, 'unknown': 0}
    """
    if same_json(mine, base):
        return stored
    if isinstance(mine, dict) and isinstance(stored, dict):
        before = base if isinstance(base, dict) else {}
        result = {key: value for key, value in stored.items() if key in mine or key not in before}
        for key, value in mine.items():
            if key in stored:
                result[key] = merge(before.get(key), value, stored[key]) if key in before else value
            elif key not in before or not same_json(before[key], value):
                result[key] = value
        return result
    if isinstance(mine, list) and isinstance(stored, list):
        return _merge_lists(base if isinstance(base, list) else [], mine, stored)
    return mine


def _merge_lists(base: list[Any], mine: list[Any], stored: list[Any]) -> list[Any]:
    before, ours, now = _identified(base), _identified(mine), _identified(stored)
    result = []
    for key, item in ours.items():
        if key in now:
            result.append(merge(before.get(key, item), item, now[key]))
        elif key not in before or not same_json(before[key], item):  # else another writer removed it
            result.append(item)
    return result + [item for key, item in now.items() if key not in before and key not in ours]


def _identified(items: list[Any]) -> dict[Any, Any]:
    """Return the items of a list by what they are, the second of the same kind apart from the first."""
    seen: Counter[Any] = Counter()
    found = {}
    for item in items:
        identity = _identity(item)
        seen[identity] += 1
        found[identity, seen[identity]] = item
    return found


def _identity(item: Any) -> Any:
    if isinstance(item, dict):
        known = next((item[key] for key in ("uuid", "url", "name") if item.get(key)), None)
        return known if isinstance(known, str) else json.dumps(item, sort_keys=True, default=repr)
    is_plain = isinstance(item, str | int | float | bool | type(None))
    return (type(item), item) if is_plain else json.dumps(item, sort_keys=True, default=repr)
