"""Containers of experiments, datasets, data and runs: what data services give and take.

All are mutable and can be made without arguments. ``extra`` holds what the stored document says beyond the published
fields, by the document's own keys, so that it survives a rewrite and travels to other homes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "METADATA_TYPE_PROCESSED",
    "METADATA_TYPE_RAW",
    "Container",
    "Data",
    "Dataset",
    "DatasetInfo",
    "Experiment",
    "ProcessedData",
    "ProcessedDataInputContainer",
    "RawData",
    "Run",
    "RunInputContainer",
    "RunParameterContainer",
]

METADATA_TYPE_RAW = "raw"
METADATA_TYPE_PROCESSED = "processed"


@dataclass(eq=False)
class Container:
    """A record in a store: where it is kept, and its identity in every home.

    Attributes
    ----------
    md_uri
        URI of the record in the store that keeps it.
    uuid
        Identity of the record, the same in every home.
    """

    md_uri: str = ""
    uuid: str = ""


@dataclass(eq=False)
class Data(Container):
    """One item, usually an image, and its metadata."""

    name: str = ""
    author: str = ""
    date: str = ""
    format: str = ""
    uri: str = ""
    type: str = ""
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        from bioimageit_core.containers.html import data_html

        return data_html(self)


@dataclass(eq=False)
class RawData(Data):
    """A data that was imported, with key-value pairs and free acquisition metadata."""

    type: str = METADATA_TYPE_RAW
    key_value_pairs: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def set_key_value_pair(self, key: str, value: Any) -> None:
        """Annotate the data with a key and its value."""
        self.key_value_pairs[key] = value


@dataclass(eq=False)
class ProcessedDataInputContainer:
    """A data that a processed data was made from.

    Attributes
    ----------
    name
        Name of the tool's input that it was given to.
    uri
        ``md_uri`` of the data.
    type
        ``'raw'`` or ``'processed'``.
    """

    name: str = ""
    uri: str = ""
    uuid: str = ""
    type_: str = METADATA_TYPE_RAW

    @property
    def type(self) -> str:
        """``'raw'`` or ``'processed'``."""
        return self.type_

    @type.setter
    def type(self, value: str) -> None:
        self.type_ = value


@dataclass(eq=False)
class ProcessedData(Data):
    """A data that a run made.

    Attributes
    ----------
    run
        The run that made it.
    inputs
        What it was made from.
    output
        Which output of the tool it is: ``{'name': ..., 'label': ...}``.
    """

    type: str = METADATA_TYPE_PROCESSED
    run: Container = field(default_factory=Container)
    inputs: list[ProcessedDataInputContainer] = field(default_factory=list)
    output: dict[str, str] = field(default_factory=lambda: {"name": "", "label": ""})

    def set_info(self, name: str, author: str, date: str, format_: str, url: str) -> None:
        """Set what every data has."""
        self.name = name
        self.author = author
        self.date = date
        self.format = format_
        self.uri = url

    def add_input(self, id_: str, data: Data) -> None:
        """Say that `data` was given to the tool's input `id_`."""
        self.add_input_(id_, data.md_uri, data.uuid, data.type)

    def add_input_(self, id_: str, uri: str, uuid: str, type_: str) -> None:
        """Say that the data kept at `uri` was given to the tool's input `id_`."""
        self.inputs.append(ProcessedDataInputContainer(id_, uri, uuid, type_))

    def set_output(self, id_: str, label: str) -> None:
        """Say which output of the tool it is."""
        self.output = {"name": id_, "label": label}


@dataclass(eq=False)
class Dataset(Container):
    """A list of data, raw or processed."""

    name: str = ""
    uris: list[Container] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def size(self) -> int:
        """Count the data."""
        return len(self.uris)

    def _repr_html_(self) -> str:
        from bioimageit_core.containers.html import dataset_html

        return dataset_html(self)


@dataclass(eq=False)
class DatasetInfo:
    """Where an experiment keeps one of its datasets."""

    name: str = ""
    url: str = ""
    uuid: str = ""


@dataclass(eq=False)
class Experiment(Container):
    """A project: one raw dataset, its processed datasets, and the vocabulary of annotation keys."""

    name: str = ""
    author: str = ""
    date: str = ""
    raw_dataset: DatasetInfo = field(default_factory=DatasetInfo)
    processed_datasets: list[DatasetInfo] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def count_processed_dataset(self) -> int:
        """Count the processed datasets."""
        return len(self.processed_datasets)

    def set_key(self, key: str) -> None:
        """Add `key` to the vocabulary, once."""
        if key not in self.keys:
            self.keys.append(key)

    def _repr_html_(self) -> str:
        from bioimageit_core.containers.html import experiment_html

        return experiment_html(self)


@dataclass(eq=False)
class RunParameterContainer:
    """A parameter of a run and its value."""

    name: str = ""
    value: Any = ""


@dataclass(eq=False)
class RunInputContainer:
    """What a run was given: the data of a dataset that a query selects."""

    name: str = ""
    dataset: str = ""
    query: str = ""
    origin_output_name: str = ""


@dataclass(eq=False)
class Run(Container):
    """One execution of a tool over a selection."""

    process_name: str = ""
    process_uri: str = ""
    processed_dataset: Container = field(default_factory=Container)
    parameters: list[RunParameterContainer] = field(default_factory=list)
    inputs: list[RunInputContainer] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def set_process(self, name: str, uri: str) -> None:
        """Say which tool was run."""
        self.process_name = name
        self.process_uri = uri

    def set_dataset(self, dataset: Dataset) -> None:
        """Say which dataset holds what the run made."""
        self.processed_dataset = Container(dataset.md_uri, dataset.uuid)

    def add_parameter(self, name: str, value: Any) -> None:
        """Say which value a parameter had."""
        self.parameters.append(RunParameterContainer(name, value))

    def add_input(self, name: str, dataset: str, query: str, origin_output_name: str) -> None:
        """Say which selection an input was given."""
        self.inputs.append(RunInputContainer(name, dataset, query, origin_output_name))

    def _repr_html_(self) -> str:
        from bioimageit_core.containers.html import run_html

        return run_html(self)
