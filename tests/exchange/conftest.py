"""Homes that experiments move between, and an experiment that is hard to move."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.exchange.content import digest, fetch
from bioimageit_core.exchange.facts import facts
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.contracts import ListsRuns
from bioimageit_core.plugins.data_fsspec import FsspecMetadataService
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.testing import MemoryMetadataService

_PLUGINS = Path(__file__).parents[2] / "plugins"


def _servers_of(plugin: str) -> ModuleType:
    """Load what starts the servers of a plugin's own tests."""
    name = f"servers_of_{plugin}"
    spec = importlib.util.spec_from_file_location(name, _PLUGINS / plugin / "tests" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_sql, _omero = _servers_of("bioimageit_sql"), _servers_of("bioimageit_omero")
postgresql = _sql.postgresql
shared_postgresql_url = _sql.shared_postgresql_url
client, double_place = _omero.client, _omero.double_place


@dataclass
class Home:
    """A service, new places in it, and the configuration that another process reaches it by."""

    service: Any
    place: Callable[[], str]
    config: dict[str, Any] = field(default_factory=dict)
    forget: Callable[[str], None] = lambda _: None
    """Removes an experiment, where a place cannot be new."""
    first: str | None = None
    """Where experiments are made that move; a new place, if None."""


def _local(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    yield Home(
        LocalMetadataService(durable=False),
        lambda: tempfile.mkdtemp(dir=folder),
        {"service": "LOCAL", "durable": False},
    )


def _memory(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    yield Home(FsspecMetadataService(), lambda: f"memory://{uuid.uuid4().hex}")


def _s3(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    server = request.getfixturevalue("s3_server")
    service = FsspecMetadataService(server.options, cache_dir=str(folder))
    config = {"service": "FSSPEC", "storage_options": server.options, "cache_size": 0}
    yield Home(service, lambda: f"{server.url}/{uuid.uuid4().hex}", config)


def _sftp(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    server = request.getfixturevalue("sftp_server")
    service = FsspecMetadataService(server.options, cache_dir=str(folder))

    def place() -> str:
        url = f"{server.url}/{uuid.uuid4().hex}"
        service.files.make_dir(url)
        return url

    yield Home(service, place, {"service": "FSSPEC", "storage_options": server.options, "cache_size": 0})


def _sql_home(url: str, folder: Path) -> Iterator[Home]:
    from bioimageit_sql import SqlMetadataServiceBuilder

    options = {"url": url, "files": str(folder / "files")}
    service = SqlMetadataServiceBuilder()(**options)
    yield Home(service, lambda: uuid.uuid4().hex, {"service": "SQL", **options})
    service.close()


def _sqlite(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    yield from _sql_home(f"sqlite:///{folder}/home.sqlite", folder)


def _postgresql(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    yield from _sql_home(request.getfixturevalue("shared_postgresql_url"), folder)


def _omero_home(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    options = request.getfixturevalue("double_place").config()
    from bioimageit_omero import OmeroMetadataServiceBuilder

    service = OmeroMetadataServiceBuilder()(**options)

    def forget(md_uri: str) -> None:
        group = int(service.state_of(md_uri).group)
        service.session.delete({"Project": [int(md_uri.rsplit("/", 1)[-1])]}, group)

    # its groups are made by administrators
    yield Home(service, lambda: "shared", {"service": "OMERO", **options}, forget, first="")
    service.close()


def _model(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    service = MemoryMetadataService()
    yield Home(service, lambda: uuid.uuid4().hex)
    service.close()


_MAKERS = {
    "LOCAL": _local,
    "memory": _memory,
    "S3": _s3,
    "SFTP": _sftp,
    "model": _model,
    "SQLite": _sqlite,
    "PostgreSQL": _postgresql,
    "OMERO": _omero_home,
}


@pytest.fixture(scope="session")
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Home]]:
    """Give a home by its name, the same each time."""
    made: dict[str, Home] = {}
    with contextlib.ExitStack() as stack:

        def make(name: str) -> Home:
            if name not in made:
                maker = contextlib.contextmanager(_MAKERS[name])
                made[name] = stack.enter_context(maker(request, tmp_path_factory.mktemp(name)))
            return made[name]

        yield make


@pytest.fixture(scope="session")
def everything() -> Callable[[Any, Experiment], dict[str, Any]]:
    """Give what says all that a home knows of an experiment: documents, runs, and the content of files."""
    return _everything


def _everything(service: Any, experiment: Experiment) -> dict[str, Any]:
    found: dict[str, Any] = {"experiment": facts(experiment)}
    for info in (experiment.raw_dataset, *experiment.processed_datasets):
        dataset = service.get_dataset(info.url)
        found[info.name] = facts(dataset)
        is_raw = info is experiment.raw_dataset
        for data in iterate_data(service, dataset, is_raw):
            with tempfile.TemporaryDirectory() as room:
                found[f"{info.name}/{data.uuid}"] = (facts(data), digest(fetch(service, data, room)))
        if not is_raw and isinstance(service, ListsRuns):
            found[f"runs of {info.name}"] = [facts(run) for run in service.get_dataset_runs(dataset)]
    return found


@pytest.fixture(scope="session")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Home], Experiment]:
    """Make an experiment of six data: hostile names, twins, images, and results of depth three."""
    return lambda home: _lineage(home, tmp_path_factory.mktemp("lineage"))


def _lineage(home: Home, folder: Path) -> Experiment:
    import numpy as np
    import tifffile

    service = home.service
    experiment = service.create_experiment(
        f"Kc 167 µ {uuid.uuid4().hex[:8]}",
        "ada",
        "2024-05-01",
        ["P", "Gene name"],
        home.place() if home.first is None else home.first,
    )
    (folder / "sources").mkdir(parents=True)
    for source in (folder / "sources" / name for name in ("1.tif", "2.tif", "3.csv")):
        if source.suffix == ".tif":  # twins: one name and one content
            tifffile.imwrite(source, np.full((2, 8, 9), 1, "uint16"), photometric="minisblack")
        else:
            source.write_text("a;b\n1;µ\n")
        pairs = {"P": source.stem, "n": 1, "several": ["x", "y"], "empty": "", "none": None}
        name = "ä b;c.tif" if source.suffix == ".tif" else "notes, of a day"
        data = service.import_data(experiment, str(source), f"{name} {source.stem}", "bo", "raw", "2024-05-02", pairs)
        data.name, data.format = name, "imagetiff" if source.suffix == ".tif" else "tablecsv"
        data.metadata = {"PhysicalSizeX": 0.108, "Channel": ["DAPI", None], "nested": {"µ": {"deep": [1, 2.5, True]}}}
        data.extra = {"lab": {"room": 3}}
        service.update_raw_data(data)
    parents = [service.get_raw_data(item.md_uri) for item in service.get_dataset(experiment.raw_dataset.url).uris]
    for name in ("one", "two", "three"):
        made = service.create_dataset(experiment, name)
        run = Run(extra={"host": name})
        run.set_process(f"{name}_v1", f"{name}.xml")
        run.add_parameter("sigma", 2.5)
        run.add_input("i", "data", "P=1", "")
        run = service.create_run(made, run)
        parents = [_result(service, made, run, parents[-1], name, folder)]
    return service.get_experiment(experiment.md_uri)


def _result(service: Any, dataset: Any, run: Run, parent: Any, name: str, folder: Path) -> ProcessedData:
    result = ProcessedData(extra={"took": 0.5})
    path = folder / f"{uuid.uuid4().hex}.csv"
    path.write_text(f"{name} of {parent.uuid}")
    result.set_info(f"{name} {parent.name}"[:80], "bo", "2024-05-03", "tablecsv", str(path))
    result.add_input("i", parent)
    result.set_output("o", f"{name} of it")
    return service.get_processed_data(service.create_data(dataset, run, result).md_uri)
