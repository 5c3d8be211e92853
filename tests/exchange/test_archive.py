"""A submission to the BioImage Archive: files, lists, study and PageTab."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.exchange.laboratory import fill, open_laboratory

from bioimageit_core.api import Request
from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import ConflictError, DocumentError
from bioimageit_core.exchange.archive.study import MODULES, problems
from bioimageit_core.exchange.content import digest


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Request, Experiment]:
    place = tmp_path_factory.mktemp("laboratory")
    req = open_laboratory(place)
    return req, fill(req, place)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def filled_in(folder: Path) -> None:
    """Fill in a template as its author would."""
    study = yaml.safe_load((folder / "study.yml").read_text())
    for module, (_, fields) in MODULES.items():
        for field in fields:
            study[module][field.key] = study[module][field.key] or f"what is to be said of {field.key}"
    study["study"] |= {"title": "Nuclei of two cultures\tof cells", "licence": "CC0", "release_date": "2027-01-01"}
    study["author"]["email"] = "ada@example.org"
    (folder / "study.yml").write_text(yaml.safe_dump(study))


def test_file_lists_name_every_file_by_its_relative_path(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    req.export(experiment, str(tmp_path / "s"), "bioimage-archive")
    rows = [row for path in (tmp_path / "s").glob("file_list_*.tsv") for row in rows_of(path)]
    assert len(rows) == 8
    for row in rows:
        assert re.fullmatch(r"[A-Za-z0-9!_.*'()/ -]+", row["Files"])
        assert digest(str(tmp_path / "s" / row["Files"])) == (row["SHA-256"], int(row["Size"]))
    files = {str(path.relative_to(tmp_path / "s")) for path in (tmp_path / "s" / "files").rglob("*") if path.is_file()}
    assert files == {row["Files"] for row in rows}


def test_file_lists_have_annotations_and_the_source_of_results(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    req.export(experiment, str(tmp_path / "s"), "bioimage-archive")
    data = {row["Name"]: row for row in rows_of(tmp_path / "s" / "file_list_data.tsv")}
    assert next(iter(data["x?%20.txt"])) == "Files"
    assert (data["x?%20.txt"]["Group"], data["ä b;c#1.txt"]["Group"]) == ("b", "'=1+1")
    assert (data["worse.txt"]["PhysicalSizeX"], data["worse.txt"]["PhysicalSizeXUnit"]) == ("0.108", "µm")
    assert "SizeX" not in data["worse.txt"]
    (result,) = rows_of(tmp_path / "s" / "file_list_measured.tsv")
    assert (result["Source image"], result["Tool"], result["Group"]) == (
        data["x?%20.txt"]["Files"],
        "measure_v1.2",
        "b",
    )


def test_the_template_holds_what_is_known_and_the_rest_is_told(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    report = req.export(experiment, str(tmp_path / "s"), "bioimage-archive")
    study = yaml.safe_load((tmp_path / "s" / "study.yml").read_text())
    assert study["author"]["name"] == "ada"
    assert study["biosample"]["experimental_variables"] == "Group"
    assert study["image_acquisition"]["acquisition_parameters"] == "PhysicalSizeX: 0.108 µm; Channel: DAPI, GFP"
    assert "m_times-3: measure_v1.2 on data with times 3" in study["image_analysis"]["overview"]
    assert {"study.yml lacks biosample.organism", "study.yml lacks study.keywords"} <= {*report.left_out}
    assert any("study.title has to be at least 25" in line for line in report.left_out)


def test_filled_in_and_exported_again_it_is_complete_and_no_file_is_copied_twice(
    laboratory: Any, tmp_path: Path
) -> None:
    req, experiment = laboratory
    req.export(experiment, str(tmp_path / "s"), "bioimage-archive")
    filled_in(tmp_path / "s")
    said = (tmp_path / "s" / "study.yml").read_text()

    report = req.export(experiment, str(tmp_path / "s"), "bioimage-archive")

    assert (report.written, report.present, report.left_out) == (0, 8, [])
    assert (tmp_path / "s" / "study.yml").read_text() == said
    document = json.loads((tmp_path / "s" / "submission.json").read_text())
    assert {"name": "ReleaseDate", "value": "2027-01-01"} in document["attributes"]
    sections = document["section"]["subsections"]
    assert [section["type"] for section in sections[:6]] == [
        "Author",
        "Organization",
        "Biosample",
        "Specimen",
        "Image acquisition",
        "Image analysis",
    ]
    lists = [each["value"] for s in sections[6:] for each in s["attributes"] if each["name"] == "File List"]
    assert all((tmp_path / "s" / name).is_file() for name in lists)
    assert len(lists) == 4


def test_both_forms_of_pagetab_say_the_same(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    req.export(experiment, str(tmp_path / "s"), "bioimage-archive")
    filled_in(tmp_path / "s")
    req.export(experiment, str(tmp_path / "s"), "bioimage-archive")
    document = json.loads((tmp_path / "s" / "submission.json").read_text())

    def lines(section: dict[str, Any]) -> list[list[str]]:
        found = []
        for each in section["attributes"]:
            name = f"<{each['name']}>" if each.get("reference") else each["name"]
            found.append([name, " ".join(each["value"].split())])
            found += [[f"[{q['name']}]", q["value"]] for q in each.get("valqual", ())]
        for inner in section.get("subsections", ()):
            found += lines(inner)
        return found

    with (tmp_path / "s" / "submission.tsv").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    heads = {0} | {number + 1 for number, row in enumerate(rows) if not row}
    said = [row for number, row in enumerate(rows) if row and number not in heads]
    assert said == lines(document) + lines(document["section"])
    assert rows[0] == ["Submission"]


def test_a_dry_run_says_what_is_missing_and_writes_nothing(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    report = req.export(experiment, str(tmp_path / "s"), "bioimage-archive", dry_run=True)
    assert (report.written, report.present) == (8, 0)
    assert report.left_out
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_left_alone(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="something else"):
        req.export(experiment, str(tmp_path), "bioimage-archive")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "not YAML"),
        ("3", "modules"),
        ("nothing: {}", "known are study"),
        ("study: {colour: 1}", "study.colour"),
        ("study: {release_date: 2024-13-01}", "month"),
        ("study: {keywords: [[a]]}", "study.keywords"),
    ],
)
def test_a_study_that_cannot_be_understood_is_told(laboratory: Any, text: str, reason: str, tmp_path: Path) -> None:
    req, experiment = laboratory
    (tmp_path / "study.yml").write_text(text)
    with pytest.raises(DocumentError, match=reason):
        req.export(experiment, str(tmp_path), "bioimage-archive")


def test_every_field_that_is_needed_is_asked_for() -> None:
    needed = [f"{m}.{f.key}" for m, (_, fields) in MODULES.items() for f in fields if f.is_needed]
    assert [line.rpartition(" ")[2] for line in problems({})] == needed
