"""``bioimageit export``, ``import-crate`` and ``replay`` of a crate, as somebody types them."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.laboratory import fill, open_laboratory, open_room
from typer.testing import CliRunner

from bioimageit_core.api import Request
from bioimageit_core.cli.app import app
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.jobs.digests import digest_tool

NAME = "Kc 167 µ"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("laboratory")
    fill(open_laboratory(place), place)
    return place


@pytest.fixture
def bioimageit(place: Path) -> Any:
    def run(*arguments: str, config: Path = place / "workspace.json") -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["--config", str(config), *arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


def test_a_crate_is_exported_replayed_and_imported_elsewhere(bioimageit: Any, tmp_path: Path) -> None:
    crate = str(tmp_path / "kc.zip")
    status, out, _ = bioimageit("export", NAME, crate, "--ro-crate", "--license", "CC-BY-4.0")
    assert status == 0
    assert "8 data written" in out
    assert "provenance/0.5" in out
    status, out, _ = bioimageit("replay", crate, "measured")
    assert (status, out.splitlines()[-1]) == (0, "measured: 1 identical")
    other: Request = open_room(tmp_path, "other")
    status, out, _ = bioimageit("import-crate", crate, config=tmp_path / "other.json")
    assert (status, out.splitlines()[0]) == (0, "8 data in 4 datasets moved; 3 runs")
    assert [entry["info"].name for entry in other.get_workspace_experiments()] == [NAME]


def test_a_dry_run_exports_and_imports_nothing(bioimageit: Any, tmp_path: Path) -> None:
    crate = tmp_path / "kc"
    assert bioimageit("export", NAME, str(crate), "--ro-crate", "--dry-run")[0] == 0
    assert not crate.exists()
    bioimageit("export", NAME, str(crate), "--ro-crate")
    other = open_room(tmp_path, "other")
    status, out, _ = bioimageit("import-crate", str(crate), "--dry-run", "--json", config=tmp_path / "other.json")
    assert (status, json.loads(out)["moved"]) == (0, 8)
    assert other.get_workspace_experiments() == []


def test_a_refused_crate_is_told_in_a_line(bioimageit: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("ro-crate-metadata.json", "{}")
        archive.writestr("../evil", "")
    for arguments, said in (
        (("import-crate", str(tmp_path / "evil.zip")), "leads out of the crate"),
        (("replay", str(tmp_path / "evil.zip"), "data"), "leads out of the crate"),
        (("import-crate", str(tmp_path)), "is no RO-Crate"),
        (("import-crate", str(tmp_path / "none.zip")), "no crate at"),
    ):
        status, out, err = bioimageit(*arguments)
        assert status in (1, 3)
        assert out == ""
        assert said in err
        assert err.count("\n") == 1


def test_a_tool_is_not_looked_for_where_a_crate_says(bioimageit: Any, place: Path, tmp_path: Path) -> None:
    crate = tmp_path / "kc"
    bioimageit("export", NAME, str(crate), "--ro-crate")
    evil = tmp_path / "evil.xml"
    wrapper = (place / "tools" / "measure" / "measure.xml").read_text()
    evil.write_text(wrapper.replace("<command>", f"<command>touch '{tmp_path}/ran'; "))
    run = crate / "measured" / "run.md.json"
    document = json.loads(run.read_text())
    document["process"]["url"] = str(evil)
    document["execution"]["tool"]["sha256"] = digest_tool(read_wrapper(evil)).sha256
    run.write_text(json.dumps(document))
    status, out, _ = bioimageit("replay", str(crate), "measured")
    assert status == 4
    assert "impossible" in out
    assert not (tmp_path / "ran").exists()


def test_tables_are_exported(bioimageit: Any, tmp_path: Path) -> None:
    assert bioimageit("export", NAME, str(tmp_path / "d.csv"), "--table", "-d", "data")[0] == 0
    assert bioimageit("export", NAME, str(tmp_path / "m.csv"), "--measurements")[0] == 0
    with (tmp_path / "d.csv").open(newline="", encoding="utf-8") as file:
        assert [row["dataset"] for row in csv.DictReader(file)] == ["data"] * 3
    status, _, err = bioimageit("export", NAME, str(tmp_path / "m.doc"), "--measurements")
    assert (status, err.count("\n")) == (1, 1)
    assert bioimageit("export", NAME, str(tmp_path / "x"), "--table", "--ro-crate")[0] == 2


def test_a_submission_says_what_it_lacks(bioimageit: Any, tmp_path: Path) -> None:
    status, out, _ = bioimageit("export", NAME, str(tmp_path / "s"), "--bioimage-archive")
    assert status == 4
    assert "left out: study.yml lacks biosample.organism" in out
    assert (tmp_path / "s" / "file_list_data.tsv").is_file()
