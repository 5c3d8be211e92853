"""The payload of a crate: an experiment as a folder that LOCAL reads, its files copied or left where they lie."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioimageit_core.containers import Container, Data, Dataset, DatasetInfo, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.json_text import encode
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.paths import candidates, document_names, file_names, folded, relative_path, storable_name
from bioimageit_core.core.records import document_of
from bioimageit_core.exchange.content import change_of, digest, fetch
from bioimageit_core.exchange.facts import REFERENCE
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.contracts import DataService, GetsDataUri, ListsRuns
from bioimageit_core.plugins.store.layout import DATA as RAW_FOLDER
from bioimageit_core.plugins.store.layout import EXPERIMENT, OURS, PROCESSED_DATASET, RAW_DATASET

__all__ = ["Packed", "PackedData", "PackedDataset", "pack"]

_METADATA = {"ro-crate-metadata.json", "ro-crate-preview.html", "readme.md", EXPERIMENT, OURS}


@dataclass(frozen=True)
class PackedData:
    """A data in the crate.

    Attributes
    ----------
    path
        Of its file, relative to the crate; an absolute path where the file was left where it lies.
    sha256, size
        Of the file; see `content.digest` for directories.
    """

    data: Data
    path: str
    sha256: str
    size: int
    is_directory: bool

    @property
    def is_referenced(self) -> bool:
        """Whether the file is not in the crate."""
        return os.path.isabs(self.path)


@dataclass
class PackedDataset:
    """A dataset in the crate; `folder` is relative to it."""

    dataset: Dataset
    name: str
    folder: str
    is_raw: bool
    data: list[PackedData] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)


@dataclass
class Packed:
    """An experiment in a crate."""

    experiment: Experiment
    datasets: list[PackedDataset]
    changed: list[str] = field(default_factory=list)
    """Of which files the home says that they are not what was stored, in words."""

    def all_data(self) -> Iterator[PackedData]:
        """Give the data of all datasets."""
        for dataset in self.datasets:
            yield from dataset.data


def pack(
    experiment: Experiment,
    service: DataService,
    folder: Path,
    *,
    by_reference: bool = False,
    observers: Sequence[Observer] = (),
) -> Packed:
    """Write an experiment into an empty folder, in the layout of LOCAL.

    Raises
    ------
    DataServiceError
        A record or file cannot be read or written; or, by reference, a file is not on this machine.
    """
    return _Packer(service, folder, by_reference, observers).run(experiment)


class _Packer:
    def __init__(self, service: DataService, folder: Path, by_reference: bool, observers: Sequence[Observer]) -> None:
        self._service = service
        self._folder = folder
        self._by_reference = by_reference
        self._observers = observers
        self._changed: list[str] = []
        self._room = ""  # where a file arrives before it has its name
        self._places: dict[str, str] = {}  # uuid of a record: its document, relative to the crate
        self._names: dict[str, set[str]] = {}  # what each folder holds, as filesystems without case see it

    def run(self, given: Experiment) -> Packed:
        experiment = self._service.get_experiment(given.md_uri)
        infos = [experiment.raw_dataset, *experiment.processed_datasets]
        self._names[""] = {folded(name) for name in (*_METADATA, RAW_FOLDER)}
        datasets = [self._dataset(info, info is experiment.raw_dataset) for info in infos]
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=OURS) as self._room:
            self._write_files(datasets)
        packed = Packed(experiment, datasets, self._changed)
        self._write_documents(packed)
        return packed

    def _write_files(self, datasets: list[PackedDataset]) -> None:
        total = sum(dataset.dataset.size() for dataset in datasets) or 1
        done = 0
        for dataset in datasets:
            for data in iterate_data(self._service, dataset.dataset, dataset.is_raw):
                dataset.data.append(self._file(data, dataset.folder))
                done += 1
                for observer in self._observers:
                    observer.notify_progress(100 * done // total, f"pack {data.name}")

    def _dataset(self, info: DatasetInfo, is_raw: bool) -> PackedDataset:
        dataset = self._service.get_dataset(info.url)
        name = RAW_FOLDER if is_raw else self._free("", file_names(storable_name(info.name)))
        document = RAW_DATASET if is_raw else PROCESSED_DATASET
        (self._folder / name).mkdir()
        self._names[name] = {folded(document)}
        self._places[dataset.uuid] = f"{name}/{document}"
        packed = PackedDataset(dataset, info.name, name, is_raw)
        if not is_raw and isinstance(self._service, ListsRuns):
            packed.runs = self._service.get_dataset_runs(dataset)
        for run in packed.runs:
            self._places[run.uuid] = f"{name}/{self._free(name, candidates('run', '.md.json'))}"
        return packed

    def _free(self, folder: str, names: Iterator[str]) -> str:
        taken = self._names[folder]
        name = next(name for name in names if folded(name) not in taken)
        taken.add(folded(name))
        return name

    def _file(self, data: Data, folder: str) -> PackedData:
        if self._by_reference:
            path = self._where(data)
            packed, name = path, os.path.basename(path)
        else:
            fetched = fetch(self._service, data, self._room)
            name = self._free(folder, file_names(storable_name(os.path.basename(fetched))))
            path = str(self._folder / folder / name)
            os.replace(fetched, path)
            packed = f"{folder}/{name}"
        sha256, size = digest(path)
        if told := change_of(self._service, data, sha256):
            self._changed.append(told)
        self._places[data.uuid] = f"{folder}/{self._free(folder, document_names(storable_name(name)))}"
        return PackedData(data, packed, sha256, size, os.path.isdir(path))

    def _where(self, data: Data) -> str:
        uri = self._service.get_data_uri(data) if isinstance(self._service, GetsDataUri) else data.uri
        path = uri.removeprefix("file://").rstrip("/")
        if not os.path.isabs(path) or not os.path.exists(path):
            raise DataServiceError(f"{data.name!r} cannot be referenced: {uri!r} is no file on this machine; copy it")
        return os.path.realpath(path)

    # Documents

    def _write_documents(self, packed: Packed) -> None:
        experiment = copy.copy(packed.experiment)
        infos = [DatasetInfo(d.name, self._places[d.dataset.uuid], d.dataset.uuid) for d in packed.datasets]
        experiment.raw_dataset, experiment.processed_datasets = infos[0], infos[1:]
        self._write(EXPERIMENT, experiment)
        for dataset in packed.datasets:
            record = copy.copy(dataset.dataset)
            record.uris = [Container(self._places[packed.data.uuid], packed.data.uuid) for packed in dataset.data]
            self._write(self._places[record.uuid], record)
            for run in dataset.runs:
                self._write_run(run, record)
            for data in dataset.data:
                self._write_data(data, packed.experiment.keys)

    def _write_run(self, run: Run, dataset: Dataset) -> None:
        record = copy.copy(run)
        record.processed_dataset = Container(self._places[dataset.uuid], dataset.uuid)
        self._write(self._places[run.uuid], record)

    def _write_data(self, packed: PackedData, keys: Sequence[str]) -> None:
        record = copy.copy(packed.data)
        record.uri = packed.path
        record.extra = {key: value for key, value in record.extra.items() if key != REFERENCE}
        if isinstance(record, RawData):  # what a home filled in is not said by the data
            pairs = record.key_value_pairs
            record.key_value_pairs = {key: v for key, v in pairs.items() if v != "" or key not in keys}
        if isinstance(record, ProcessedData):
            record.run = Container(self._places.get(record.run.uuid, ""), record.run.uuid)
            record.inputs = [copy.copy(item) for item in record.inputs]
            for item in record.inputs:
                item.uri = self._places.get(item.uuid, "")
        self._write(self._places[record.uuid], record)

    def _write(self, place: str, record: Any) -> None:
        relate: Callable[[str], str] = lambda uri: relative_path(uri, place) if uri else ""  # noqa: E731
        (self._folder / place).write_bytes(encode(document_of(record, relate)))
