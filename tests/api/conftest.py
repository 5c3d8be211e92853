"""A configuration and images for one test, and a data service that somebody else wrote."""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api import Request
from bioimageit_core.containers import Container, Dataset, DatasetInfo, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.config import ConfigAccess
from bioimageit_core.plugins.data_factory import metadataServices

Configure = Callable[..., str]


class MinimalService:
    """What the author of a small plugin writes: it inherits from nothing and has no optional method."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.records: dict[str, Any] = {}

    def _put(self, kind: str, record: Any) -> Any:
        record.md_uri = record.md_uri or f"min:{kind}/{len(self.records)}"
        record.uuid = record.uuid or f"uuid-{len(self.records)}"
        self.records[record.md_uri] = copy.deepcopy(record)
        return record

    def _get(self, md_uri: str) -> Any:
        return copy.deepcopy(self.records[md_uri])

    def create_experiment(self, name, author, date="now", keys=None, destination=""):
        raw = self._put("dataset", Dataset(name="data"))
        experiment = Experiment(name=name, author=author, date=date, keys=list(keys or []))
        experiment.raw_dataset = DatasetInfo("data", raw.md_uri, raw.uuid)
        return self._put("experiment", experiment)

    def get_workspace_experiments(self, workspace_uri):
        found = [record for record in self.records.values() if isinstance(record, Experiment)]
        return [{"md_uri": experiment.md_uri, "info": experiment} for experiment in found]

    def get_experiment(self, md_uri):
        return self._get(md_uri)

    def update_experiment(self, experiment):
        self._put("experiment", experiment)

    def import_data(self, experiment, data_path, name, author, format_, date="now", key_value_pairs=dict):
        data = RawData(name=name, author=author, date=date, format=format_, uri=data_path)
        data.key_value_pairs = dict(key_value_pairs)
        self._put("data", data)
        dataset = self._get(experiment.raw_dataset.url)
        dataset.uris.append(Container(data.md_uri, data.uuid))
        self._put("dataset", dataset)
        return data

    def import_dir(self, experiment, dir_uri, filter_, author, format_, date, directory_tag_key="", observers=None):
        import re

        names = sorted(name for name in os.listdir(dir_uri) if re.search(filter_, name))
        for number, name in enumerate(names, 1):
            tags = {directory_tag_key: os.path.basename(dir_uri)} if directory_tag_key else {}
            self.import_data(experiment, os.path.join(dir_uri, name), name, author, format_, date, tags)
            for observer in observers or []:
                observer.notify_progress(100 * number // len(names), name)

    def get_raw_data(self, md_uri):
        return self._get(md_uri)

    def update_raw_data(self, raw_data):
        self._put("data", raw_data)

    def get_processed_data(self, md_uri):
        return self._get(md_uri)

    def update_processed_data(self, processed_data):
        self._put("data", processed_data)

    def get_dataset(self, md_uri):
        return self._get(md_uri)

    def update_dataset(self, dataset):
        self._put("dataset", dataset)

    def create_dataset(self, experiment, dataset_name):
        dataset = self._put("dataset", Dataset(name=dataset_name))
        experiment.processed_datasets.append(DatasetInfo(dataset_name, dataset.md_uri, dataset.uuid))
        self._put("experiment", experiment)
        return dataset

    def create_run(self, dataset, run_info):
        return self._put("run", run_info)

    def get_run(self, md_uri):
        return self._get(md_uri)

    def create_data(self, dataset, run, processed_data):
        if os.path.isfile(processed_data.uri):  # what a tool wrote is here only until this method returns
            processed_data.uri = shutil.copy(processed_data.uri, tempfile.mkdtemp(dir=self.store))
        processed_data.run = Container(run.md_uri, run.uuid)
        self._put("data", processed_data)
        stored = self._get(dataset.md_uri)
        stored.uris.append(Container(processed_data.md_uri, processed_data.uuid))
        self._put("dataset", stored)
        return processed_data


class MinimalBuilder:
    def __init__(self, store: str) -> None:
        self._store = store
        self._instance: MinimalService | None = None

    def __call__(self, **_ignored: Any) -> MinimalService:
        if not self._instance:
            self._instance = MinimalService(self._store)
        return self._instance


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the user's, and a home of one's own."""
    monkeypatch.delenv("BIOIMAGEIT_CONFIG", raising=False)
    monkeypatch.setattr(ConfigAccess, "_current", None)
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write a configuration with a workspace of its own; keys can be added."""

    def write(**more: Any) -> str:
        workspace = tmp_path / "workspace"
        workspace.mkdir(exist_ok=True)
        document = {"user": {"name": "ada"}, "workspace": str(workspace), "log_dir": str(tmp_path / "logs"), **more}
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document))
        return str(path)

    return write


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of files that only their names tell apart."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("p1_a_3.tif", "p1_b_12.tif", "p2_a_7.tif"):
        (folder / name).write_bytes(name.encode())
    (folder / "notes.txt").write_text("notes")
    return folder


@pytest.fixture
def minimal(tmp_path: Path) -> Iterator[MinimalBuilder]:
    """The minimal service, registered as MINIMAL."""
    store = tmp_path / "store"
    store.mkdir()
    builder = MinimalBuilder(str(store))
    metadataServices.register_builder("MINIMAL", builder)
    yield builder
    metadataServices.unregister_builder("MINIMAL")


@pytest.fixture(params=["LOCAL", "MINIMAL"])
def request_(request: pytest.FixtureRequest, configure: Configure, minimal: MinimalBuilder) -> Iterator[Request]:
    """A connected request on a built-in service, and on one that somebody else wrote."""
    made = Request(configure(metadata={"service": request.param}))
    made.connect()
    yield made
    made.close()


@pytest.fixture
def local(configure: Configure) -> Iterator[Request]:
    """A connected request on folders."""
    made = Request(configure())
    made.connect()
    yield made
    made.close()


@pytest.fixture
def on_minimal(configure: Configure, minimal: MinimalBuilder) -> Iterator[Request]:
    """A connected request on the service that somebody else wrote."""
    made = Request(configure(metadata={"service": "MINIMAL"}))
    made.connect()
    yield made
    made.close()


@pytest.fixture
def a_result() -> Callable[..., ProcessedData]:
    """Store a processed data, as a run would, and return it."""

    def store(request: Request, experiment: Experiment, source: Any, dataset_name: str, uri: str = "") -> ProcessedData:
        if request.is_dataset(experiment, dataset_name):
            dataset = request.get_dataset(experiment, dataset_name)
        else:
            dataset = request.create_dataset(experiment, dataset_name)
        run = Run(process_name=dataset_name)
        run.set_dataset(dataset)
        run = request.create_run(dataset, run)
        data = ProcessedData()
        data.set_info(f"{source.name}_out", "ada", "2024-01-02", "imagetiff", "")
        data.add_input("i", source)
        data.set_output("o", "Output")
        if hasattr(request.data_service, "create_data_uri"):
            data = request.data_service.create_data_uri(dataset, run, data)
            Path(data.uri).write_bytes(b"result")
        else:
            data.uri = uri
        return request.create_data(dataset, run, data)

    return store
