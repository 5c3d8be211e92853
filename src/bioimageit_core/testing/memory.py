"""A data service that keeps everything in memory: the model of the conformance kit, and an example of a service."""

from __future__ import annotations

import copy
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any

from bioimageit_core.containers import Container, Data, Dataset, DatasetInfo, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, InvalidNameError, NotFoundError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.query import fields_of, parse_query
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_core.plugins.contracts import DataService
from bioimageit_core.testing.content import read_content, write_content
from bioimageit_core.testing.memory_store import MemoryStore, read_record

__all__ = ["MemoryMetadataService", "MemoryMetadataServiceBuilder", "MemoryStore"]


class MemoryMetadataService(DataService):
    """Keep experiments in a `MemoryStore`, for as long as the process lives."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self._scratch = tempfile.mkdtemp(prefix="bioimageit-memory-")
        self._removing = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)

    def close(self) -> None:
        """Remove the local copies that were made for tools."""
        self._removing()

    # experiments

    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        """Create an experiment with an empty raw dataset named ``data``; `destination` is a name of your choice."""
        _check_name("experiment", name)
        store = self.store
        with store.transaction() as tables:
            if any(e.name == name and tables.workspaces[uri] == destination for uri, e in tables.experiments.items()):
                raise ConflictError(f"{destination!r} has an experiment named {name!r}")
            raw = Dataset(store.new_uri("dataset"), generate_uuid(), "data")
            experiment = Experiment(
                store.new_uri("experiment"),
                generate_uuid(),
                name,
                author,
                format_date(date),
                DatasetInfo("data", raw.md_uri, raw.uuid),
                [],
                list(dict.fromkeys(keys or [])),
            )
            store.put(tables.datasets, raw.md_uri, raw)
            store.put(tables.experiments, experiment.md_uri, experiment)
            tables.workspaces[experiment.md_uri] = destination
            tables.experiment_of[raw.md_uri] = experiment.md_uri
        return experiment

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        """List the experiments that were created with this destination."""
        tables = self.store.tables
        return [
            {"md_uri": uri, "info": copy.deepcopy(experiment)}
            for uri, experiment in tables.experiments.items()
            if tables.workspaces[uri] == workspace_uri
        ]

    def get_experiment(self, md_uri: str) -> Experiment:
        """Read one experiment."""
        return read_record("experiment", self.store.tables.experiments, md_uri)

    def update_experiment(self, experiment: Experiment) -> None:
        """Write an experiment's information and keys; its list of datasets is the store's own."""
        with self.store.transaction() as tables:
            stored = read_record("experiment", tables.experiments, experiment.md_uri)
            new = copy.deepcopy(experiment)
            new.raw_dataset, new.processed_datasets = stored.raw_dataset, stored.processed_datasets
            self.store.put(tables.experiments, new.md_uri, new)

    # raw data

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = dict,
    ) -> RawData:
        """Copy a file or directory into the raw dataset; if it is there already, return the data that is there."""
        _check_name("data", name)
        content = read_content(data_path)
        store = self.store
        pairs = {} if key_value_pairs is dict else dict(key_value_pairs or {})
        with store.transaction() as tables:
            stored = read_record("experiment", tables.experiments, experiment.md_uri)
            dataset = read_record("dataset", tables.datasets, stored.raw_dataset.url)
            for entry in dataset.uris:
                known = tables.data.get(entry.md_uri)
                if known is not None and known.name == name and tables.files.get(known.uri) == content:
                    return self.get_raw_data(entry.md_uri)
            file_uri = store.new_uri("file")
            data = RawData(store.new_uri("data"), generate_uuid(), name, author, format_date(date), format_, file_uri)
            data.key_value_pairs = pairs
            for key in pairs:
                stored.set_key(key)
            dataset.uris.append(Container(data.md_uri, data.uuid))
            store.put(tables.files, file_uri, content)
            store.put(tables.data, data.md_uri, data)
            store.put(tables.datasets, dataset.md_uri, dataset)
            store.put(tables.experiments, stored.md_uri, stored)
            tables.experiment_of[data.md_uri] = stored.md_uri
        for key in pairs:
            experiment.set_key(key)
        return self.get_raw_data(data.md_uri)

    def import_dir(
        self,
        experiment: Experiment,
        dir_uri: str,
        filter_: str,
        author: str,
        format_: str,
        date: str,
        directory_tag_key: str = "",
        observers: list[Observer] | None = None,
    ) -> None:
        """Import every file of a directory whose name matches; a Zarr directory is one data."""
        try:
            pattern = re.compile(filter_)
            found = sorted(os.listdir(dir_uri))
        except (re.error, OSError) as error:
            raise DataServiceError(f"cannot import {dir_uri!r} with the filter {filter_!r}: {error}") from error
        paths = [os.path.join(dir_uri, name) for name in found if pattern.search(name)]
        paths = [path for path in paths if os.path.isfile(path) or path.endswith(".zarr")]
        tag = {directory_tag_key: os.path.basename(os.path.normpath(dir_uri))} if directory_tag_key else {}
        for number, path in enumerate(paths, 1):
            self.import_data(experiment, path, os.path.basename(path), author, format_, date, tag)
            for observer in observers or []:
                observer.notify_progress(100 * number // len(paths), os.path.basename(path))

    def get_raw_data(self, md_uri: str) -> RawData:
        """Read a raw data; it has every key of its experiment."""
        tables = self.store.tables
        data = read_record("data", tables.data, md_uri)
        if not isinstance(data, RawData):
            raise NotFoundError("raw data", md_uri)
        for key in tables.experiments[tables.experiment_of[md_uri]].keys:
            data.key_value_pairs.setdefault(key, "")
        return data

    def update_raw_data(self, raw_data: RawData) -> None:
        """Write a raw data's metadata."""
        self._update_data(raw_data, RawData)

    # processed data

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        """Read a processed data."""
        data = read_record("data", self.store.tables.data, md_uri)
        if not isinstance(data, ProcessedData):
            raise NotFoundError("processed data", md_uri)
        return data

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        """Write a processed data's metadata."""
        self._update_data(processed_data, ProcessedData)

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Store a processed data and its file, and list it in its dataset."""
        _check_name("data", processed_data.name)
        content = read_content(processed_data.uri)
        store = self.store
        with store.transaction() as tables:
            stored = read_record("dataset", tables.datasets, dataset.md_uri)
            read_record("run", tables.runs, run.md_uri)
            new = copy.deepcopy(processed_data)
            new.md_uri, new.uri = store.new_uri("data"), store.new_uri("file")
            new.uuid = new.uuid or generate_uuid()
            new.run = Container(run.md_uri, run.uuid)
            stored.uris.append(Container(new.md_uri, new.uuid))
            store.put(tables.files, new.uri, content)
            store.put(tables.data, new.md_uri, new)
            store.put(tables.datasets, stored.md_uri, stored)
            tables.experiment_of[new.md_uri] = tables.experiment_of[stored.md_uri]
        return new

    def _update_data(self, data: Any, kind: type[RawData] | type[ProcessedData]) -> None:
        with self.store.transaction() as tables:
            stored = read_record("data", tables.data, data.md_uri)
            if not isinstance(stored, kind):
                raise NotFoundError(kind.__name__, data.md_uri)
            new = copy.deepcopy(data)
            new.uri = stored.uri
            self.store.put(tables.data, new.md_uri, new)
            if new.uuid != stored.uuid:
                for uri, dataset in list(tables.datasets.items()):
                    if any(entry.md_uri == new.md_uri for entry in dataset.uris):
                        renamed = copy.deepcopy(dataset)
                        renamed.uris = [
                            Container(e.md_uri, new.uuid if e.md_uri == new.md_uri else e.uuid) for e in dataset.uris
                        ]
                        self.store.put(tables.datasets, uri, renamed)

    # datasets and runs

    def get_dataset(self, md_uri: str) -> Dataset:
        """Read a dataset."""
        return read_record("dataset", self.store.tables.datasets, md_uri)

    def update_dataset(self, dataset: Dataset) -> None:
        """Write a dataset's name and list."""
        with self.store.transaction() as tables:
            read_record("dataset", tables.datasets, dataset.md_uri)
            self.store.put(tables.datasets, dataset.md_uri, dataset)
            owner = tables.experiment_of[dataset.md_uri]
            experiment = read_record("experiment", tables.experiments, owner)
            for info in [experiment.raw_dataset, *experiment.processed_datasets]:
                if info.url == dataset.md_uri:
                    info.name, info.uuid = dataset.name, dataset.uuid
            self.store.put(tables.experiments, owner, experiment)

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        """Create an empty processed dataset; `experiment` is updated to list it."""
        _check_name("dataset", dataset_name)
        with self.store.transaction() as tables:
            stored = read_record("experiment", tables.experiments, experiment.md_uri)
            if dataset_name in [info.name for info in [stored.raw_dataset, *stored.processed_datasets]]:
                raise ConflictError(f"{stored.name!r} has a dataset named {dataset_name!r}")
            dataset = Dataset(self.store.new_uri("dataset"), generate_uuid(), dataset_name)
            stored.processed_datasets.append(DatasetInfo(dataset_name, dataset.md_uri, dataset.uuid))
            self.store.put(tables.datasets, dataset.md_uri, dataset)
            self.store.put(tables.experiments, stored.md_uri, stored)
            tables.experiment_of[dataset.md_uri] = stored.md_uri
        experiment.processed_datasets = copy.deepcopy(stored.processed_datasets)
        return dataset

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        """Store a run of a processed dataset."""
        with self.store.transaction() as tables:
            stored = read_record("dataset", tables.datasets, dataset.md_uri)
            run = copy.deepcopy(run_info)
            run.md_uri, run.uuid = self.store.new_uri("run"), run.uuid or generate_uuid()
            run.processed_dataset = Container(stored.md_uri, stored.uuid)
            self.store.put(tables.runs, run.md_uri, run)
        return run

    def get_run(self, md_uri: str) -> Run:
        """Read a run."""
        return read_record("run", self.store.tables.runs, md_uri)

    # optional abilities

    def update_run(self, run: Run) -> None:
        """Write a run again."""
        with self.store.transaction() as tables:
            read_record("run", tables.runs, run.md_uri)
            self.store.put(tables.runs, run.md_uri, run)

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset, oldest first."""
        tables = self.store.tables
        read_record("dataset", tables.datasets, dataset.md_uri)
        return [copy.deepcopy(r) for r in tables.runs.values() if r.processed_dataset.md_uri == dataset.md_uri]

    def create_data_uri(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:  # noqa: ARG002
        """Set ``processed_data.uri`` to a path of its own in a scratch directory."""
        processed_data.uri = os.path.join(tempfile.mkdtemp(dir=self._scratch), f"output.{processed_data.format}")
        return processed_data

    def get_data_uri(self, data: Data) -> str:
        """Write the data into a scratch directory and return its path."""
        return self.download_data(data.md_uri, tempfile.mkdtemp(dir=self._scratch))

    def download_data(self, md_uri: str, destination: str) -> str:
        """Write the data into the file `destination`, or into the directory under a name of its own."""
        tables = self.store.tables
        content = tables.files[read_record("data", tables.data, md_uri).uri]
        if os.path.isdir(destination):
            destination = os.path.join(destination, md_uri.rsplit("/", 1)[-1])
        try:
            write_content(content, destination)
        except OSError as error:
            raise DataServiceError(f"cannot write {destination!r}: {error}") from error
        return destination

    def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
        """Give the data of a dataset that `query` selects, in the dataset's order."""
        condition = parse_query(query)
        for entry in self.get_dataset(dataset.md_uri).uris:
            data = self._get_data(entry.md_uri)
            is_output = not origin_output_name or (
                isinstance(data, ProcessedData) and data.output["name"] == origin_output_name
            )
            if is_output and condition.matches(fields_of(data, self._get_origin(data))):
                yield data

    def _get_data(self, md_uri: str) -> RawData | ProcessedData:
        data = read_record("data", self.store.tables.data, md_uri)
        return self.get_raw_data(md_uri) if isinstance(data, RawData) else data

    def _get_origin(self, data: RawData | ProcessedData) -> RawData | None:
        while isinstance(data, ProcessedData):
            if not data.inputs:
                return None
            data = self._get_data(data.inputs[0].uri)
        return data

    def needs_cleanning(self) -> bool:
        """Local copies are made for each tool, and may be removed."""
        return True


class MemoryMetadataServiceBuilder:
    """Make the service, the same each time."""

    def __init__(self) -> None:
        self._instance: MemoryMetadataService | None = None

    def __call__(self, **_ignored: Any) -> MemoryMetadataService:
        if self._instance is None:
            self._instance = MemoryMetadataService()
        return self._instance


def _check_name(kind: str, name: str) -> None:
    if not name:
        raise InvalidNameError(kind, name, "it is empty")
