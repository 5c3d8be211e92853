"""Containers as HTML for notebooks; every text is escaped, and a thumbnail that cannot be made is left out."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.containers.data_containers import Data, Dataset, DatasetInfo, Experiment, Run
    from bioimageit_core.containers.tools_containers import Tool, ToolParameterContainer

__all__ = ["data_html", "dataset_html", "experiment_html", "run_html", "thumbnail", "tool_html"]

_SHOWN = 20
_SIDE = 160  # pixels of a thumbnail's longer side
_MOST_PIXELS = 2**26  # larger images are not read for a thumbnail
_IMAGES = (".tif", ".tiff")

_STYLE = (
    "<style>.bioimageit{font-family:system-ui,sans-serif;font-size:13px;line-height:1.4}"
    ".bioimageit h4{margin:0 0 2px;font-size:15px}.bioimageit p{margin:2px 0;opacity:.75}"
    ".bioimageit table{border-collapse:collapse;margin:6px 0}"
    ".bioimageit th,.bioimageit td{text-align:left;padding:2px 12px 2px 0;vertical-align:top;"
    "border-bottom:1px solid rgba(128,128,128,.25)}.bioimageit th{font-weight:600}"
    ".bioimageit .side{display:flex;gap:16px;align-items:flex-start}"
    ".bioimageit img{border-radius:4px;background:#000;image-rendering:auto}</style>"
)

_TEMPLATE = re.compile(r"\$\{\s*([^}]*?)\s*\}|\$([a-z_][\w.]*\w)", re.IGNORECASE)


def experiment_html(experiment: Experiment) -> str:
    """Draw an experiment: who, when, its keys and its datasets."""
    infos: list[DatasetInfo] = [experiment.raw_dataset, *experiment.processed_datasets]
    rows = [(info.name, "raw" if i == 0 else "processed", info.url) for i, info in enumerate(infos) if info.name]
    facts = [("author", experiment.author), ("date", experiment.date), ("keys", ", ".join(experiment.keys))]
    return _page("Experiment", experiment.name, _facts(facts), _rows(["dataset", "kind", "where"], rows))


def dataset_html(dataset: Dataset) -> str:
    """Draw a dataset: how many data it has, and where the first are kept."""
    rows = [(item.md_uri, item.uuid) for item in dataset.uris[:_SHOWN]]
    count = f"<p>{dataset.size()} data</p>"
    return _page("Dataset", dataset.name, count, _rows(["record", "uuid"], rows), _more(dataset.size()))


def data_html(data: Data) -> str:
    """Draw a data: what is known of it, and a thumbnail if it is an image that can be read here."""
    facts: list[tuple[str, Any]] = [
        ("format", data.format),
        ("author", data.author),
        ("date", data.date),
        ("file", data.uri),
        *getattr(data, "key_value_pairs", {}).items(),
    ]
    output = getattr(data, "output", None)
    if output:
        facts.append(("output", output.get("label") or output.get("name")))
        facts += [(f"made from ({each.name})", each.uri) for each in getattr(data, "inputs", [])[:_SHOWN]]
    kind = "Processed data" if data.type == "processed" else "Raw data"
    body = f'<div class="side">{_image(data)}<div>{_facts(facts)}</div></div>'
    return _page(kind, data.name, body)


def run_html(run: Run) -> str:
    """Draw a run: its tool, parameters and inputs."""
    parameters = [(each.name, each.value) for each in run.parameters]
    inputs = [(each.name, each.dataset, each.origin_output_name, each.query) for each in run.inputs]
    return _page(
        "Run",
        run.process_name,
        _rows(["input", "dataset", "output", "query"], inputs),
        _rows(["parameter", "value"], parameters),
    )


def tool_html(tool: Tool) -> str:
    """Draw a tool: what it takes and makes."""
    takes = [_parameter_row(each) for each in tool.inputs]
    # labels of Galaxy are filled in when a tool runs; before that they name it and its inputs
    filled = {"tool.name": tool.name, "tool.id": tool.id, "tool.version": tool.version, "on_string": "the input"}
    makes = [
        (name, kind, _TEMPLATE.sub(lambda found: str(filled.get(found[1] or found[2], "…")), str(said)))
        for name, kind, said, _ in map(_parameter_row, tool.outputs)
    ]
    said = f"<p>{_text(tool.description)}</p><p><code>{_text(tool.fullname())}</code></p>"
    return _page(
        "Tool",
        tool.name or tool.id,
        said,
        _rows(["takes", "kind", "what it is", "default"], takes),
        _rows(["makes", "kind", "what it is"], makes),
    )


def thumbnail(path: str, side: int = _SIDE) -> bytes | None:
    """Return a small PNG of a local TIFF, or None if it cannot be made.

    It shows the first time point and the maximum along Z, channels in colours, each with a contrast from its 1st to its
    99.8th percentile.

    Parameters
    ----------
    side
        Length of the longer side, in pixels.
    """
    try:
        return _thumbnail(path, side)
    except Exception:  # noqa: BLE001 - readers of files fail in many ways, and a table without a picture is still right
        return None


def _thumbnail(path: str, side: int) -> bytes | None:
    if not path.lower().endswith(_IMAGES) or not os.path.isfile(path):
        return None
    import numpy as np
    import tifffile

    with tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        if series.size > _MOST_PIXELS:
            return None
        array, axes = series.asarray(), series.axes
    if "S" in axes:  # colours of one pixel
        array, axes = np.moveaxis(array, axes.index("S"), 0), "S" + axes.replace("S", "")
    for axis in [axis for axis in axes if axis not in "YXCS"]:
        place = axes.index(axis)
        array = array.max(axis=place) if axis == "Z" else array.take(0, axis=place)
        axes = axes.replace(axis, "", 1)
    planes = array.reshape(-1, *array.shape[-2:])[:5]
    step = max(1, -(-max(planes.shape[1:]) // side))
    planes = planes[:, ::step, ::step].astype(np.float64)
    is_rgb = "S" in axes and len(planes) >= 3
    colours = np.eye(3) if is_rgb else np.array(_COLOURS[: len(planes)] if len(planes) > 1 else [(1.0, 1.0, 1.0)])
    mixed = np.zeros((*planes.shape[1:], 3))
    for plane, colour in zip(planes, colours, strict=False):
        low, high = np.percentile(plane, (1, 99.8))
        mixed += (np.clip((plane - low) / (high - low), 0, 1) if high > low else plane * 0)[..., None] * colour
    return _png(np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8))


_COLOURS = [(0.2, 1.0, 0.4), (1.0, 0.3, 0.9), (0.3, 0.8, 1.0), (1.0, 0.8, 0.2), (1.0, 1.0, 1.0)]


def _png(pixels: Any) -> bytes:
    """Write RGB, shape (Y, X, 3), uint8, as a PNG (ISO/IEC 15948)."""
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _image(data: Data) -> str:
    png = thumbnail(data.uri.removeprefix("file://")) if isinstance(data.uri, str) else None
    if png is None:
        return ""
    source = base64.b64encode(png).decode("ascii")
    return f'<img alt="{_text(data.name)}" src="data:image/png;base64,{source}">'


def _parameter_row(parameter: ToolParameterContainer) -> tuple[Any, ...]:
    kind = parameter.format if parameter.is_data else parameter.type
    choices = ", ".join(map(str, parameter.select_info.values[:_SHOWN]))
    said = f"{parameter.description} ({choices})" if choices else parameter.description
    return parameter.name, kind, said, "" if parameter.is_data else parameter.default_value


def _page(kind: str, name: Any, *parts: str) -> str:
    return f'{_STYLE}<div class="bioimageit"><h4>{kind} {_text(name)}</h4>{"".join(parts)}</div>'


def _facts(facts: Iterable[tuple[Any, Any]]) -> str:
    rows = "".join(f"<tr><th>{_text(key)}</th><td>{_text(value)}</td></tr>" for key, value in facts if value != "")
    return f"<table>{rows}</table>"


def _rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{_text(value)}</td>" for value in row) + "</tr>" for row in rows[:_SHOWN])
    return f"<table><tr>{head}</tr>{body}</table>"


def _more(count: int) -> str:
    return f"<p>and {count - _SHOWN} more</p>" if count > _SHOWN else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return escape(text, quote=True)
