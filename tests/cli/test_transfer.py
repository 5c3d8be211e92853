"""``bioimageit transfer``: an experiment goes to another home and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bioimageit_core import Request
from bioimageit_core.cli.app import app


@pytest.fixture
def config(tmp_path: Path) -> str:
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        document = {"workspace": str(tmp_path / place), "log_dir": str(tmp_path / "logs"), "user": {"name": "ada"}}
        (tmp_path / f"{place}.json").write_text(json.dumps(document))
    (tmp_path / "a.tif").write_text("a")
    request = Request(str(tmp_path / "here.json"))
    experiment = request.create_experiment("cells")
    request.import_data(experiment, str(tmp_path / "a.tif"), key_value_pairs={"Day": "1"})
    return str(tmp_path / "here.json")


def test_an_experiment_goes_to_a_folder_and_to_a_configured_home(config: str, tmp_path: Path) -> None:
    command = CliRunner()
    for place in (str(tmp_path / "there"), str(tmp_path / "there.json")):
        done = command.invoke(app, ["--config", config, "transfer", "cells", place, "--json"])
        assert done.exit_code == 0, done.output
        report = json.loads(done.stdout)
        assert report["moved"] + report["present"] == 1
    there = Request(str(tmp_path / "there.json"))
    (entry,) = there.get_workspace_experiments()
    (data,) = there.query(entry["info"], "data", "Day=1")
    assert Path(data.uri).read_text() == "a"


def test_a_dry_run_moves_nothing(config: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--config", config, "transfer", "cells", str(tmp_path / "there"), "--dry-run"])
    assert (done.exit_code, list((tmp_path / "there").iterdir())) == (0, [])
    assert "1 data in 1 datasets would be moved" in done.stdout


def test_several_homes_answer_one_query(config: str, tmp_path: Path) -> None:
    here, there = Request(config), Request(str(tmp_path / "there.json"))
    experiment = here.get_workspace_experiments()[0]["info"]
    here.transfer(experiment, there)
    hits = list(here.query_homes({"archive": there}, "data", "Day=1"))
    assert [(hit.home, hit.experiment.name, hit.data.name) for hit in hits] == [
        ("here", "cells", "a.tif"),
        ("archive", "cells", "a.tif"),
    ]


def test_find_asks_several_homes_and_tells_of_those_that_cannot_be_read(config: str, tmp_path: Path) -> None:
    command = CliRunner()
    assert command.invoke(app, ["--config", config, "transfer", "cells", str(tmp_path / "there")]).exit_code == 0

    def find(*arguments: str) -> tuple[int, list[str], dict[str, str]]:
        done = command.invoke(app, ["--config", config, "find", *arguments, "--json"])
        said = json.loads(done.stdout)
        return done.exit_code, [hit["home"] for hit in said["hits"]], said["not_read"]

    folder, configured = str(tmp_path / "there"), str(tmp_path / "there.json")
    assert find("Day=1", folder, configured) == (0, ["here", folder, configured], {})
    assert find("Day=2", folder) == (0, [], {})
    assert find("Day=1", "--dataset", "masks") == (0, [], {})
    status, homes, not_read = find("Day=1", str(tmp_path / "nowhere"), folder)
    assert (status, homes, list(not_read)) == (4, ["here", folder], [str(tmp_path / "nowhere")])
    shown = command.invoke(app, ["--config", config, "find", "Day=1", folder])
    assert shown.stdout.splitlines()[1].startswith("here\tcells\ta.tif\tDay=1")
    assert command.invoke(app, ["--config", config, "find", "Day=(1", folder]).exit_code == 2
