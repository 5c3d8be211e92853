"""The parts that documents are made of, as types that reading validates against."""

from __future__ import annotations

from typing import Any, Literal, cast, get_type_hints

import msgspec


class Part(msgspec.Struct):
    """A part of a document: lenient about what is missing, strict about types."""


class Information(Part):
    name: str = ""
    author: str = ""
    date: str = ""


class Link(Part):
    uuid: str = ""
    url: str = ""
    name: str = ""


class Common(Part):
    name: str = ""
    author: str = ""
    date: str = ""
    format: str = ""
    url: str = ""


class Input(Part):
    name: str = ""
    url: str = ""
    uuid: str = ""
    type: Literal["raw", "processed"] = "raw"


class Output(Part):
    name: str = ""
    label: str = ""


class RawOrigin(Part):
    type: Literal["raw"] = "raw"


class ProcessedOrigin(Part):
    type: Literal["processed"] = "processed"
    run: Link = msgspec.field(default_factory=Link)
    inputs: list[Input] = []
    output: Output = msgspec.field(default_factory=Output)


class Process(Part):
    name: str = ""
    url: str = ""


class RunInput(Part):
    name: str = ""
    dataset: str = ""
    query: str = ""
    origin_output_name: str = ""


class RunParameter(Part):
    name: str = ""
    value: Any = ""


class Experiment(Part):
    information: Information
    uuid: str = ""
    raw_dataset: Link = msgspec.field(default_factory=Link)
    processed_datasets: list[Link] = []
    keys: list[str] = []


class Dataset(Part):
    urls: list[Link]
    uuid: str = ""
    name: str = ""


class RawData(Part):
    common: Common
    uuid: str = ""
    origin: RawOrigin = msgspec.field(default_factory=RawOrigin)
    metadata: dict[str, Any] = {}
    key_value_pairs: dict[str, Any] = {}


class ProcessedData(Part):
    common: Common
    origin: ProcessedOrigin
    uuid: str = ""


class Run(Part):
    process: Process
    uuid: str = ""
    processed_dataset: Link = msgspec.field(default_factory=Link)
    inputs: list[RunInput] = []
    parameters: list[RunParameter] = []


def plain(struct: Any) -> type[msgspec.Struct]:
    """Return the same struct for documents that have no other keys."""
    types = get_type_hints(struct)
    fields: list[Any] = []
    for each in msgspec.structs.fields(struct):
        type_ = types[each.name]
        inner = plain(type_) if isinstance(type_, type) and issubclass(type_, Part) else type_
        if each.default_factory is not msgspec.NODEFAULT:
            fields.append((each.name, inner, msgspec.field(default_factory=cast("Any", each.default_factory))))
        elif each.default is not msgspec.NODEFAULT:
            fields.append((each.name, inner, msgspec.field(default=each.default)))
        else:
            fields.append((each.name, inner))
    return msgspec.defstruct(struct.__name__, fields, forbid_unknown_fields=True)
