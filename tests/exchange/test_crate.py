"""An experiment as a Workflow Run RO-Crate: valid, and the same when it comes back."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.laboratory import fill, open_laboratory, open_room
from tests.exchange.validator import issues

from bioimageit_core.api import Request
from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.exchange.crate.reading import read_crate
from bioimageit_core.exchange.crate.writing import write_crate
from bioimageit_core.exchange.exports import Exporting
from bioimageit_core.jobs.replay import replay_dataset

# Recommendations that the experiment says nothing for: addresses of tools on the web, results of what failed, and where
# people other than the experiment's author work.
UNSAID = (
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The Action SHOULD have a result",
    "./#person/bo The author SHOULD have",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laboratory")


@pytest.fixture(scope="module")
def req(place: Path) -> Request:
    return open_laboratory(place)


@pytest.fixture(scope="module")
def experiment(req: Request, place: Path) -> Experiment:
    return fill(req, place)


@pytest.fixture(scope="module")
def crate(req: Request, experiment: Experiment, place: Path) -> Path:
    path = place / "crate"
    req.export(experiment, str(path), "ro-crate", licence="CC-BY-4.0", organization="Institute https://example.org")
    return path


@pytest.fixture(scope="module")
def graph(crate: Path) -> dict[str, Any]:
    return {entity["@id"]: entity for entity in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}


def actions(graph: dict[str, Any], type_: str = "CreateAction") -> list[dict[str, Any]]:
    return [entity for entity in graph.values() if entity["@type"] == type_]


@pytest.mark.filterwarnings("ignore")  # of the validator's libraries
def test_a_crate_of_a_pipeline_is_a_provenance_run_crate(crate: Path) -> None:
    # with it those that it builds on: Workflow Run Crate, Process Run Crate, Workflow RO-Crate, RO-Crate 1.1
    found = issues(crate, "provenance-run-crate-0.5", "RECOMMENDED")
    assert [line for line in found if not any(known in line for known in UNSAID)] == []


@pytest.mark.filterwarnings("ignore")
def test_a_crate_of_single_runs_is_a_process_run_crate(tmp_path: Path) -> None:
    req = open_laboratory(tmp_path)
    experiment = fill(req, tmp_path, has_pipeline=False)
    report = req.export(experiment, str(tmp_path / "crate.zip"), "ro-crate")
    assert report.facts["profiles"] == ["https://w3id.org/ro/wfrun/process/0.5"]
    assert issues(tmp_path / "crate.zip", "process-run-crate-0.5", "REQUIRED") == []


@pytest.mark.filterwarnings("ignore")
def test_the_validator_finds_what_is_wrong(crate: Path, tmp_path: Path) -> None:
    text = (crate / "ro-crate-metadata.json").read_text()
    (tmp_path / "ro-crate-metadata.json").write_text(text.replace('"instrument"', '"tool"'))
    assert any("instrument" in line for line in issues(tmp_path, "process-run-crate-0.5", "REQUIRED"))


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_a_crate_comes_back_as_the_same_experiment(
    req: Request, experiment: Experiment, name: str, tmp_path: Path, everything: Any
) -> None:
    report = req.export(experiment, str(tmp_path / name), "ro-crate")
    before = everything(req.data_service, experiment)
    other = open_room(tmp_path, "other")

    arrived = other.import_crate(report.path)

    assert arrived.not_held == []
    assert everything(other.data_service, other.get_experiment(arrived.md_uri)) == before
    again = other.import_crate(report.path)
    assert (again.moved, again.present) == (0, report.written)


def test_what_is_replayed_from_a_crate_is_identical(crate: Path, place: Path, req: Request, tmp_path: Path) -> None:
    home = req.import_crate(str(crate), str(tmp_path))
    experiment = req.get_experiment(home.md_uri)
    dataset = req.get_dataset(experiment, "m_times-3")
    verdicts = replay_dataset(req.data_service, req.tools_service, req.runner_service, experiment, dataset)
    assert [verdict.verdict for verdict in verdicts] == ["identical", "identical"]


@pytest.mark.parametrize(
    ("there", "back"), [("memory", "LOCAL"), ("SQLite", "model"), ("model", "SQLite"), ("LOCAL", "memory")]
)
def test_any_home_gives_and_takes_crates(
    there: str, back: str, home: Any, lineage: Any, everything: Any, tmp_path: Path
) -> None:
    first, second = home(there), home(back)
    made = lineage(first)
    write_crate(Exporting(made, first.service, str(tmp_path / "crate")))
    arrived = read_crate(str(tmp_path / "crate"), second.service, second.place())
    assert arrived.not_held == []
    after = everything(second.service, second.service.get_experiment(arrived.md_uri))
    assert after == everything(first.service, made)


def test_where_a_tool_ran_is_said(tmp_path: Path) -> None:
    req = open_laboratory(tmp_path)
    experiment = fill(req, tmp_path, has_pipeline=False)
    (run,) = req.get_dataset_runs(req.get_dataset(experiment, "measured"))
    run.extra["execution"] |= {"runner": "PodmanRunnerService", "environment": "ab" * 32}
    req.data_service.update_run(run)  # type: ignore[attr-defined]
    req.export(experiment, str(tmp_path / "crate"), "ro-crate")
    document = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    (action,) = actions(entities)
    image = entities[action["containerImage"]["@id"]]
    assert (image["registry"], image["name"], image["tag"]) == ("quay.io", "lab/measure", "1.2")
    assert image["additionalType"]["@id"].endswith("#DockerImage")
    assert entities[action["environment"]["@id"]]["value"] == "ab" * 32


def test_referenced_files_stay_where_they_lie(
    req: Request, experiment: Experiment, tmp_path: Path, everything: Any
) -> None:
    crate = tmp_path / "crate"
    req.export(experiment, str(crate), "ro-crate", by_reference=True)
    assert not [path for path in crate.rglob("*") if path.suffix in {".txt", ".csv"}]
    other = open_room(tmp_path, "other")
    with pytest.raises(DataServiceError, match="lies outside"):
        other.import_crate(str(crate))
    arrived = other.import_crate(str(crate), trusted=[req.config.workspace])
    after = everything(other.data_service, other.get_experiment(arrived.md_uri))
    assert after == everything(req.data_service, experiment)


def test_an_item_that_failed_is_a_failed_action_with_its_error(graph: dict[str, Any]) -> None:
    failed = [action for action in actions(graph) if "worse.txt" in action["name"]]
    assert len(failed) == 2
    for action in failed:
        assert action["actionStatus"] == "http://schema.org/FailedActionStatus"
        assert "no numbers in it" in action["error"]
        assert "result" not in action


def test_an_action_says_tool_inputs_parameters_results_agent_and_times(graph: dict[str, Any]) -> None:
    action = next(a for a in actions(graph) if a["name"] == "measure_v1.2 of x?%20.txt")
    given = [graph[each["@id"]] for each in action["object"]]
    assert graph[action["instrument"]["@id"]]["softwareVersion"] == "1.2"
    assert [each["name"] for each in given] == ["x?%20.txt", "times"]
    assert given[1]["value"] == "2"
    assert graph[given[1]["exampleOfWork"]["@id"]]["additionalType"] == "Integer"
    assert graph[action["result"]["@id"]]["encodingFormat"] == "text/csv"
    assert graph[action["agent"]["@id"]]["name"] == "ada"
    assert action["startTime"] <= action["endTime"]


def test_a_pipeline_is_a_workflow_whose_steps_organise_the_actions(crate: Path, graph: dict[str, Any]) -> None:
    workflow = graph[graph["./"]["mainEntity"]["@id"]]
    assert workflow["name"] == "both / ways"
    assert len(workflow["step"]) == 4
    assert len(actions(graph, "ControlAction")) == 4
    not_run = [action for action in actions(graph) if "not run" in action.get("error", "")]
    assert len([action for action in not_run if action["description"] == "Nothing was executed"]) == 2
    document = json.loads((crate / workflow["@id"].replace("%20", " ")).read_text())
    assert [step["parameters"] for step in document["steps"] if step["name"].startswith("m_")] == [
        [{"name": "times", "value": 1}],
        [{"name": "times", "value": 3}],
    ]


def test_annotations_are_properties_of_the_files(graph: dict[str, Any]) -> None:
    data = next(entity for entity in graph.values() if entity.get("name") == "ä b;c#1.txt")
    pairs = {graph[each["@id"]]["name"]: graph[each["@id"]]["value"] for each in data["additionalProperty"]}
    assert pairs == {"Group": "=1+1", "Day": "1", "PhysicalSizeX": "0.108"}
    assert graph["#image/PhysicalSizeX/0.108/%C2%B5m"]["unitText"] == "µm"
    assert (data["contentSize"], data["encodingFormat"]) == ("3", "text/plain")


def test_what_is_there_is_not_overwritten(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "crate.zip").write_text("mine")
    with pytest.raises(ConflictError, match="there already"):
        req.export(experiment, str(tmp_path / "crate.zip"), "ro-crate")
    assert (tmp_path / "crate.zip").read_text() == "mine"


def test_a_failed_export_leaves_nothing(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    service = req.data_service

    class Failing:
        def __getattr__(self, name: str) -> Any:
            if name == "download_data":
                return self._fail
            return getattr(service, name)

        def _fail(self, md_uri: str, destination: str) -> str:
            raise DataServiceError("the server is gone")

    what = Exporting(experiment, Failing(), str(tmp_path / "crate"))  # type: ignore[arg-type]
    with pytest.raises(DataServiceError, match="gone"):
        write_crate(what)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_begins_with_the_metadata(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    req.export(experiment, str(tmp_path / "c.zip"), "ro-crate")
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        assert archive.namelist()[0] == "ro-crate-metadata.json"
        assert archive.testzip() is None
