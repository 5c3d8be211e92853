"""Folders travel both ways: what LOCAL writes is, byte for byte, what the published format says."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, RawData, Run

UNKNOWN = {"by": "somebody", "nested": {"list": [1, 2.5, None, {"deep": "é"}]}}


def dumped(document: Any) -> bytes:
    """Give what the published software writes."""
    file = io.StringIO()
    json.dump(document, file, indent=4)
    return file.getvalue().encode("ascii")


def is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


@pytest.fixture
def root(experiment: Experiment) -> Path:
    return Path(experiment.md_uri).parent


@pytest.fixture
def raw(service: Any, experiment: Experiment, sources: Path) -> RawData:
    os.rename(sources / "a.tif", sources / "cell é.tif")
    pairs = {"Dose": "3 µM", "Empty": "", "Time": 4}
    return service.import_data(experiment, str(sources / "cell é.tif"), "cell é", "ada", "imagetiff", "now", pairs)


def test_an_experiments_folder_is_its_name_without_spaces(experiment: Experiment, home: Any) -> None:
    assert experiment.md_uri == f"{home.workspace}/myexperiment/experiment.md.json"
    assert home.names(f"{home.workspace}/myexperiment") == [".bioimageit", "data", "experiment.md.json"]
    assert home.names(f"{home.workspace}/myexperiment/data") == ["raw_dataset.md.json"]


def test_the_bytes_of_a_new_experiment(experiment: Experiment, root: Path) -> None:
    assert is_uuid(experiment.uuid)
    assert (root / "experiment.md.json").read_bytes() == dumped(
        {
            "uuid": experiment.uuid,
            "information": {"name": "my experiment", "author": "ada", "date": "2024-02-29"},
            "raw_dataset": {
                "name": "data",
                "url": "data/raw_dataset.md.json",
                "uuid": experiment.raw_dataset.uuid,
            },
            "processed_datasets": [],
            "keys": ["Gene"],
        }
    )
    assert (root / "data/raw_dataset.md.json").read_bytes() == dumped(
        {"uuid": experiment.raw_dataset.uuid, "name": "data", "urls": []}
    )


def test_the_bytes_of_a_raw_data_and_of_its_list(raw: RawData, experiment: Experiment, root: Path) -> None:
    assert raw.md_uri == str(root / "data/cell é.md.json")
    assert (root / "data/cell é.md.json").read_bytes() == dumped(
        {
            "uuid": raw.uuid,
            "origin": {"type": "raw"},
            "common": {
                "name": "cell é",
                "author": "ada",
                "date": raw.date,
                "format": "imagetiff",
                "url": "cell é.tif",
            },
            "metadata": {},
            "key_value_pairs": {"Dose": "3 µM", "Empty": "", "Time": 4},
        }
    )
    assert (root / "data/raw_dataset.md.json").read_bytes() == dumped(
        {
            "uuid": experiment.raw_dataset.uuid,
            "name": "data",
            "urls": [{"uuid": raw.uuid, "url": "cell é.md.json"}],
        }
    )


def test_the_keys_of_what_is_imported_join_the_experiments(raw: RawData, experiment: Experiment, root: Path) -> None:
    stored = json.loads((root / "experiment.md.json").read_bytes())
    assert stored["keys"] == ["Gene", "Dose", "Empty", "Time"]
    assert experiment.keys == stored["keys"]


def test_the_bytes_of_a_run_and_of_a_result(
    service: Any, raw: RawData, experiment: Experiment, root: Path, make_result: Callable[..., Any]
) -> None:
    dataset = service.create_dataset(experiment, "my mask")
    run = Run()
    run.set_process("Threshold v1", "tools/threshold.xml")
    run.add_input("i", "data", "Gene=p53", "")
    run.add_parameter("level", "0.5")
    run = service.create_run(dataset, run)
    result = make_result(service, dataset, run, raw, "mask 1")

    assert result.md_uri == str(root / "my mask/mask 1.md.json")
    assert (root / "my mask/run.md.json").read_bytes() == dumped(
        {
            "uuid": run.uuid,
            "process": {"name": "Threshold v1", "url": "tools/threshold.xml"},
            "processed_dataset": {"uuid": dataset.uuid, "url": "processed_dataset.md.json"},
            "inputs": [{"name": "i", "dataset": "data", "query": "Gene=p53", "origin_output_name": ""}],
            "parameters": [{"name": "level", "value": "0.5"}],
        }
    )
    assert (root / "my mask/mask 1.md.json").read_bytes() == dumped(
        {
            "uuid": result.uuid,
            "common": {
                "name": "mask 1",
                "author": "ada",
                "date": "2024-03-01",
                "format": "imagetiff",
                "url": "mask 1.tif",
            },
            "origin": {
                "type": "processed",
                "run": {"url": "run.md.json", "uuid": run.uuid},
                "inputs": [{"name": "i", "url": "../data/cell é.md.json", "uuid": raw.uuid, "type": "raw"}],
                "output": {"name": "o", "label": "Mask"},
            },
        }
    )
    assert (root / "my mask/processed_dataset.md.json").read_bytes() == dumped(
        {"uuid": dataset.uuid, "name": "my mask", "urls": [{"uuid": result.uuid, "url": "mask 1.md.json"}]}
    )
    stored = json.loads((root / "experiment.md.json").read_bytes())
    assert stored["processed_datasets"] == [
        {"name": "my mask", "url": "my mask/processed_dataset.md.json", "uuid": dataset.uuid}
    ]


def test_runs_are_numbered(service: Any, experiment: Experiment, root: Path) -> None:
    dataset = service.create_dataset(experiment, "mask")
    for number in range(12):
        service.create_run(dataset, Run(process_name=f"run {number}"))

    names = {"processed_dataset.md.json", "run.md.json", *(f"run_{n}.md.json" for n in range(1, 12))}
    assert set(os.listdir(root / "mask")) == names
    assert [run.process_name for run in service.get_dataset_runs(dataset)] == [f"run {n}" for n in range(12)]


def test_results_of_one_name_are_numbered(
    service: Any, raw: RawData, experiment: Experiment, root: Path, make_result: Callable[..., Any]
) -> None:
    dataset = service.create_dataset(experiment, "mask")
    run = service.create_run(dataset, Run())
    made = [make_result(service, dataset, run, raw, "m", bytes([n])) for n in range(3)]

    assert [os.path.basename(data.uri) for data in made] == ["m.tif", "m_1.tif", "m_2.tif"]
    assert [Path(data.uri).read_bytes() for data in made] == [b"\0", b"\1", b"\2"]
    assert [service.get_processed_data(data.md_uri).name for data in made] == ["m", "m", "m"]
    own = {"processed_dataset.md.json", "run.md.json"}
    documents = {"m.md.json", "m_1.md.json", "m_2.md.json"}
    assert set(os.listdir(root / "mask")) - own == documents | {"m.tif", "m_1.tif", "m_2.tif"}


def test_where_a_tool_writes_is_outside_the_dataset_until_it_is_stored(
    service: Any, raw: RawData, experiment: Experiment, root: Path, make_result: Callable[..., Any]
) -> None:
    from bioimageit_core.containers import ProcessedData

    dataset = service.create_dataset(experiment, "mask")
    run = service.create_run(dataset, Run())
    data = ProcessedData()
    data.set_info("never stored", "ada", "now", "tablecsv", "")
    data = service.create_data_uri(dataset, run, data)

    assert os.path.basename(data.uri) == "never stored.csv"
    assert data.uri.startswith(str(root / ".bioimageit/"))
    assert os.path.isdir(os.path.dirname(data.uri))
    Path(data.uri).write_bytes(b"half")
    assert service.get_dataset(dataset.md_uri).uris == []


def test_all_that_is_ours_lies_in_one_folder(
    service: Any, experiment: Experiment, sources: Path, root: Path, import_all: Callable[..., None]
) -> None:
    import_all(sources, "")
    expected = {"raw_dataset.md.json"}
    for name in ("a", "b", "c"):
        expected |= {f"{name}.tif", f"{name}.md.json"}
    assert set(os.listdir(root / "data")) == expected | {"notes.txt", "notes.md.json"}
    assert set(os.listdir(root)) == {"data", "experiment.md.json", ".bioimageit"}
    assert os.listdir(root / ".bioimageit/temp") == []


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    """Write an experiment as others write it, with keys of their own at every level."""
    root = tmp_path / "workspace" / "theirs"
    documents = {
        "experiment.md.json": {
            "uuid": "e-1",
            "information": {"name": "theirs é", "author": "grace", "date": "2020-01-02", "lab": UNKNOWN},
            "raw_dataset": {"name": "data", "url": "data/raw_dataset.md.json", "uuid": "d-1", "more": UNKNOWN},
            "processed_datasets": [
                {"name": "mask", "url": "mask/processed_dataset.md.json", "uuid": "d-2", "more": UNKNOWN}
            ],
            "keys": ["Gene", "Dose"],
            "theirs": UNKNOWN,
        },
        "data/raw_dataset.md.json": {
            "uuid": "d-1",
            "name": "data",
            "urls": [{"uuid": "r-1", "url": "x y.md.json", "more": UNKNOWN}, {"uuid": "r-2", "url": "z.md.json"}],
            "theirs": UNKNOWN,
        },
        "data/x y.md.json": {
            "uuid": "r-1",
            "origin": {"type": "raw", "more": UNKNOWN},
            "common": {
                "name": "x y",
                "author": "grace",
                "date": "2020-01-02",
                "format": "imagetiff",
                "url": "x y.tif",
                "more": UNKNOWN,
            },
            "metadata": {"PhysicalSizeX": 0.1, "nested": UNKNOWN},
            "key_value_pairs": {"Gene": "p53"},
            "theirs": UNKNOWN,
        },
        "data/z.md.json": {
            "uuid": "r-2",
            "origin": {"type": "raw"},
            "common": {"name": "z", "author": "grace", "date": "2020-01-02", "format": "imagetiff", "url": "z.tif"},
            "metadata": {},
            "key_value_pairs": {},
        },
        "mask/processed_dataset.md.json": {
            "uuid": "d-2",
            "name": "mask",
            "urls": [{"uuid": "p-1", "url": "m.md.json"}],
        },
        "mask/m.md.json": {
            "uuid": "p-1",
            "common": {"name": "m", "author": "g", "date": "2020-01-03", "format": "imagetiff", "url": "m.tif"},
            "origin": {
                "type": "processed",
                "run": {"url": "run.md.json", "uuid": "run-1", "more": UNKNOWN},
                "inputs": [
                    {"name": "i", "url": "../data/x y.md.json", "uuid": "r-1", "type": "raw", "more": UNKNOWN},
                    {"name": "j", "url": "../data/x y.md.json", "uuid": "r-1", "type": "raw", "more": 2},
                ],
                "output": {"name": "o", "label": "Mask", "more": UNKNOWN},
                "theirs": UNKNOWN,
            },
        },
        "mask/run.md.json": {
            "uuid": "run-1",
            "process": {"name": "T v1", "url": "t.xml", "more": UNKNOWN},
            "processed_dataset": {"uuid": "d-2", "url": "processed_dataset.md.json"},
            "inputs": [{"name": "i", "dataset": "data", "query": "", "origin_output_name": "", "more": 1}],
            "parameters": [{"name": "p", "value": 1.5, "unit": "µm"}, {"name": "p", "value": "twice"}],
            "theirs": UNKNOWN,
        },
    }
    for name, document in documents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dumped(document))
    for name in ("data/x y.tif", "data/z.tif", "mask/m.tif"):
        (root / name).write_bytes(name.encode())
    return root


def snapshot(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and ".bioimageit" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_folder_of_others_is_read(service: Any, by_hand: Path) -> None:
    experiment = service.get_experiment(str(by_hand))
    dataset = service.get_dataset(experiment.raw_dataset.url)
    raw = service.get_raw_data(dataset.uris[0].md_uri)
    processed = service.get_processed_data(service.get_dataset(experiment.processed_datasets[0].url).uris[0].md_uri)
    run = service.get_run(processed.run.md_uri)

    assert (experiment.name, experiment.author, experiment.date) == ("theirs é", "grace", "2020-01-02")
    assert raw.uri == str(by_hand / "data/x y.tif")
    assert raw.key_value_pairs == {"Gene": "p53", "Dose": ""}
    assert [(i.name, i.uri, i.uuid, i.type) for i in processed.inputs] == [
        ("i", raw.md_uri, "r-1", "raw"),
        ("j", raw.md_uri, "r-1", "raw"),
    ]
    assert processed.output == {"name": "o", "label": "Mask"}
    assert (run.process_name, run.parameters[0].value) == ("T v1", 1.5)
    assert run.processed_dataset.md_uri == str(by_hand / "mask/processed_dataset.md.json")


@pytest.mark.parametrize("given", ["", "/", "/experiment.md.json"])
def test_an_experiment_is_its_directory_or_its_document(service: Any, by_hand: Path, given: str) -> None:
    assert service.get_experiment(f"{by_hand}{given}").md_uri == str(by_hand / "experiment.md.json")


def test_reading_changes_no_byte(service: Any, by_hand: Path) -> None:
    before = snapshot(by_hand)
    experiment = service.get_experiment(str(by_hand))
    for info in [experiment.raw_dataset, *experiment.processed_datasets]:
        service.get_dataset(info.url)
    service.get_workspace_experiments(str(by_hand.parent))
    assert snapshot(by_hand) == before
    assert not (by_hand / ".bioimageit").exists()


def test_writing_back_what_did_not_change_changes_no_byte(service: Any, by_hand: Path) -> None:
    before = snapshot(by_hand)
    experiment = service.get_experiment(str(by_hand))
    service.update_experiment(experiment)
    for info in [experiment.raw_dataset, *experiment.processed_datasets]:
        service.update_dataset(service.get_dataset(info.url))
    for name in ("x y", "z"):
        service.update_raw_data(service.get_raw_data(str(by_hand / f"data/{name}.md.json")))
    service.update_processed_data(service.get_processed_data(str(by_hand / "mask/m.md.json")))
    service.update_run(service.get_run(str(by_hand / "mask/run.md.json")))
    assert snapshot(by_hand) == before


def test_a_change_changes_what_it_is_about_and_nothing_else(service: Any, by_hand: Path) -> None:
    before = {name: json.loads(content) for name, content in snapshot(by_hand).items() if name.endswith(".json")}
    experiment = service.get_experiment(str(by_hand))
    experiment.author = "ada"
    experiment.set_key("New")
    service.update_experiment(experiment)
    raw = service.get_raw_data(str(by_hand / "data/x y.md.json"))
    raw.set_key_value_pair("Gene", "brca")
    raw.name = "renamed"
    service.update_raw_data(raw)
    processed = service.get_processed_data(str(by_hand / "mask/m.md.json"))
    processed.set_output("o", "Label")
    processed.inputs[1].name = "k"
    service.update_processed_data(processed)
    run = service.get_run(str(by_hand / "mask/run.md.json"))
    run.parameters[0].value = 2.5
    service.update_run(run)

    before["experiment.md.json"]["information"]["author"] = "ada"
    before["experiment.md.json"]["keys"].append("New")
    before["data/x y.md.json"]["common"]["name"] = "renamed"
    before["data/x y.md.json"]["key_value_pairs"] = {"Gene": "brca"}  # and not the '' for what it lacks
    before["mask/m.md.json"]["origin"]["output"]["label"] = "Label"
    before["mask/m.md.json"]["origin"]["inputs"][1]["name"] = "k"
    before["mask/run.md.json"]["parameters"][0]["value"] = 2.5
    after = snapshot(by_hand)
    for name, document in before.items():
        assert after[name] == dumped(document), name


def test_importing_into_a_folder_of_others(service: Any, by_hand: Path, sources: Path) -> None:
    before = json.loads((by_hand / "data/raw_dataset.md.json").read_bytes())
    untouched = {name: content for name, content in snapshot(by_hand).items() if name != "data/raw_dataset.md.json"}
    experiment = service.get_experiment(str(by_hand))
    new = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")

    before["urls"].append({"uuid": new.uuid, "url": "a.md.json"})
    assert (by_hand / "data/raw_dataset.md.json").read_bytes() == dumped(before)
    after = snapshot(by_hand)
    assert {name: after[name] for name in untouched} == untouched


def test_a_new_dataset_in_a_folder_of_others(service: Any, by_hand: Path) -> None:
    before = json.loads((by_hand / "experiment.md.json").read_bytes())
    made = service.create_dataset(service.get_experiment(str(by_hand)), "more")
    before["processed_datasets"].append({"name": "more", "url": "more/processed_dataset.md.json", "uuid": made.uuid})
    assert (by_hand / "experiment.md.json").read_bytes() == dumped(before)


def test_a_workspace_is_listed(service: Any, by_hand: Path, experiment: Experiment, home: Any) -> None:
    (Path(home.workspace) / "a file").write_text("of no concern")
    (Path(home.workspace) / "no experiment").mkdir()
    found = service.get_workspace_experiments(home.workspace)
    assert [(item["md_uri"], item["info"].name) for item in found] == [
        (experiment.md_uri, "my experiment"),
        (str(by_hand / "experiment.md.json"), "theirs é"),
    ]
