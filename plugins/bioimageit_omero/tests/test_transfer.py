"""An experiment with images, a table and lineage of depth three moves to OMERO and back, and is what it was."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.containers import ProcessedData, Run

np = pytest.importorskip("numpy")
tifffile = pytest.importorskip("tifffile")


def fill(service: Any, destination: str, folder: Path) -> Any:
    """Make an experiment in any home."""
    experiment = service.create_experiment(
        f"Kc 167 µ {uuid.uuid4().hex[:8]}", "ada", "2024-05-01", ["P", "Gene name"], destination
    )
    folder.mkdir(parents=True)
    images = []
    for number in range(3):
        path = folder / f"cell {number}.tif"
        tifffile.imwrite(path, np.full((2, 8, 9), number + 1, "uint16"), photometric="minisblack")
        images.append((path, f"ä b;c {number}.tif", "imagetiff"))
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    for path, name, format_ in [*images, (folder / "notes.csv", "notes.csv", "tablecsv")]:
        pairs = {"P": name, "n": 1, "several": ["x", "y"], "empty": ""}
        data = service.import_data(experiment, str(path), name, "bo", format_, "2024-05-02", pairs)
        data.metadata = {"PhysicalSizeX": 0.108, "Channel": ["DAPI", None]}
        data.extra = {"lab": {"room": 3}}
        service.update_raw_data(data)
    dataset, read = service.get_dataset(experiment.raw_dataset.url), service.get_raw_data
    for name in ("one", "two", "three"):
        made = service.create_dataset(experiment, name)
        run = Run(extra={"host": name})
        run.set_process(f"{name}_v1", f"{name}.xml")
        run.add_parameter("sigma", 2.5)
        run.add_input("i", "data", "P=a", "")
        run = service.create_run(made, run)
        for entry in dataset.uris:
            parent = read(entry.md_uri)
            result = ProcessedData()
            path = folder / name / f"{uuid.uuid4().hex}.tif"
            path.parent.mkdir(exist_ok=True)
            tifffile.imwrite(path, np.full((8, 9), 7, "uint8"), description=f"{name} of {parent.uuid}")
            result.set_info(f"{name} {parent.name}"[:80], "bo", "2024-05-03", "imagetiff", str(path))
            result.add_input("i", parent)
            result.set_output("o", f"{name} of it")
            service.create_data(made, run, result)
        dataset, read = service.get_dataset(made.md_uri), service.get_processed_data
    return service.get_experiment(experiment.md_uri)


def everything(service: Any, experiment: Any) -> dict[str, Any]:
    from bioimageit_core.exchange.content import digest, fetch
    from bioimageit_core.exchange.facts import facts

    found: dict[str, Any] = {"experiment": facts(experiment)}
    for info in (experiment.raw_dataset, *experiment.processed_datasets):
        dataset, is_raw = service.get_dataset(info.url), info is experiment.raw_dataset
        found[info.name] = facts(dataset)
        for entry in dataset.uris:
            data = (service.get_raw_data if is_raw else service.get_processed_data)(entry.md_uri)
            with tempfile.TemporaryDirectory() as room:
                found[f"{info.name}/{data.uuid}"] = (facts(data), digest(fetch(service, data, room)))
        if not is_raw:
            found[f"runs of {info.name}"] = [facts(run) for run in service.get_dataset_runs(dataset)]
    return found


@pytest.fixture
def local(tmp_path: Path) -> tuple[Any, str]:
    from bioimageit_core.plugins.data_local import LocalMetadataService

    (tmp_path / "local").mkdir()
    return LocalMetadataService(), str(tmp_path / "local")


def test_from_a_folder_to_omero_and_back(service: Any, local: tuple[Any, str], tmp_path: Path) -> None:
    from bioimageit_core.exchange.transfer import transfer_experiment

    home, folder = local
    experiment = fill(home, folder, tmp_path / "sources")
    before = everything(home, experiment)

    out = transfer_experiment(experiment, home, service, "")
    away = service.get_experiment(out.md_uri)
    again = transfer_experiment(experiment, home, service, "")
    (tmp_path / "back").mkdir()
    back = transfer_experiment(away, service, home, str(tmp_path / "back"))

    assert (out.not_held, out.moved, again.moved, again.present) == ([], 16, 0, 16)
    assert everything(service, away) == before
    assert everything(home, home.get_experiment(back.md_uri)) == before
    kinds = [entry.md_uri.split("/")[-2] for entry in service.get_dataset(away.raw_dataset.url).uris]
    assert kinds == ["Image", "Image", "Image", "File"]


def test_from_omero_to_a_folder_and_to_another_group(
    service: Any, local: tuple[Any, str], tmp_path: Path, place: Any
) -> None:
    from bioimageit_core.exchange.transfer import transfer_experiment

    if place.double is None:
        pytest.skip("the groups of this test are the double's")
    home, folder = local
    experiment = fill(service, "", tmp_path / "sources")
    before = everything(service, experiment)

    out = transfer_experiment(experiment, service, home, folder)
    away = home.get_experiment(out.md_uri)
    back = transfer_experiment(away, home, service, "shared")

    assert (out.not_held, back.not_held) == ([], [])
    assert everything(home, away) == before
    assert everything(service, service.get_experiment(back.md_uri)) == before
