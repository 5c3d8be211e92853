"""Homes that experiments move between."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.plugins.data_fsspec import FsspecMetadataService
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.testing import MemoryMetadataService


@dataclass(frozen=True)
class Home:
    service: Any
    destination: str


def _local(tmp_path: Path, _: pytest.FixtureRequest) -> Home:
    (tmp_path / "local").mkdir()
    return Home(LocalMetadataService(durable=False), str(tmp_path / "local"))


def _memory(tmp_path: Path, _: pytest.FixtureRequest) -> Home:
    return Home(FsspecMetadataService(), f"memory://{uuid.uuid4().hex}")


def _s3(tmp_path: Path, request: pytest.FixtureRequest) -> Home:
    server = request.getfixturevalue("s3_server")
    return Home(FsspecMetadataService(server.options), f"{server.url}/{uuid.uuid4().hex}")


def _sql(tmp_path: Path, _: pytest.FixtureRequest) -> Home:
    from bioimageit_sql import SqlMetadataServiceBuilder

    builder = SqlMetadataServiceBuilder()
    return Home(builder(url=f"sqlite:///{tmp_path}/home.sqlite", files=str(tmp_path / "sql-files")), "lab")


def _model(tmp_path: Path, _: pytest.FixtureRequest) -> Home:
    return Home(MemoryMetadataService(), "shelf")


HOMES: dict[str, Callable[[Path, pytest.FixtureRequest], Home]] = {
    "LOCAL": _local,
    "FSSPEC memory": _memory,
    "FSSPEC S3": _s3,
    "SQL": _sql,
    "model": _model,
}


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Home]:
    """Give a home by its name; a new one at each call."""
    number = 0

    def make(name: str) -> Home:
        nonlocal number
        number += 1
        place = tmp_path / f"{number}"
        place.mkdir()
        return HOMES[name](place, request)

    return make


@pytest.fixture
def lineage(tmp_path: Path) -> Callable[[Home], Experiment]:
    """Make an experiment with hostile names, twins, and results of depth three in a home."""

    def make(home: Home) -> Experiment:
        service = home.service
        experiment = service.create_experiment(
            f"Kc 167 µ {tmp_path.name}", "ada", "2024-05-01", ["P", "Gene name"], home.destination
        )
        for folder, name, content in (
            ("a", "ä b;c.tif", ""),
            ("b", "x.tif", "2"),
            ("c", "x.tif", "2"),
        ):
            source = tmp_path / "sources" / folder / name
            source.parent.mkdir(parents=True)
            source.write_text(content)
            data = service.import_data(
                experiment, str(source), f"{folder} {name}", "bo", "imagetiff", "2024-05-02", {"P": folder, "n": 1}
            )
            data.metadata = {"PhysicalSizeX": 0.108, "Channel": ["DAPI", "GFP"]}
            service.update_raw_data(data)
        dataset = service.get_dataset(experiment.raw_dataset.url)
        read = service.get_raw_data
        for name in ("one", "two", "three"):
            made = service.create_dataset(experiment, name)
            run = Run()
            run.set_process(f"{name}_v1", f"{name}.xml")
            run.add_parameter("sigma", 2.5)
            run.add_input("i", "data", "P=a", "")
            run = service.create_run(made, run)
            for item in dataset.uris:
                parent = read(item.md_uri)
                result = ProcessedData()
                path = tmp_path / "out" / name / f"{name} {parent.name}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{name} of {parent.name}")
                result.set_info(f"{name} {parent.name}"[:80], "bo", "2024-05-03", "imagetiff", str(path))
                result.add_input("i", parent)
                result.set_output("o", f"{name} of it")
                service.create_data(made, run, result)
            dataset, read = service.get_dataset(made.md_uri), service.get_processed_data
        return service.get_experiment(experiment.md_uri)

    return make
