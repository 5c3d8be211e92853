"""An experiment moves between any two homes, and back, with nothing lost."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.observer import Observer
from bioimageit_core.exchange.content import digest, fetch
from bioimageit_core.exchange.facts import facts
from bioimageit_core.exchange.transfer import transfer_experiment
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.contracts import ListsRuns

NAMES = ["LOCAL", "FSSPEC memory", "SQL", "model", pytest.param("FSSPEC S3", marks=pytest.mark.s3)]
PAIRS = [
    pytest.param(
        *(getattr(n, "values", [n])[0] for n in pair), marks=[m for n in pair for m in getattr(n, "marks", ())]
    )
    for pair in itertools.permutations(NAMES, 2)
]


def everything(service: Any, experiment: Experiment) -> dict[str, Any]:
    """Say all that a home knows of an experiment: documents, runs, and the content of files."""
    found: dict[str, Any] = {"experiment": facts(experiment)}
    for info in (experiment.raw_dataset, *experiment.processed_datasets):
        dataset = service.get_dataset(info.url)
        found[info.name] = facts(dataset)
        is_raw = info is experiment.raw_dataset
        for data in iterate_data(service, dataset, is_raw):
            with tempfile.TemporaryDirectory() as room:
                path = fetch(service, data, room)
                found[f"{info.name}/{data.uuid}"] = (facts(data), digest(path))
        if not is_raw and isinstance(service, ListsRuns):
            found[f"runs of {info.name}"] = [facts(run) for run in service.get_dataset_runs(dataset)]
    return found


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_there_and_back_an_experiment_is_what_it_was(there: str, back: str, home: Any, lineage: Any) -> None:
    first, second, third = home(back), home(there), home(back)
    experiment = lineage(first)
    before = everything(first.service, experiment)

    out = transfer_experiment(experiment, first.service, second.service, second.destination)
    away = second.service.get_experiment(out.md_uri)
    assert out.not_held == []
    assert (out.moved, out.present, out.datasets, out.runs) == (12, 0, 4, 3)
    assert everything(second.service, away) == before

    home_again = transfer_experiment(away, second.service, third.service, third.destination)
    assert everything(third.service, third.service.get_experiment(home_again.md_uri)) == before


class Stop(Exception):
    pass


class StopAfter(Observer):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        self.count -= 1
        if self.count <= 0:
            raise Stop


@pytest.mark.parametrize("target", ["LOCAL", "SQL", "FSSPEC memory"])
def test_an_interrupted_transfer_is_simply_run_again(target: str, home: Any, lineage: Any) -> None:
    first, second = home("LOCAL"), home(target)
    experiment = lineage(first)
    for count in (1, 3, 5):
        with pytest.raises(Stop):
            transfer_experiment(
                experiment, first.service, second.service, second.destination, observers=[StopAfter(count)]
            )
    done = transfer_experiment(experiment, first.service, second.service, second.destination)
    assert done.not_held == []
    assert done.moved + done.present == 12
    assert everything(second.service, second.service.get_experiment(done.md_uri)) == everything(
        first.service, experiment
    )


def test_run_again_it_moves_nothing(home: Any, lineage: Any) -> None:
    first, second = home("LOCAL"), home("SQL")
    experiment = lineage(first)
    plan = transfer_experiment(experiment, first.service, second.service, second.destination, dry_run=True)
    assert (plan.moved, plan.md_uri) == (12, "")
    transfer_experiment(experiment, first.service, second.service, second.destination)
    again = transfer_experiment(experiment, first.service, second.service, second.destination)
    assert (again.moved, again.present) == (0, 12)


def test_a_file_that_arrives_with_other_content_is_an_error(home: Any, lineage: Any, monkeypatch: Any) -> None:
    first, second = home("LOCAL"), home("LOCAL")
    experiment = lineage(first)
    original = second.service.download_data

    def spoilt(md_uri: str, destination: str) -> str:
        path = original(md_uri, destination)
        Path(path).write_text("something else")
        return path

    monkeypatch.setattr(second.service, "download_data", spoilt)
    with pytest.raises(DataServiceError, match="arrived with another content"):
        transfer_experiment(experiment, first.service, second.service, second.destination)


def test_a_data_left_where_it_lies_becomes_a_copy_and_the_report_says_so(home: Any, tmp_path: Path) -> None:
    first, second = home("LOCAL"), home("LOCAL")
    source = tmp_path / "a.tif"
    source.write_text("a")
    experiment = first.service.create_experiment("e", "ada", destination=first.destination)
    first.service.import_data(experiment, str(source), "a.tif", "ada", "imagetiff", mode="reference")
    report = transfer_experiment(experiment, first.service, second.service, second.destination)
    assert report.not_held == ["a.tif: was left where it lay, and is a copy now"]
