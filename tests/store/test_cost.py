"""What things cost, counted and not timed: calls of functions, bytes written and read, statements of SQL.

`benchmarks/local` measures times. Here a cost that grows faster than the data, or is doubled, fails whatever else the
machine does.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api.annotation import annotate
from bioimageit_core.containers import Experiment
from bioimageit_core.core.annotate import value_using_separator
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store import annotations

SMALL, LARGE = 150, 600
CONTENT = b"x" * 1000


@dataclass
class Cost:
    """What an operation took for each item."""

    calls: float
    written: float
    read: float


def cost_of(operation: Callable[[], Any], items: int) -> Cost:
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before, profiler = _io(), sys.getprofile()
    sys.setprofile(count)
    try:
        operation()
    finally:
        sys.setprofile(profiler)
    after = _io()
    written, read = ((after[key] - before[key]) / items for key in ("wchar", "rchar"))
    return Cost(calls / items, written, read)


def _io() -> dict[str, int]:
    path = Path("/proc/self/io")
    if not path.exists():
        return {"wchar": 0, "rchar": 0}
    return {key: int(value) for key, value in (line.split(": ") for line in path.read_text().splitlines())}


def make(home: Path, count: int) -> tuple[LocalMetadataService, Experiment, Cost]:
    sources = home / "sources"
    sources.mkdir(parents=True)
    for number in range(count):
        (sources / f"cell_{number:05}_w{number % 9}.tif").write_bytes(CONTENT)
    service = LocalMetadataService(durable=False)
    experiment = service.create_experiment("e", "ada", keys=["Well"], destination=str(home))

    def run() -> None:
        service.import_dir(experiment, str(sources), "", "ada", "imagetiff", "2024-05-31", "Plate")

    return service, experiment, cost_of(run, count)


class Quiet:
    """The part of a request that annotating asks for."""

    def __init__(self, service: LocalMetadataService) -> None:
        self.data_service = service

    def notify_observers(self, *_: object) -> None:
        pass


def measured(home: Path, count: int) -> dict[str, Cost]:
    service, experiment, imported = make(home, count)
    dataset = service.get_dataset(experiment.raw_dataset.url)

    def find(name: str) -> str:
        return value_using_separator(name, "_", 2)

    annotated = cost_of(lambda: annotate(Quiet(service), experiment, "Well", find, dry_run=False), count)
    fresh = LocalMetadataService(durable=False)
    first = cost_of(lambda: list(fresh.query_data(dataset, "Well=w1")), count)
    again = cost_of(lambda: list(fresh.query_data(dataset, "Well=w1")), count)
    everything = cost_of(lambda: list(fresh.query_data(dataset, "")), count)
    looked_at = cost_of(lambda: [data.name for data in fresh.query_data(dataset, "")], count)
    listed = cost_of(lambda: service.get_dataset(experiment.raw_dataset.url), count)
    named = {"import": imported, "annotate": annotated, "first query": first, "next query": again}
    return {**named, "query for all": everything, "looking at all": looked_at, "reading the list": listed}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """Give the costs of each item at two sizes; a round before fills what a process does once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotations, "_FEW", 10 * LARGE)  # calls are counted in one thread
        measured(tmp_path_factory.mktemp("warm"), 20)
        return measured(tmp_path_factory.mktemp("small"), SMALL), measured(tmp_path_factory.mktemp("large"), LARGE)


@pytest.mark.parametrize(
    ("operation", "calls"),
    [
        ("import", 270),
        ("annotate", 270),
        ("first query", 25),
        ("next query", 6),
        ("query for all", 14),
        ("looking at all", 110),
        ("reading the list", 30),
    ],
)
def test_an_item_costs_no_more_calls_than_it_did_and_no_more_among_many(costs, operation: str, calls: int) -> None:
    small, large = costs
    assert large[operation].calls <= 1.15 * small[operation].calls + 1
    assert large[operation].calls <= calls


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not count the bytes of a process")
@pytest.mark.parametrize(("operation", "written", "read"), [("import", 4500, 3000), ("annotate", 3000, 4500)])
def test_an_item_is_written_once_and_no_more_often_among_many(costs, operation: str, written: int, read: int) -> None:
    small, large = costs
    assert large[operation].written <= 1.3 * small[operation].written
    assert large[operation].written <= written
    assert large[operation].read <= read


def test_an_index_that_an_import_made_is_read_and_not_made_again(tmp_path: Path) -> None:
    service, experiment, _ = make(tmp_path, 40)
    annotate(Quiet(service), experiment, "Well", lambda name: value_using_separator(name, "_", 2), dry_run=False)
    read: list[str] = []
    fresh = LocalMetadataService(durable=False)
    original = fresh.files.read
    fresh.files.read = lambda uri: read.append(uri) or original(uri)

    found = list(fresh.query_data(service.get_dataset(experiment.raw_dataset.url), "Well=w1 AND Plate=sources"))

    assert len(found) == 5
    assert [uri for uri in read if uri.endswith(".md.json")] == [experiment.md_uri]
    with sqlite3.connect(tmp_path / "e" / ".bioimageit" / "index.sqlite") as database:
        assert database.execute("SELECT count(*) FROM doc WHERE position IS NOT NULL").fetchone() == (40,)
    database.close()


def test_importing_one_after_another_costs_the_same_among_many(tmp_path: Path) -> None:
    costs = []
    for count in (SMALL, LARGE):
        service, experiment, _ = make(tmp_path / str(count), count)
        extra = tmp_path / str(count) / "extra"
        extra.mkdir()
        paths = [extra / f"more_{number}.tif" for number in range(64)]
        for path in paths:
            path.write_bytes(CONTENT)

        def run(service: Any = service, experiment: Experiment = experiment, paths: list[Path] = paths) -> None:
            for path in paths:
                service.import_data(experiment, str(path), path.name, "ada", "imagetiff", "2024-05-31", {})

        costs.append(cost_of(run, len(paths)))
    assert costs[1].calls <= 1.6 * costs[0].calls
