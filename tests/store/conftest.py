"""The homes that the store is tried in, each reached once by the store and once without it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from bioimageit_core.containers import Experiment, ProcessedData, RawData, Run
from bioimageit_core.plugins.data_fsspec import FsspecMetadataService
from bioimageit_core.plugins.data_local import LocalMetadataService


@dataclass
class Home:
    """A place for experiments: services on it, as other processes have them, and what lies there in bytes."""

    name: str
    workspace: str
    make: Callable[..., Any]
    system: Any

    def path(self, uri: str) -> str:
        return "/" + uri.split("/", 3)[3] if self.name == "sftp" else self.system._strip_protocol(uri)

    def read(self, uri: str) -> bytes:
        return self.system.cat_file(self.path(uri))

    def write(self, uri: str, content: bytes) -> None:
        self.system.pipe_file(self.path(uri), content)

    def remove(self, uri: str) -> None:
        self.system.rm_file(self.path(uri))

    def document(self, uri: str) -> dict[str, Any]:
        return json.loads(self.read(uri))

    def change(self, uri: str, **values: Any) -> None:
        self.write(uri, json.dumps({**self.document(uri), **values}, indent=4).encode())

    def names(self, uri: str) -> list[str]:
        return sorted(path.rstrip("/").rpartition("/")[2] for path in self.system.ls(self.path(uri), detail=False))


def local_home(directory: Path) -> Home:
    directory.mkdir(parents=True, exist_ok=True)

    def make(**options: Any) -> LocalMetadataService:
        return LocalMetadataService(**{"durable": False, **options})

    return Home("local", str(directory), make, fsspec.filesystem("file"))


def remote_home(name: str, workspace: str, cache: Path, storage_options: dict[str, Any]) -> Home:
    system = fsspec.filesystem(name, **({"use_listings_cache": False} if name == "s3" else {}), **storage_options)
    if name != "s3":
        system.makedirs(system._strip_protocol(workspace), exist_ok=True)

    def make(**options: Any) -> FsspecMetadataService:
        return FsspecMetadataService(storage_options, cache_dir=str(cache), **options)

    return Home(name, workspace, make, system)


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    name = getattr(request, "param", "local")
    if name == "local":
        yield local_home(tmp_path / "workspace")
        return
    server = request.getfixturevalue(f"{name}_server") if name in {"s3", "sftp"} else None
    base = server.url if server else "memory://tests"
    home = remote_home(name, f"{base}/{uuid.uuid4().hex[:12]}", tmp_path / "cache", server.options if server else {})
    yield home
    if name == "memory":
        home.system.rm(home.path(home.workspace), recursive=True)


_MARKS = {"s3": pytest.mark.s3, "sftp": pytest.mark.sftp}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try what uses `home` everywhere, unless it says with the marker ``homes`` where."""
    if "home" in metafunc.fixturenames:
        names = getattr(metafunc.function, "homes", None) or getattr(metafunc.module, "HOMES", ("local",))
        metafunc.parametrize("home", [pytest.param(n, marks=_MARKS.get(n, ())) for n in names], indirect=True)


@pytest.fixture
def service(home: Home) -> Any:
    return home.make()


@pytest.fixture
def experiment(service: Any, home: Home) -> Experiment:
    return service.create_experiment("my experiment", "ada", "2024-02-29", ["Gene"], home.workspace)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Give a directory with three images and a text."""
    directory = tmp_path / "sources"
    directory.mkdir()
    for name in ("a.tif", "b.tif", "c.tif", "notes.txt"):
        (directory / name).write_bytes(f"content of {name}".encode())
    return directory


@pytest.fixture
def import_all(service: Any, experiment: Experiment) -> Callable[..., None]:
    """Give a way to import a directory that says no more than a test is about."""

    def run(directory: Path, filter_: str = r"\.tif$", key: str = "", *, by: Any = None, **options: Any) -> None:
        target = by or service
        fresh = target.get_experiment(experiment.md_uri)
        observers = options.pop("observers", None)
        target.import_dir(fresh, str(directory), filter_, "ada", "imagetiff", "2024-03-01", key, observers, **options)

    return run


@pytest.fixture
def listed(service: Any, experiment: Experiment) -> Callable[..., list[RawData]]:
    """Give a way to read all raw data as a service that knows nothing yet does."""

    def read(by: Any = None) -> list[RawData]:
        reader = by or service
        uris = reader.get_dataset(reader.get_experiment(experiment.md_uri).raw_dataset.url).uris
        return [reader.get_raw_data(item.md_uri) for item in uris]

    return read


@pytest.fixture
def make_result() -> Callable[..., ProcessedData]:
    """Give a way to record a result as a job does."""

    def run(service: Any, dataset: Any, run: Run, source: Any, name: str, content: bytes = b"result") -> ProcessedData:
        data = ProcessedData()
        data.set_info(name, "ada", "2024-03-01", "imagetiff", "")
        data.set_output("o", "Mask")
        data.add_input("i", source)
        data = service.create_data_uri(dataset, run, data)
        Path(data.uri).write_bytes(content)
        return service.create_data(dataset, run, data)

    return run


@pytest.fixture
def kept(
    service: Any, experiment: Experiment, sources: Path, make_result: Callable[..., Any]
) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Give one document of each kind, and how it is read."""
    raw = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", "now", {"Gene": "x"})
    dataset = service.create_dataset(experiment, "mask")
    run = service.create_run(dataset, Run(process_name="t"))
    result = make_result(service, dataset, run, raw, "m")
    return {
        "experiment": (experiment.md_uri, lambda by: by.get_experiment(experiment.md_uri)),
        "raw dataset": (experiment.raw_dataset.url, lambda by: by.get_dataset(experiment.raw_dataset.url)),
        "dataset": (dataset.md_uri, lambda by: by.get_dataset(dataset.md_uri)),
        "raw data": (raw.md_uri, lambda by: by.get_raw_data(raw.md_uri)),
        "processed data": (result.md_uri, lambda by: by.get_processed_data(result.md_uri)),
        "run": (run.md_uri, lambda by: by.get_run(run.md_uri)),
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Give a folder with a file that nothing in an experiment has to do with."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "precious.txt").write_bytes(b"precious\n")
    return folder
