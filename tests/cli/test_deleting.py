"""What ``delete``, ``restore`` and ``trash`` do for somebody at a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api import Request
from bioimageit_core.core.exceptions import UnsupportedError

WRAPPER = """<tool id="twin" name="Twin" version="1" profile="21.05">
    <command detect_errors="exit_code"><![CDATA[cp '$input' '$output']]></command>
    <inputs><param name="input" type="data" format="tiff"/></inputs>
    <outputs><data name="output" format="tiff"/></outputs>
</tool>
"""


@pytest.fixture
def results(bioimageit: Any, experiment: str, config: Path, tmp_path: Path) -> str:
    """The experiment, with 'first' made of the raw data and 'second' of 'first'."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "twin.xml").write_text(WRAPPER)
    document = json.loads(config.read_text())
    config.write_text(json.dumps({**document, "process": {"service": "LOCAL", "xml_dirs": [str(tmp_path / "tools")]}}))
    assert bioimageit("run", experiment, "twin_v1", "-i", "input=data", "-o", "first").status == 0
    assert bioimageit("run", experiment, "twin_v1", "-i", "input=first", "-o", "second").status == 0
    return experiment


def names(bioimageit: Any, experiment: str, dataset: str) -> list[str]:
    return sorted(bioimageit("query", experiment, "-d", dataset, "--names").out.splitlines())


def test_a_dry_run_shows_what_depends_on_it_and_what_it_cost(bioimageit: Any, results: str) -> None:
    shown = bioimageit("delete", results, "p1_t1.tif", "--dry-run")
    assert shown.status == 0
    assert shown.rows[0] == ["data 'p1_t1.tif': 1 data go"]
    assert [row[0] for row in shown.rows[3:5]] == ["first", "second"]
    plan = bioimageit("delete", results, "p1_t1.tif", "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in plan["data"]] == ["p1_t1.tif"]
    assert [each["dataset"] for each in plan["dependents"]] == ["first", "second"]
    assert (plan["results"], plan["unknown"]) == (2, 0)
    assert 0 < plan["seconds"] < 60
    assert len(names(bioimageit, results, "data")) == 3
    of_dataset = bioimageit("delete", results, "first", "--dry-run", "--json").json["plan"]
    assert (len(of_dataset["data"]), len(of_dataset["dependents"]), of_dataset["results"]) == (3, 3, 6)
    assert of_dataset["seconds"] > plan["seconds"]


def test_what_others_depend_on_is_deleted_only_if_one_says_how(bioimageit: Any, results: str) -> None:
    refused = bioimageit("delete", results, "first", "--yes")
    assert refused.status == 1
    assert "--cascade or --keep" in refused.err
    assert len(names(bioimageit, results, "first")) == 3

    assert bioimageit("delete", results, "first", "--yes", "--keep").status == 0
    assert len(names(bioimageit, results, "second")) == 3
    shown = bioimageit("show", results, "second")
    assert (shown.status, [row[3] for row in shown.rows[1:]]) == (0, ["?"] * 3)
    assert bioimageit("query", results, "-d", "first").status == 3
    status = bioimageit("status", results, "--json")
    assert [each["state"] for each in status.json["datasets"]] == ["stale"]
    assert bioimageit("lineage", results, "second").status == 0
    assert bioimageit("check", results).status == 0

    assert bioimageit("restore", results, "first").status == 0
    assert bioimageit("status", results).status == 0


def test_a_cascade_takes_what_was_made_from_it(bioimageit: Any, results: str) -> None:
    assert bioimageit("delete", results, "p1_t1.tif", "--yes", "--cascade").status == 0
    assert [len(names(bioimageit, results, name)) for name in ("data", "first", "second")] == [2, 2, 2]
    assert bioimageit("check", results).status == 0
    assert bioimageit("restore", results).status == 0
    assert [len(names(bioimageit, results, name)) for name in ("data", "first", "second")] == [3, 3, 3]


def test_a_result_that_was_deleted_is_made_again_by_the_same_run(bioimageit: Any, results: str) -> None:
    (result, *_) = names(bioimageit, results, "second")
    assert bioimageit("delete", results, result, "-d", "second", "--yes").status == 0
    again = bioimageit("run", results, "twin_v1", "-i", "input=first", "-o", "second", "--json")
    assert again.status == 0
    assert sorted(item["state"] for item in again.json["items"]) == ["done", "skipped", "skipped"]
    assert len(names(bioimageit, results, "second")) == 3


def test_an_experiment_is_deleted_and_comes_back(bioimageit: Any, results: str, workspace: Path) -> None:
    done = bioimageit("delete", results, "--yes")
    assert (done.status, "bioimageit restore My cells" in done.out) == (0, True)
    assert bioimageit("show", "--json").json["experiments"] == []
    assert bioimageit("show", results).status == 3
    (entry,) = bioimageit("trash", "list", "--json").json["entries"]
    assert (entry["name"], entry["state"]) == ("My cells", "deleted")
    assert bioimageit("restore", results).out.startswith("restored experiment 'My cells'")
    assert len(names(bioimageit, results, "second")) == 3
    assert bioimageit("trash", "list").out == "the trash is empty\n"


def test_purging_says_what_it_freed(bioimageit: Any, results: str, workspace: Path) -> None:
    done = bioimageit("delete", results, "second", "--yes", "--purge")
    assert done.status == 0
    assert "for good" in done.out
    assert not list((workspace / "Mycells" / ".bioimageit" / "trash").rglob("*.tif"))
    (entry,) = bioimageit("trash", "list", results, "--json").json["entries"]
    assert (entry["state"], entry["count"]) == ("purged", 3)
    refused = bioimageit("restore", results, "second")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert bioimageit("trash", "purge", results, "--yes").out == "nothing to do\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["first"], 2, "--yes"),
        (["third", "--yes"], 3, "no data 'third'"),
        (["data", "--yes"], 1, "is the raw dataset"),
        (["first", "--cascade", "--keep"], 2, "one of --cascade and --keep"),
    ],
)
def test_a_deletion_that_cannot_be_is_told_why(
    bioimageit: Any, results: str, arguments: list[str], status: int, said: str
) -> None:
    outcome = bioimageit("delete", results, *arguments)
    assert outcome.status == status
    assert said in outcome.err.replace("\n", " ")
    assert len(names(bioimageit, results, "first")) == 3


def test_a_deletion_that_was_interrupted_is_finished_by_the_same_command(
    bioimageit: Any, results: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bioimageit_core.plugins.store import trash

    monkeypatch.setattr(trash, "move_in", lambda entry: (_ for _ in ()).throw(KeyboardInterrupt))
    assert bioimageit("delete", results, "second", "--yes").status == 130
    monkeypatch.undo()
    assert "was interrupted" in bioimageit("check", results).out
    done = bioimageit("delete", results, "second", "--yes")
    assert (done.status, "finished deleting" in done.out) == (0, True)
    assert bioimageit("check", results).status == 0
    assert bioimageit("restore", results, "second").status == 0


def test_a_service_without_a_trash_says_so(config: Path, results: str) -> None:
    req = Request(str(config), debug=False, log=False)
    found = req.get_workspace_experiments()[0]["info"]

    class Plain:
        get_experiment = staticmethod(req.data_service.get_experiment)

    req.data_service = Plain()
    for action in (lambda: req.delete(found), lambda: req.trash(found), lambda: req.history(found)):
        with pytest.raises(UnsupportedError, match="cannot"):
            action()


def test_what_was_lost_can_be_taken_out_of_the_list(bioimageit: Any, experiment: str, workspace: Path) -> None:
    (lost,) = workspace.glob("*/data/p1_t1.md.json")
    lost.unlink()
    lost.with_name("p1_t1.tif").unlink()
    assert bioimageit("check", experiment).status == 4

    assert bioimageit("delete", experiment, "p1_t1.md.json", "--yes").status == 0

    assert bioimageit("check", experiment).status == 0
    assert len(names(bioimageit, experiment, "data")) == 2
