"""Containers and the documents that keep them: the one place that knows their shape.

A document is a dict as JSON gives it. Reading validates it against the types of `record_parts`, resolves its URLs, and
keeps what it says beyond the published keys in the container's ``extra``. Writing gives the published keys in their
order, then ``extra``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from bioimageit_core.containers import (
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    ProcessedDataInputContainer,
    RawData,
    Run,
    RunInputContainer,
    RunParameterContainer,
)
from bioimageit_core.core import record_parts as parts
from bioimageit_core.core.exceptions import DocumentError
from bioimageit_core.core.json_text import MAX_BYTES

__all__ = [
    "FORMAT_VERSION",
    "Document",
    "Record",
    "container_of",
    "document_of",
    "kind_of",
    "plain_container_of",
]

Document: TypeAlias = dict[str, Any]
Record: TypeAlias = Experiment | Dataset | RawData | ProcessedData | Run
Url: TypeAlias = Callable[[str], str]

FORMAT_VERSION = 1
"""What a document that says something new may carry as ``format_version``; a larger one is refused."""


def kind_of(document: Document) -> str:
    """Say what a document describes, ``experiment`` or ``raw data`` for example; ``''`` where nothing tells."""
    if "common" in document:
        origin = document.get("origin")
        kind = origin.get("type") if isinstance(origin, dict) else "raw"
        return "processed data" if kind == "processed" else "raw data"
    return next((kind for key, kind in _TELLING_KEYS.items() if key in document), "")


_TELLING_KEYS = {"information": "experiment", "urls": "dataset", "process": "run"}


def container_of(kind: type[Any], document: Document, md_uri: str, resolve: Url) -> Any:
    """Make the container that a document describes.

    Parameters
    ----------
    kind
        `Experiment`, `Dataset`, `RawData`, `ProcessedData` or `Run`.
    resolve
        Makes an absolute URI of a URL that stands in the document; raises where it must not be followed.

    Raises
    ------
    DocumentError
        The document is not of that kind, a value has the wrong type, or a newer version wrote it.
    """
    version = document.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise DocumentError(
            md_uri,
            f"was written in format version {version!r}; this software reads up to {FORMAT_VERSION}",
            "$.format_version",
        )
    struct, _ = _KINDS[kind]
    try:
        part = msgspec.convert(document, struct)
    except msgspec.ValidationError as error:
        raise _explain(error, kind, document, md_uri) from error
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can spell and Unicode does not have
        raise DocumentError(md_uri, f"has the key {error.object!r}, which holds half a character") from error
    container = _made(kind, part, md_uri, resolve)
    container.extra = _unknown(document, _SHAPES[kind])
    return container


def plain_container_of(kind: type[Any], content: bytes, md_uri: str, resolve: Url) -> Any | None:
    """Make the container of a document's bytes in one step; None where it is not of that kind, or says anything new.

    Raises
    ------
    DocumentError
        What `resolve` raises.
    """
    if len(content) > MAX_BYTES:
        return None
    decoder, make = _PLAIN.get(kind) or _plain(kind)
    try:
        part = decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    container = make(part, resolve)  # as `_made` does; of a hundred thousand each call counts
    container.md_uri, container.uuid = md_uri, part.uuid
    return container


def _made(kind: type[Any], part: Any, md_uri: str, resolve: Url) -> Any:
    container = _KINDS[kind][1](part, resolve)
    container.md_uri, container.uuid = md_uri, part.uuid
    return container


_Plain: TypeAlias = tuple[msgspec.json.Decoder[Any], Callable[[Any, Url], Any]]
_PLAIN: dict[type[Any], _Plain] = {}


def _plain(kind: type[Any]) -> _Plain:
    part, make = _KINDS[kind]
    _PLAIN[kind] = (msgspec.json.Decoder(parts.plain(part)), make)
    return _PLAIN[kind]


def _explain(error: Exception, kind: type[Any], document: Document, md_uri: str) -> DocumentError:
    expected, found = _TITLES[kind], kind_of(document)
    if found and found != expected:
        return DocumentError(md_uri, f"expected {expected}, found {found}")
    message, _, field = str(error).partition(" - at `")
    message = message.replace("Object missing", "lacks the").replace("Expected", "expected")
    return DocumentError(md_uri, message, field.rstrip("`"))


def _experiment(part: parts.Experiment, resolve: Url) -> Experiment:
    def info(link: parts.Link) -> DatasetInfo:
        return DatasetInfo(link.name, resolve(link.url), link.uuid)

    about = part.information
    datasets = [info(link) for link in part.processed_datasets]
    return Experiment("", "", about.name, about.author, about.date, info(part.raw_dataset), datasets, part.keys)


def _dataset(part: parts.Dataset, resolve: Url) -> Dataset:
    dataset, links = Dataset("", "", part.name), part.urls
    links.reverse()
    while links:  # a list may be long: what was read is let go
        link = links.pop()
        dataset.uris.append(Container(resolve(link.url), link.uuid))
    return dataset


def _fill(data: Data, common: parts.Common, resolve: Url) -> None:
    data.name, data.author, data.date, data.format = common.name, common.author, common.date, common.format
    data.uri = resolve(common.url)


def _raw_data(part: parts.RawData, resolve: Url) -> RawData:
    data = RawData(key_value_pairs=part.key_value_pairs, metadata=part.metadata)
    _fill(data, part.common, resolve)
    return data


def _processed_data(part: parts.ProcessedData, resolve: Url) -> ProcessedData:
    origin = part.origin
    data = ProcessedData(run=Container(resolve(origin.run.url), origin.run.uuid))
    for link in origin.inputs:
        data.inputs.append(ProcessedDataInputContainer(link.name, resolve(link.url), link.uuid, link.type))
    data.set_output(origin.output.name, origin.output.label)
    _fill(data, part.common, resolve)
    return data


def _run(part: parts.Run, resolve: Url) -> Run:
    run = Run(processed_dataset=Container(resolve(part.processed_dataset.url), part.processed_dataset.uuid))
    run.set_process(part.process.name, part.process.url)
    run.parameters = [RunParameterContainer(item.name, item.value) for item in part.parameters]
    run.inputs = [RunInputContainer(i.name, i.dataset, i.query, i.origin_output_name) for i in part.inputs]
    return run


_KINDS: dict[type[Any], tuple[type[Any], Callable[[Any, Url], Any]]] = {
    Experiment: (parts.Experiment, _experiment),
    Dataset: (parts.Dataset, _dataset),
    RawData: (parts.RawData, _raw_data),
    ProcessedData: (parts.ProcessedData, _processed_data),
    Run: (parts.Run, _run),
}
_TITLES = {
    Experiment: "experiment",
    Dataset: "dataset",
    RawData: "raw data",
    ProcessedData: "processed data",
    Run: "run",
}

# The keys that containers have fields for. What stands in a document beyond these is its ``extra``; a dict means
# that the keys below are looked at too, None that the value is the field's as a whole.
_LINK: dict[str, Any] = {"name": None, "url": None, "uuid": None}
_COMMON: dict[str, Any] = {"name": None, "author": None, "date": None, "format": None, "url": None}
_SHAPES: dict[type[Any], dict[str, Any]] = {
    Experiment: {
        "uuid": None,
        "information": {"name": None, "author": None, "date": None},
        "raw_dataset": _LINK,
        "processed_datasets": None,
        "keys": None,
    },
    Dataset: {"uuid": None, "name": None, "urls": None},
    RawData: {"uuid": None, "origin": {"type": None}, "common": _COMMON, "metadata": None, "key_value_pairs": None},
    ProcessedData: {
        "uuid": None,
        "common": _COMMON,
        "origin": {"type": None, "run": _LINK, "inputs": None, "output": {"name": None, "label": None}},
    },
    Run: {
        "uuid": None,
        "process": {"name": None, "url": None},
        "processed_dataset": {"uuid": None, "url": None},
        "inputs": None,
        "parameters": None,
    },
}


def _unknown(document: Mapping[str, Any], shape: Mapping[str, Any]) -> Document:
    found: Document = {}
    for key, value in document.items():
        if key not in shape:
            found[key] = value
        elif shape[key] is not None and isinstance(value, dict) and (inner := _unknown(value, shape[key])):
            found[key] = inner
    return found


def document_of(record: Any, relate: Url) -> Document:
    """Make the document that keeps a container; `relate` makes the URLs in it relative to where it will stand."""
    write = _WRITERS.get(type(record)) or next(w for kind, w in _WRITERS.items() if isinstance(record, kind))
    document = write(record, relate)
    return _with_extra(document, record.extra) if record.extra else document


def _with_extra(document: Document, extra: Mapping[str, Any]) -> Document:
    for key, value in extra.items():
        if key not in document:
            document[key] = value
        elif isinstance(value, dict) and isinstance(document[key], dict):
            _with_extra(document[key], value)
    return document


def _experiment_document(experiment: Experiment, relate: Url) -> Document:
    def link(info: DatasetInfo) -> Document:
        return {"name": info.name, "url": relate(info.url), "uuid": info.uuid}

    return {
        "uuid": experiment.uuid,
        "information": {"name": experiment.name, "author": experiment.author, "date": experiment.date},
        "raw_dataset": link(experiment.raw_dataset),
        "processed_datasets": [link(info) for info in experiment.processed_datasets],
        "keys": list(experiment.keys),
    }


def _dataset_document(dataset: Dataset, relate: Url) -> Document:
    urls = [{"uuid": item.uuid, "url": relate(item.md_uri)} for item in dataset.uris]
    return {"uuid": dataset.uuid, "name": dataset.name, "urls": urls}


def _common_document(data: Data, relate: Url) -> Document:
    about = {"name": data.name, "author": data.author, "date": data.date, "format": data.format}
    return {**about, "url": relate(data.uri)}


def _raw_document(data: RawData, relate: Url) -> Document:
    return {
        "uuid": data.uuid,
        "origin": {"type": "raw"},
        "common": _common_document(data, relate),
        "metadata": dict(data.metadata),
        "key_value_pairs": dict(data.key_value_pairs),
    }


def _processed_document(data: ProcessedData, relate: Url) -> Document:
    inputs = [{"name": i.name, "url": relate(i.uri), "uuid": i.uuid, "type": i.type} for i in data.inputs]
    output = {"name": data.output.get("name", ""), "label": data.output.get("label", "")}
    return {
        "uuid": data.uuid,
        "common": _common_document(data, relate),
        "origin": {
            "type": "processed",
            "run": {"url": relate(data.run.md_uri), "uuid": data.run.uuid},
            "inputs": inputs,
            "output": output,
        },
    }


def _run_document(run: Run, relate: Url) -> Document:
    return {
        "uuid": run.uuid,
        "process": {"name": run.process_name, "url": run.process_uri},
        "processed_dataset": {"uuid": run.processed_dataset.uuid, "url": relate(run.processed_dataset.md_uri)},
        "inputs": [
            {"name": i.name, "dataset": i.dataset, "query": i.query, "origin_output_name": i.origin_output_name}
            for i in run.inputs
        ],
        "parameters": [{"name": p.name, "value": p.value} for p in run.parameters],
    }


_WRITERS: dict[type[Any], Callable[[Any, Url], Document]] = {
    Experiment: _experiment_document,
    Dataset: _dataset_document,
    RawData: _raw_document,
    ProcessedData: _processed_document,
    Run: _run_document,
}
