"""Whether a tool accepts its inputs, asked of all of them before anything runs."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bioimageit_core.containers import Data, Tool
from bioimageit_core.core.exceptions import ToolsServiceError

if TYPE_CHECKING:
    from bioimageit_core.jobs.plan import Plan

__all__ = ["find_misfits", "find_refused"]


def find_misfits(tool: Tool, items: Iterable[Mapping[str, Sequence[Data]]]) -> list[str]:
    """Say of each input what the tool does not accept of it: its format, or that its file is not there.

    Each data is looked at once for each input. Remote data are looked at by name alone.
    """
    from bioimageit_core.core.wrappers.datatypes import accepts

    formats = {parameter.name: [f for f in parameter.format.split(",") if f.strip()] for parameter in tool.inputs}
    known: dict[tuple[str, str, str], bool] = {}
    seen: set[tuple[str, str]] = set()
    misfits = []
    for inputs in items:
        for name, several in inputs.items():
            for data in several:
                if (name, data.uuid or data.md_uri) in seen:
                    continue
                seen.add((name, data.uuid or data.md_uri))
                path = data.uri.removeprefix("file://")
                if wrong := _what_is_wrong(path):
                    misfits.append(f"{data.name} (input {name!r}): {wrong}")
                    continue
                file_name = data.name if "." in data.name else os.path.basename(path)
                kind = (name, os.path.splitext(os.path.basename(path) or file_name)[1].lower(), data.format)
                if kind not in known:
                    known[kind] = _fits(accepts, formats.get(name, []), path or file_name, data.format)
                if not known[kind]:
                    expected = " or ".join(formats[name])
                    said = f"{data.name} (input {name!r}): is {data.format or 'of no format'}, not {expected}"
                    misfits.append(said + _what_helps(formats[name], data.format))
    return misfits


def find_refused(plan: Plan) -> list[str]:
    """Say of each item that is to run what the wrapper's own checks refuse: axes, channels, types, missing inputs.

    Where the wrapper checks no images the first item stands for all.
    """
    items = [item for item in plan.items if item.action == "run"]
    refused = []
    for item in items if plan.with_facts else items[:1]:
        try:
            plan.check_inputs(item.inputs)
        except ToolsServiceError as error:
            refused.append(str(error) if not plan.with_facts else f"{item.name}: {error}")
    return refused


def _what_is_wrong(path: str) -> str:
    """Say that a local file is not there, or is empty; one look at each, for there may be very many."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return f"its file {path} is not there" if os.path.isabs(path) else ""
    return "its file is empty" if stat.S_ISREG(status.st_mode) and status.st_size == 0 else ""


def _what_helps(formats: Sequence[str], format_: str) -> str:
    """Name the copy that an import can make of a microscope's own format, where the tool takes that."""
    from bioimageit_core.core.wrappers.datatypes import accepts

    copies = {"ome-tiff": ("a.ome.tif", "imagetiff"), "ome-zarr": ("a.ome.zarr", "imagezarr")}
    taken = [name for name, (path, kind) in copies.items() if accepts(formats, path, kind)]
    if format_ != "bioformat" or not taken:
        return ""
    return f"; import it with --convert {' or '.join(taken)}"


def _fits(accepts: Callable[..., bool], formats: Sequence[str], path: str, format_: str) -> bool:
    return accepts(formats, path, format_)
