"""A check knows the runs that results name, and tells of what it cannot compare."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.store.test_checking import rot

from bioimageit_core.containers import Experiment, ProcessedData, RawData, Run

Check = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def data(import_all: Callable[..., None], listed: Callable[..., list[RawData]], sources: Path) -> list[RawData]:
    import_all(sources)
    return listed()


@pytest.fixture
def found(home: Any, experiment: Experiment) -> Check:
    def check(**options: Any) -> list[tuple[str, str]]:
        findings = home.make().check_experiment(experiment.md_uri, **options)
        return sorted((each.kind, os.path.basename(each.uri)) for each in findings)

    return check


@pytest.fixture
def mask(service: Any, experiment: Experiment, data: list[RawData], make_result: Any) -> ProcessedData:
    dataset = service.create_dataset(experiment, "masks")
    return make_result(service, dataset, service.create_run(dataset, Run(process_name="p")), data[0], "mask")


def test_a_run_that_results_name_is_missed(mask: ProcessedData, found: Check) -> None:
    assert found() == []
    os.unlink(mask.run.md_uri)
    assert found() == [("missing document", "run.md.json")]


def test_a_run_that_was_cut_off_stays(mask: ProcessedData, found: Check, service: Any, experiment: Experiment) -> None:
    path = Path(mask.run.md_uri)
    path.write_bytes(path.read_bytes()[:40])
    assert found() == [("unreadable document", "run.md.json")]
    assert list(service.repair_experiment(experiment.md_uri)) == []
    assert path.exists()


def test_rot_in_a_run_is_found(mask: ProcessedData, found: Check) -> None:
    assert found() == []
    at = Path(mask.run.md_uri).read_bytes().index(b'"p"')
    rot(mask.run.md_uri, Path(mask.run.md_uri).read_bytes()[:at] + b'"q"')
    assert found() == [("checksum", "run.md.json")]


@pytest.mark.parametrize("lost", ["journal", "line"])
def test_it_is_told_of_which_files_nothing_is_known(
    lost: str, data: list[RawData], home: Any, experiment: Experiment
) -> None:
    journal = Path(experiment.md_uri).parent / ".bioimageit" / "journal.jsonl"
    if lost == "journal":
        journal.unlink()
    else:
        lines = journal.read_bytes().splitlines(keepends=True)
        at = next(number for number, line in enumerate(lines) if b'"sha256"' in line)
        journal.write_bytes(b"".join([*lines[:at], b"\0" * 20 + lines[at][20:], *lines[at + 1 :]]))
    told: list[tuple[int, int]] = []
    tell = lambda *counts: told.append(counts)  # noqa: E731
    assert list(home.make().check_experiment(experiment.md_uri, full=True, spared=tell)) == []
    assert told == [(0, len(data) if lost == "journal" else 1)]
