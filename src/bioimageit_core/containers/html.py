"""Containers as HTML for notebooks; every text is escaped, and a thumbnail that cannot be made is left out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.containers.data_containers import Data, Dataset, DatasetInfo, Experiment, Run
    from bioimageit_core.containers.tools_containers import Tool, ToolParameterContainer

__all__ = ["data_html", "dataset_html", "experiment_html", "run_html", "thumbnail", "tool_html"]

_SHOWN = 20
_SIDE = 160  # pixels of a thumbnail's longer side
_BY_OTHER_READERS = ("bioformat",)  # formats that nothing tells at the first bytes

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


def thumbnail(data: Data, side: int = _SIDE) -> bytes | None:
    """Return the small PNG of a data that all views show, or None if it cannot be made of what is on this machine.

    Parameters
    ----------
    side
        Length of the longer side, in pixels.
    """
    path = data.uri.removeprefix("file://") if isinstance(data.uri, str) else ""
    try:
        from bioimageit_core.images.reading import kind_of
        from bioimageit_core.images.thumbnails import name_for_look, thumbnail_of

        if not kind_of(path) and data.format not in _BY_OTHER_READERS:
            return None
        return thumbnail_of(path, side, name_for_look(data)).read_bytes()
    except Exception:  # noqa: BLE001 - readers of files fail in many ways, and a table without a picture is still right
        return None


def _image(data: Data) -> str:
    png = thumbnail(data)
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
