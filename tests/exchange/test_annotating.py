"""Annotations from a table: shown first, written once, taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.laboratory import open_room
from typer.testing import CliRunner

from bioimageit_core.api import Request
from bioimageit_core.cli.app import app
from bioimageit_core.containers import Experiment
from bioimageit_core.exchange.tables.annotating import compare_table, write_differences
from bioimageit_core.exchange.tables.files import TableError
from bioimageit_core.testing import MemoryMetadataService


@pytest.fixture
def req(tmp_path: Path) -> Request:
    return open_room(tmp_path, "workspace")


@pytest.fixture
def experiment(req: Request, tmp_path: Path) -> Experiment:
    return filled(req.data_service, str(tmp_path / "workspace"), tmp_path)


def filled(service: Any, destination: str, tmp_path: Path) -> Experiment:
    experiment = service.create_experiment("cells", "ada", "2024-01-01", ["Day"], destination)
    for number, name in enumerate(("a.tif", "b.tif", "b.tif", "c.ome.tif")):
        path = tmp_path / f"{number}.tif"
        path.write_text(f"{number}")
        pairs = {"Day": 1} if number == 0 else {}
        service.import_data(experiment, str(path), name, "ada", "imagetiff", "2024-01-01", pairs)
    return service.get_experiment(experiment.md_uri)


def table(tmp_path: Path, text: str, name: str = "t.csv") -> str:
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def values(req: Request, experiment: Experiment) -> list[dict[str, Any]]:
    return [{k: v for k, v in data.key_value_pairs.items() if v != ""} for data in req.query(experiment, "data")]


def test_a_dry_run_shows_every_kind_of_difference_and_writes_nothing(
    req: Request, experiment: Experiment, tmp_path: Path
) -> None:
    text = "name, Day ,Mutant,date\n a.tif ,2,yes,x\nc,, wt ,x\nb.tif,1,,\nz.tif,1,,\na.tif,3,,\n"
    found = req.annotate_from_table(experiment, table(tmp_path, text), dry_run=True)
    assert [(each.name, each.key, each.kind, each.before, each.after) for each in found.changes] == [
        ("a.tif", "Day", "changed", "1", "2"),
        ("a.tif", "Mutant", "added", "", "yes"),
        ("c.ome.tif", "Mutant", "added", "", "wt"),
    ]
    assert found.unmatched_rows == [
        "line 4: 'b.tif': 2 data are named so; give their uuid",
        "line 5: 'z.tif': no data is named so",
    ]
    assert found.duplicate_rows == ["line 6: 'a.tif': line 2 is about it already"]
    assert found.unmatched_data == ["b.tif", "b.tif"]
    assert (found.new_keys, found.unused_columns, found.matched) == (["Mutant"], ["date"], 2)
    assert values(req, experiment) == [{"Day": 1}, {}, {}, {}]
    assert req.get_experiment(experiment.md_uri).keys == ["Day"]


def test_it_is_one_change_that_is_made_once_and_can_be_undone(
    req: Request, experiment: Experiment, tmp_path: Path
) -> None:
    path = table(tmp_path, "name,Day,Mutant\na.tif,2,yes\nc.ome.tif,3,\n")
    assert len(req.annotate_from_table(experiment, path).changes) == 3
    assert values(req, experiment) == [{"Day": "2", "Mutant": "yes"}, {}, {}, {"Day": "3"}]
    assert req.annotate_from_table(experiment, path).changes == []
    assert req.history(experiment, limit=1).entries[0].count == 2
    req.undo(experiment)
    assert values(req, experiment) == [{"Day": 1}, {}, {}, {}]


def test_empty_cells_remove_values_only_when_they_are_told_to(
    req: Request, experiment: Experiment, tmp_path: Path
) -> None:
    path = table(tmp_path, "name,Day\na.tif,\n")
    assert req.annotate_from_table(experiment, path).changes == []
    (removed,) = req.annotate_from_table(experiment, path, remove_empty=True).changes
    assert (removed.kind, removed.before) == ("removed", "1")
    assert values(req, experiment)[0] == {}
    assert req.annotate_from_table(experiment, path, remove_empty=True).changes == []


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_annotations_go_out_and_come_back(req: Request, experiment: Experiment, name: str, tmp_path: Path) -> None:
    path = str(tmp_path / name)
    req.annotate(experiment, {"name": "=1+1", "key:x": "-", "Day": "-3"}, "name=c.ome")
    before = values(req, experiment)
    assert req.annotations_to_table(experiment, path) == 4
    assert req.annotate_from_table(experiment, path).changes == []
    req.annotate(experiment, {"name": "", "key:x": "", "Day": "0"})
    assert len(req.annotate_from_table(experiment, path).changes) == 4
    assert values(req, experiment)[3] == before[3]


def test_a_table_of_all_data_annotates_the_imported_ones(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    req.export(experiment, str(tmp_path / "t.csv"), "data-table")
    found = req.annotate_from_table(experiment, str(tmp_path / "t.csv"))
    assert (found.matched, found.changes, found.is_clean) == (4, [], True)


def test_another_column_may_name_the_data(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    path = table(tmp_path, "Image Name\tDay\na\t5\n", "t.tsv")
    with pytest.raises(TableError, match="no column 'name' or 'uuid'"):
        req.annotate_from_table(experiment, path)
    assert len(req.annotate_from_table(experiment, path, match="Image Name").changes) == 1
    with pytest.raises(TableError, match="no column 'Image'"):
        req.annotate_from_table(experiment, path, match="Image")


def test_a_table_that_breaks_off_writes_nothing(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    path = table(tmp_path, "name,Day\na.tif,2\nc.ome.tif,1,2,3\n")
    with pytest.raises(TableError, match="line 3"):
        req.annotate_from_table(experiment, path)
    assert values(req, experiment)[0] == {"Day": 1}


def test_a_home_without_batches_is_annotated_one_by_one(tmp_path: Path) -> None:
    service = MemoryMetadataService()
    experiment = filled(service, "shelf", tmp_path)
    found = compare_table(service, experiment, table(tmp_path, "name,Day\na.tif,2\nc,3\n"))
    write_differences(service, experiment, found)
    dataset = service.get_dataset(experiment.raw_dataset.url)
    pairs = [service.get_raw_data(entry.md_uri).key_value_pairs.get("Day") for entry in dataset.uris]
    assert [pair or "" for pair in pairs] == ["2", "", "", "3"]


def test_the_command_shows_writes_and_tells(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    def bioimageit(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["--config", str(tmp_path / "workspace.json"), *arguments])
        return done.exit_code, done.output

    path = table(tmp_path, "name,Day\na.tif,2\nz.tif,1\n")
    status, shown = bioimageit("annotate", "cells", "--from", path, "--dry-run")
    assert status == 4
    assert "a.tif\tDay\tchanged\t1\t2" in shown
    assert "row not used: line 3: 'z.tif': no data is named so" in shown
    assert json.loads(bioimageit("annotate", "cells", "--from", path, "--json")[1])["changes"][0]["kind"] == "changed"
    out = str(tmp_path / "o.csv")
    assert bioimageit("annotate", "cells", "--to", out) == (0, f"4 data written to {out}\n")
    assert bioimageit("annotate", "cells", "--from", out) == (0, "4 rows match; nothing changes\n")
    assert bioimageit("annotate", "cells", "Day", "--from", out)[0] == 2
    assert bioimageit("annotate", "cells")[0] == 2
    assert bioimageit("annotate", "cells", "--from", str(tmp_path / "none.csv"))[0] == 1
