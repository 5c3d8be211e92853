from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

Run = Callable[..., Any]


def test_init_writes_a_configuration_that_is_used(bioimageit: Run, own_home: Path) -> None:
    outcome = bioimageit("--config", "lab.json", "init", "my workspace", "--user", "ada", use_config=False)

    assert outcome.status == 0
    written = json.loads((own_home / "lab.json").read_text())
    assert written["user"] == {"name": "ada"}
    assert Path(written["workspace"]) == own_home / "my workspace"
    assert (own_home / "my workspace").is_dir()
    assert bioimageit("--config", "lab.json", "create", "a", use_config=False).status == 0
    assert (own_home / "my workspace" / "a" / "experiment.md.json").is_file()


def test_init_does_not_overwrite_unasked(bioimageit: Run, config: Path) -> None:
    before = config.read_text()

    outcome = bioimageit("init", "elsewhere")

    assert outcome.status == 1
    assert "--force overwrites it" in outcome.err
    assert config.read_text() == before
    assert bioimageit("init", "elsewhere", "--force").status == 0
    assert config.read_text() != before


def test_without_a_configuration_defaults_serve(bioimageit: Run) -> None:
    assert bioimageit("create", "a", use_config=False).status == 0
    assert [each["name"] for each in bioimageit("show", "--json", use_config=False).json["experiments"]] == ["a"]


def test_create_makes_an_experiment_in_the_workspace(bioimageit: Run, workspace: Path) -> None:
    made = bioimageit("create", "My cells", "-k", "Day", "--key", "Dose", "--json").json

    assert (made["name"], made["author"], made["keys"]) == ("My cells", "ada", ["Day", "Dose"])
    assert Path(made["md_uri"]) == workspace / "Mycells" / "experiment.md.json"


def test_creating_it_again_is_refused(bioimageit: Run) -> None:
    bioimageit("create", "a")

    outcome = bioimageit("create", "a")

    assert outcome.status == 1
    assert outcome.err.startswith("error: ")


def test_import_of_a_folder_annotates_with_its_name_and_can_be_run_again(
    bioimageit: Run, images: Path, workspace: Path
) -> None:
    bioimageit("create", "c")

    first = bioimageit("import", "c", str(images), "-r", "--tag-dir", "Folder", "--json")
    again = bioimageit("import", "c", str(images), "-r", "--tag-dir", "Folder", "--json")

    assert first.json == {
        "experiment": str(workspace / "c" / "experiment.md.json"),
        "imported": 3,
        "total": 3,
        "failures": [],
    }
    assert (again.json["imported"], again.json["total"]) == (0, 3)
    assert first.err == ""
    found = bioimageit("query", "c", "Folder=p 10 (x)", "--json").json["data"]
    assert [data["name"] for data in found] == ["p10_t1.tif"]


def test_import_of_a_folder_takes_what_the_filter_finds(bioimageit: Run, images: Path) -> None:
    bioimageit("create", "c")

    assert bioimageit("import", "c", str(images), "-r", "--filter", r"_t2\.tif$", "--json").json["total"] == 1


def test_import_of_files_annotates_them(bioimageit: Run, images: Path) -> None:
    bioimageit("create", "c")
    files = [str(path) for path in sorted((images / "p1").iterdir())]

    assert bioimageit("import", "c", *files, "--value", "Day=3", "--value", "Note=a=b").status == 0

    found = bioimageit("query", "c", "Day=3", "--json").json["data"]
    assert [data["key_value_pairs"] for data in found] == [{"Day": "3", "Note": "a=b"}] * 2


def test_a_file_that_cannot_be_imported_stops_no_other(bioimageit: Run, images: Path, tmp_path: Path) -> None:
    bioimageit("create", "c")
    unknown = tmp_path / "notes.what"
    unknown.write_text("x")

    outcome = bioimageit("import", "c", str(unknown), str(images / "p1" / "p1_t1.tif"), "--json")

    assert outcome.status == 4
    assert outcome.json["imported"] == 1
    assert [failure["path"] for failure in outcome.json["failures"]] == [str(unknown)]


def test_a_path_that_is_not_there_imports_nothing(bioimageit: Run, images: Path) -> None:
    bioimageit("create", "c")

    outcome = bioimageit("import", "c", str(images / "p1" / "p1_t1.tif"), "missing.tif")

    assert outcome.status == 3
    assert "missing.tif" in outcome.err
    assert bioimageit("query", "c", "--json").json["data"] == []


def test_values_go_with_files_only(bioimageit: Run, images: Path) -> None:
    bioimageit("create", "c")

    assert bioimageit("import", "c", str(images), "--value", "Day=3").status == 2


def test_a_reference_leaves_the_file_where_it_is(bioimageit: Run, images: Path, workspace: Path) -> None:
    bioimageit("create", "c")

    assert bioimageit("import", "c", str(images / "p1"), "--mode", "reference").status == 0

    assert list((workspace / "c" / "data").glob("*.tif")) == []
    assert bioimageit("query", "c", "--json").json["data"][0]["uri"] == str(images / "p1" / "p1_t1.tif")


def test_annotations_from_names_take_the_longest_value(bioimageit: Run, experiment: str) -> None:
    found = bioimageit("query", experiment, "Population=p10", "--names")

    assert found.out.splitlines() == ["p10_t1.tif"]


def test_a_dry_run_shows_what_would_change_and_changes_nothing(bioimageit: Run, experiment: str) -> None:
    outcome = bioimageit("annotate", experiment, "Time", "--separator", "_", "--position", "1", "--dry-run", "--json")

    assert outcome.json["dry_run"] is True
    assert [(each["name"], each["before"], each["after"]) for each in outcome.json["changes"]] == [
        ("p10_t1.tif", "", "t1"),
        ("p1_t1.tif", "", "t1"),
        ("p1_t2.tif", "", "t2"),
    ]
    assert bioimageit("query", experiment, "Time", "--names").out == ""
    shown = bioimageit("annotate", experiment, "Time", "--separator", "_", "--position", "1", "-n")
    assert shown.rows[0] == ["data", "key", "before", "after"]


def test_values_are_set_where_a_query_selects(bioimageit: Run, experiment: str) -> None:
    outcome = bioimageit("annotate", experiment, "Day=3", "Good=yes", "--query", "Population=p1")

    assert outcome.out == "4 values written\n"
    assert bioimageit("query", experiment, "Day>=3 AND Good=yes", "--names").out.splitlines() == [
        "p1_t1.tif",
        "p1_t2.tif",
    ]
    again = bioimageit("annotate", experiment, "Day=3", "--query", "Population=p1")
    assert again.out == "nothing changes\n"


def test_a_name_without_that_part_is_told(bioimageit: Run, experiment: str) -> None:
    outcome = bioimageit("annotate", experiment, "X", "--separator", "_", "--position", "5")

    assert outcome.status == 0
    assert "warning: " in outcome.err
    assert "p1_t1.tif" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["Day"],
        ["Day=3", "Dose"],
        ["A", "B", "--from-name", "x"],
        ["A", "--from-name", "x", "--separator", "_"],
        ["A", "--from-name", "x", "--query", "name=p1"],
        ["=3"],
    ],
)
def test_an_annotation_that_cannot_be_understood_is_refused(
    bioimageit: Run, experiment: str, arguments: list[str]
) -> None:
    outcome = bioimageit("annotate", experiment, *arguments)

    assert outcome.status == 2
    assert outcome.err.count("\n") == 1


def test_the_files_of_a_folder_that_cannot_be_imported_are_named_and_the_others_kept(
    bioimageit: Run, images: Path
) -> None:
    bioimageit("create", "c")
    for name in ("CON.tif", "new\nline.tif"):
        (images / name).write_bytes(b"x")
    (images / "good.tif").write_bytes(b"y")

    outcome = bioimageit("import", "c", str(images))

    assert outcome.status == 4
    assert "1 new data" in outcome.out
    assert "2 of 3 files were not imported" in outcome.out
    assert "'CON.tif'" in outcome.out
    assert r"new\nline" in outcome.out


def test_a_folder_of_several_formats_is_refused_with_a_filter_to_take(bioimageit: Run, images: Path) -> None:
    bioimageit("create", "c")
    (images / "p1" / "notes.txt").write_text("x")

    outcome = bioimageit("import", "c", str(images / "p1"))

    assert outcome.status == 1
    assert "such as '[.]tif$'" in outcome.err
    assert bioimageit("import", "c", str(images / "p1"), "--filter", "[.]tif$").status == 0


def test_images_are_converted_scene_by_scene_and_described(bioimageit: Run, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "plate.ome.tif", ome=True) as tif:
        for number in range(2):
            tif.write(np.full((8, 9), number, np.uint8), metadata={"Name": f"field {number}"})
    bioimageit("create", "e")

    converted = bioimageit("import", "e", str(tmp_path / "plate.ome.tif"), "--convert", "ome-zarr", "--scenes", "each")
    plain = bioimageit("import", "e", str(tmp_path / "plate.ome.tif"), "--no-describe")

    assert (converted.status, plain.status) == (0, 0)
    assert "2 new data" in converted.out
    described = bioimageit("describe", "e", "--json")
    assert (described.status, described.json) == (0, {"described": 1, "unread": {}})
    found = {data["name"]: data["metadata"] for data in bioimageit("show", "e", "data", "--json").json["data"]}
    assert found["plate_1.ome.zarr"]["Name"] == "field 1"
    assert found["plate.ome.tif"]["Scenes"] == ["field 0", "field 1"]
