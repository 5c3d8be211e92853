"""Which data of several selections belong together: those of one origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bioimageit_core.containers import Data, ProcessedData
from bioimageit_core.core.exceptions import PairingError

__all__ = ["Selected", "pair"]


class Selected(NamedTuple):
    """A data that was selected for an input.

    Attributes
    ----------
    origin
        Identity of the raw data that it comes from; empty where that is not known.
    """

    data: Data
    origin: str


def pair(selections: Mapping[str, Sequence[Selected]], broadcast: Collection[str] = ()) -> list[dict[str, Data]]:
    """Pair the data of several inputs by their origin; the order is that of the first input.

    Positions say nothing: each input must have exactly one data of each origin. The data of one input alone need no
    partners.

    Parameters
    ----------
    broadcast
        Inputs whose one data goes with all, whatever its origin: a flat field, a model. Only who asks for the job can
        know that, so it is never guessed.

    Raises
    ------
    PairingError
        A data lacks its partner, or has several.
    """
    shared = {name: _only(name, selections[name]) for name in selections if name in broadcast and len(selections) > 1}
    paired = {name: items for name, items in selections.items() if name not in shared}
    if not paired:
        return [shared] if shared else []
    if len(paired) == 1:
        ((name, items),) = paired.items()
        return [{name: item.data, **shared} for item in items]
    grouped = {name: _by_origin(name, items) for name, items in paired.items()}
    by_origin = {name: groups.one for name, groups in grouped.items()}
    _check_partners(paired, by_origin)
    for name, groups in grouped.items():
        for several in groups.several.values():
            raise PairingError({}, _why_ambiguous(name, several))
    first = next(iter(by_origin.values()))
    return [{**{name: data[origin] for name, data in by_origin.items()}, **shared} for origin in first]


@dataclass
class _Groups:
    """The data of an input by their origin: one of each, and those origins that have several."""

    one: dict[str, Data] = field(default_factory=dict)
    several: dict[str, list[Data]] = field(default_factory=dict)


def _only(name: str, items: Sequence[Selected]) -> Data:
    if len(items) != 1:
        raise PairingError({}, f"input {name!r} is to go with all data, so it needs exactly one; it has {len(items)}")
    return items[0].data


def _by_origin(name: str, items: Sequence[Selected]) -> _Groups:
    groups = _Groups()
    unknown = []
    for data, origin in items:
        if not origin:
            unknown.append(data.name)
        elif origin in groups.one:
            groups.several.setdefault(origin, [groups.one[origin]]).append(data)
        else:
            groups.one[origin] = data
    if unknown:
        reason = f"data of input {name!r} come from no raw data that is there: {_listed(unknown)}"
        raise PairingError({}, f"{reason}; inputs are paired by their common origin")
    return groups


def _check_partners(selections: Mapping[str, Sequence[Selected]], by_origin: Mapping[str, Mapping[str, Data]]) -> None:
    lacking: dict[str, list[str]] = {}
    for name, groups in by_origin.items():
        others = {origin for other, found in by_origin.items() if other != name for origin in found}
        if others <= groups.keys():
            continue
        missing: dict[str, str] = {}
        for items in selections.values():  # those of this input itself are all in its groups
            for data, origin in items:
                if origin not in groups:
                    missing.setdefault(origin, data.name)
        lacking[name] = list(missing.values())
    if lacking:
        raise PairingError(lacking, "inputs are paired by their common origin")


def _why_ambiguous(name: str, several: Sequence[Data]) -> str:
    reason = f"input {name!r} has {len(several)} data of one origin: {_listed([data.name for data in several])}"
    outputs = sorted({data.output.get("name", "") for data in several if isinstance(data, ProcessedData)} - {""})
    if len(outputs) > 1:
        return f"{reason}; say which output is meant: {' or '.join(outputs)}"
    runs = {data.run.uuid or data.run.md_uri for data in several if isinstance(data, ProcessedData)}
    if len(runs) > 1:
        return f"{reason}; they were made by {len(runs)} runs: give each run a dataset of its own, or narrow the query"
    return f"{reason}; narrow the query so that one is left"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(names[:10])}{more}"
