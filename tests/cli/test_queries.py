from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_query_lists_what_is_selected_with_its_annotations(bioimageit: Run, experiment: str) -> None:
    outcome = bioimageit("query", experiment, "Population=p10")

    assert outcome.rows[0] == ["name", "format", "date", "Folder", "Population"]
    assert [(row[0], row[3], row[4]) for row in outcome.rows[1:]] == [("p10_t1.tif", "p 10 (x)", "p10")]


def test_query_writes_one_json_document(bioimageit: Run, experiment: str, workspace: Path) -> None:
    document = bioimageit("query", experiment, "name=t2", "--json").json

    assert set(document) == {"experiment", "dataset", "query", "data"}
    (data,) = document["data"]
    assert data["name"] == "p1_t2.tif"
    assert data["type"] == "raw"
    assert data["key_value_pairs"] == {"Folder": "p1", "Population": "p1"}
    assert data["uri"] == str(workspace / "Mycells" / "data" / "p1_t2.tif")


def test_an_experiment_is_named_by_name_folder_or_path(bioimageit: Run, experiment: str, workspace: Path) -> None:
    path = workspace / "Mycells"
    for name in ("My cells", "Mycells", str(path), str(path / "experiment.md.json"), f"{path}/"):
        assert len(bioimageit("query", name, "--names").out.splitlines()) == 3


def test_two_experiments_of_one_name_are_told_apart_by_path(bioimageit: Run, workspace: Path, tmp_path: Path) -> None:
    bioimageit("create", "a b")
    made = workspace / "ab"
    made.rename(workspace / "first")
    bioimageit("create", "a b")

    outcome = bioimageit("query", "a b")

    assert outcome.status == 1
    assert "give the path" in outcome.err
    assert bioimageit("query", str(made)).status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["query", "My cell"], 3, "did you mean 'My cells'?"),
        (["query", "nothing alike"], 3, "it has My cells"),
        (["query", "My cells", "-d", "segmentatoin"], 3, "it has data"),
        (["query", "./missing"], 3, "no experiment at"),
        (["query", "My cells", "a=1 and b=2"], 2, "upper case\n  a=1 and b=2\n           ^"),
        (["query", "My cells", "name~("], 2, "name~("),
        (["query"], 2, "Missing argument"),
        (["quary"], 2, "No such command"),
        (["show", "My cells", "nothing"], 3, "no dataset 'nothing'"),
        (["show", "My cells", "data", "p1_t3.tif"], 3, "did you mean"),
        (["show", "My cells", "--runs"], 2, "--runs goes with a dataset"),
        (["lineage", "My cells", "nothing"], 3, "no dataset"),
    ],
)
def test_what_is_not_there_or_not_understood_is_told_with_its_status(
    bioimageit: Run, experiment: str, arguments: list[str], status: int, said: str
) -> None:
    outcome = bioimageit(*arguments)

    assert outcome.status == status
    assert said in outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments", [["--nope"], ["nope"], ["query"], ["query", "x", "--nope"], ["import", "a", "--mode", "x"]]
)
def test_a_command_that_cannot_be_understood_is_told_in_one_line(bioimageit: Run, arguments: list[str]) -> None:
    outcome = bioimageit(*arguments)

    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert "--help')" in outcome.err


def test_a_key_that_nothing_has_is_told_where_a_query_finds_nothing(bioimageit: Run, experiment: str) -> None:
    outcome = bioimageit("query", experiment, "Populaton=p1 AND format=imagetiff")

    assert (outcome.status, len(outcome.rows)) == (0, 1)
    assert outcome.err == "note: no key 'Populaton' in experiment 'My cells': did you mean 'Population'?\n"
    assert bioimageit("query", experiment, "Population=none").err == ""


def test_show_lists_the_workspace(bioimageit: Run, experiment: str) -> None:
    rows = bioimageit("show").rows

    assert rows[0] == ["experiment", "author", "date", "results", "keys", "where"]
    assert rows[1][:2] == ["My cells", "ada"]
    assert [each["name"] for each in bioimageit("show", "--json").json["experiments"]] == ["My cells"]


def test_show_of_an_empty_workspace_says_how_to_begin(bioimageit: Run) -> None:
    assert "bioimageit create" in bioimageit("show").out
    assert bioimageit("show", "--json").json == {"experiments": []}


def test_show_tells_of_an_experiment_and_its_datasets(bioimageit: Run, experiment: str) -> None:
    assert "data\t3\timported" in bioimageit("show", experiment).out
    document = bioimageit("show", experiment, "--json").json
    assert [(each["name"], each["size"]) for each in document["datasets"]] == [("data", 3)]
    assert document["keys"] == ["Folder", "Population"]


def test_show_tells_of_a_dataset(bioimageit: Run, experiment: str) -> None:
    assert [row[0] for row in bioimageit("show", experiment, "data").rows[1:]] == [
        data["name"] for data in bioimageit("show", experiment, "data", "--json").json["data"]
    ]


@pytest.mark.parametrize("by", ["name", "stem", "uuid"])
def test_show_tells_of_a_data_by_its_name_or_uuid(bioimageit: Run, experiment: str, by: str) -> None:
    (data,) = bioimageit("query", experiment, "name==p1_t2.tif", "--json").json["data"]
    named = {"name": data["name"], "stem": "p1_t2", "uuid": data["uuid"]}[by]

    rows = dict(row for row in bioimageit("show", experiment, "data", named).rows)

    assert rows["uuid"] == data["uuid"]
    assert rows["Population"] == "p1"
    assert bioimageit("show", experiment, "data", named, "--json").json == data


def test_lineage_of_an_imported_data_ends_with_who_imported_it(bioimageit: Run, experiment: str) -> None:
    assert "by ada" in bioimageit("lineage", experiment, "data", "p1_t1").out
    tree = bioimageit("lineage", experiment, "--json").json
    assert (tree["role"], tree["name"]) == ("experiment", "My cells")
    assert [(node["role"], node["name"]) for node in tree["made_from"]] == [("dataset", "data")]


def test_check_finds_what_does_not_hold(bioimageit: Run, experiment: str, workspace: Path) -> None:
    assert bioimageit("check", experiment).out == "My cells: everything holds\n"
    again = bioimageit("check", experiment).out
    assert again.splitlines()[1] == "not read again, as unchanged since a check read them: 3 (--full reads them)"
    assert bioimageit("check", experiment, "--full").out == "My cells: everything holds\n"
    (workspace / "Mycells" / "data" / "p1_t1.tif").unlink()
    (workspace / "Mycells" / "data" / "p1_t2.tif").write_bytes(b"other")

    outcome = bioimageit("check", experiment, "--json")

    assert outcome.status == 4
    found = {Path(each["uri"]).name: each["kind"] for each in outcome.json["findings"]}
    assert found["p1_t1.tif"] == "missing file"
    assert found["p1_t2.tif"] == "checksum"
    assert bioimageit("check", experiment, "--quick").status == 4


def test_check_mends_what_can_be_mended(bioimageit: Run, experiment: str, workspace: Path) -> None:
    listing = workspace / "Mycells" / "data" / "raw_dataset.md.json"
    document = json.loads(listing.read_text())
    document["urls"].pop()
    listing.write_text(json.dumps(document, indent=4))
    assert bioimageit("check", experiment).status == 4

    outcome = bioimageit("check", experiment, "--repair", "--json")

    assert outcome.status == 0
    assert len(outcome.json["repairs"]) == 1
    assert len(bioimageit("query", experiment, "--json").json["data"]) == 3


def test_control_characters_in_values_do_not_reach_the_terminal(bioimageit: Run, experiment: str) -> None:
    bioimageit("annotate", experiment, "Note=a\x1b[2Jb\tc\nd")

    outcome = bioimageit("query", experiment, "Note")

    assert "\x1b" not in outcome.out
    assert {len(row) for row in outcome.rows} == {6}


def test_an_experiment_whose_document_is_cut_off_is_told_with_its_file(
    bioimageit: Run, experiment: str, workspace: Path
) -> None:
    path = workspace / "Mycells" / "experiment.md.json"
    path.write_text(path.read_text()[:40])

    outcome = bioimageit("query", str(workspace / "Mycells"))

    assert outcome.status == 1
    assert "experiment.md.json" in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 2


def test_an_experiment_that_cannot_be_read_hides_no_other(bioimageit: Run, experiment: str, workspace: Path) -> None:
    bioimageit("create", "broken")
    (workspace / "broken" / "experiment.md.json").write_text('{"uuid"')

    listed = bioimageit("show")
    documents = bioimageit("show", "--json").json["experiments"]

    assert listed.status == 0
    assert "experiment.md.json: is cut off" in listed.err
    assert [Path(row[-1]).name for row in listed.rows[1:]] == ["Mycells", "broken"]
    assert ["error" in each for each in documents].count(True) == 1
    assert bioimageit("query", experiment).status == 0
    assert bioimageit("query", "broken").status == 1
    assert "is cut off" in bioimageit("query", "broken").err


def test_a_very_long_query_is_answered(bioimageit: Run, experiment: str) -> None:
    query = " AND ".join(["NOT Nothing=1"] * 3000)

    assert bioimageit("query", experiment, query).rows == bioimageit("query", experiment).rows
