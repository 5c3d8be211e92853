from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.cli import demo
from bioimageit_core.cli.running import JobInputText, parse_input
from bioimageit_core.core.exceptions import PluginContractError

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("image=data", JobInputText("image", "data")),
        ("image=data:a=1 AND b:c", JobInputText("image", "data", "a=1 AND b:c")),
        ("image=my set/labels", JobInputText("image", "my set", "", "labels")),
        ("image=seg/labels:name=a/b", JobInputText("image", "seg", "name=a/b", "labels")),
        ("image = data : a=1", JobInputText("image", "data", "a=1")),
        ("image=data:", JobInputText("image", "data")),
    ],
)
def test_an_input_is_written_in_one_word(text: str, parsed: JobInputText) -> None:
    assert parse_input(text) == parsed


@pytest.mark.parametrize("text", ["", "image", "=data", "image=", "image=:a=1", "image=/labels"])
def test_an_input_that_cannot_be_understood_is_refused(
    bioimageit: Run, experiment: str, tools: Path, text: str
) -> None:
    outcome = bioimageit("run", experiment, "stamp", "-i", text)

    assert outcome.status == 2
    assert "NAME=DATASET" in outcome.err


def test_a_run_makes_a_dataset_and_tells_of_each_item(bioimageit: Run, experiment: str, tools: Path) -> None:
    outcome = bioimageit(
        "run",
        experiment,
        "stamp_v1.0.0",
        "-i",
        "input=data:Population=p1",
        "-p",
        "text=x y",
        "-o",
        "out",
        "--json",
    )

    assert outcome.status == 0
    assert outcome.json["dataset"] == "out"
    assert sorted((item["name"], item["state"]) for item in outcome.json["items"]) == [
        ("p1_t1.tif", "done"),
        ("p1_t2.tif", "done"),
    ]
    made = bioimageit("query", experiment, "-d", "out", "name=t1", "--json").json["data"]
    assert Path(made[0]["uri"]).read_bytes().endswith(b"x y")


def test_a_run_again_does_what_is_missing(bioimageit: Run, experiment: str, tools: Path) -> None:
    bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data:Population=p1", "-o", "out")

    plan = bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data", "-o", "out", "--dry-run", "--json").json
    done = bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data", "-o", "out")

    assert {item["name"]: item["action"] for item in plan["items"]} == {
        "p1_t1.tif": "skip",
        "p1_t2.tif": "skip",
        "p10_t1.tif": "run",
    }
    assert done.out == "dataset 'out': 1 done, 2 skipped (1 new results)\n"
    again = bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data", "-o", "out")
    assert again.out.endswith("(0 new results)\n")
    assert len(bioimageit("query", experiment, "-d", "out", "--json").json["data"]) == 3


def test_a_dry_run_writes_nothing(bioimageit: Run, experiment: str, tools: Path) -> None:
    outcome = bioimageit("run", experiment, "stamp", "-i", "input=data", "-n")

    assert outcome.out.startswith("stamp_v1.10.0 creates dataset 'stamp': 3 to run\n")
    assert len(bioimageit("show", experiment, "--json").json["datasets"]) == 1


def test_items_that_fail_are_told_and_the_others_kept(bioimageit: Run, experiment: str, tools: Path) -> None:
    outcome = bioimageit("run", experiment, "stamp", "-i", "input=data", "-p", "refuse=t2", "-o", "out", "--json")

    assert outcome.status == 4
    assert {item["name"]: item["state"] for item in outcome.json["items"]} == {
        "p1_t1.tif": "done",
        "p1_t2.tif": "failed",
        "p10_t1.tif": "done",
    }
    assert "1 of 3 items failed" in outcome.err
    assert len(bioimageit("query", experiment, "-d", "out", "--json").json["data"]) == 2


def test_a_run_of_which_all_fails_has_failed(bioimageit: Run, experiment: str, tools: Path) -> None:
    outcome = bioimageit("run", experiment, "stamp", "-i", "input=data:name=t2", "-p", "refuse=t2")

    assert outcome.status == 1
    assert "p1_t2.tif" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["stemp", "-i", "input=data"], 3, "did you mean stamp"),
        (["stamp"], 2, "--input"),
        (["stamp", "-i", "image=data"], 1, "no input 'image'; it has input"),
        (["stamp", "-i", "input=data", "-p", "txet=a"], 1, "no parameter 'txet'; it has text, refuse"),
        (["stamp", "-i", "input=data", "-p", "text"], 2, "KEY=VALUE"),
        (["stamp", "-i", "input=other"], 3, "no dataset 'other'"),
        (["stamp", "-i", "input=data:Population=p7"], 2, "Population=p7"),
        (["stamp", "-i", "input=data:a=b=c"], 2, "must be quoted"),
        (["./missing.xml", "-i", "input=data"], 1, "missing.xml"),
    ],
)
def test_a_run_that_cannot_be_is_told_why(
    bioimageit: Run, experiment: str, tools: Path, arguments: list[str], status: int, said: str
) -> None:
    outcome = bioimageit("run", experiment, *arguments)

    assert (outcome.status, outcome.out) == (status, "")
    assert said in outcome.err
    assert len(bioimageit("show", experiment, "--json").json["datasets"]) == 1


def test_lineage_walks_from_a_result_to_the_image(bioimageit: Run, experiment: str, tools: Path) -> None:
    bioimageit("run", experiment, "stamp", "-i", "input=data:name=t2", "-o", "first", "-p", "text=one")
    bioimageit("run", experiment, "stamp", "-i", "input=first/output", "-o", "second")
    (made,) = bioimageit("query", experiment, "Population=p1", "-d", "second", "--json").json["data"]

    node = bioimageit("lineage", experiment, "second", made["uuid"], "--json").json
    names = []
    while node:
        names.append((node["role"], node["name"]))
        node = node["made_from"][0] if node["made_from"] else None

    assert [role for role, _ in names] == ["data", "run", "data", "run", "data"]
    assert names[1] == names[3] == ("run", "stamp_v1.10.0")
    assert names[-1] == ("data", "p1_t2.tif")
    drawn = bioimageit("lineage", experiment, "second", made["uuid"]).out
    assert "text=one" in drawn
    assert "imported" in drawn
    whole = bioimageit("lineage", experiment).out
    assert "first/output  all → input" in whole


def test_runs_are_shown_with_parameters_and_inputs(bioimageit: Run, experiment: str, tools: Path) -> None:
    bioimageit("run", experiment, "stamp", "-i", "input=data:name=t2", "-p", "text=one", "-o", "first")

    assert "stamp_v1.10.0\ttext=one\tinput=data:name=t2\t" in bioimageit("show", experiment, "first", "--runs").out
    (run,) = bioimageit("show", experiment, "first", "--runs", "--json").json["runs"]
    assert run["parameters"] == {"text": "one"}
    assert run["inputs"] == [{"name": "input", "dataset": "data", "query": "name=t2", "origin_output_name": ""}]
    assert "first\t1\tstamp_v1.10.0" in bioimageit("show", experiment).out


def test_tools_are_found_by_keyword_and_shown_by_name_id_or_path(bioimageit: Run, tools: Path) -> None:
    found = bioimageit("tools", "list", "newly", "--json").json["tools"]
    assert [tool["fullname"] for tool in found] == ["stamp_v1.10.0"]
    assert "no tool has 'nothing-like-it'" in bioimageit("tools", "list", "nothing-like-it").out
    for name in ("stamp", "stamp_v1.10.0", str(tools / "stamp2.xml")):
        shown = bioimageit("tools", "show", name, "--json").json
        assert shown["fullname"] == "stamp_v1.10.0"
    assert [each["name"] for each in shown["inputs"]] == ["input", "text", "refuse"]
    text = bioimageit("tools", "show", "stamp_v1.0.0").out
    assert "bioimageit run EXPERIMENT stamp_v1.0.0 -i input=data" in text
    assert "It copies." in text


def test_tools_are_linted(bioimageit: Run, tools: Path) -> None:
    assert bioimageit("tools", "lint", str(tools / "stamp.xml")).status == 0
    (tools / "stamp2.xml").write_text("<tool id='x'")

    outcome = bioimageit("tools", "lint", str(tools), "--json")

    assert outcome.status == 1
    levels = {Path(each["path"]).name: [m["level"] for m in each["messages"]] for each in outcome.json["wrappers"]}
    assert "error" in levels["stamp2.xml"]
    assert bioimageit("tools", "lint", "missing").status == 1


def test_tests_of_tools_are_run(bioimageit: Run, tools: Path) -> None:
    outcome = bioimageit("tools", "test", str(tools / "stamp.xml"))
    assert outcome.status == 0
    assert outcome.out.startswith("pass  stamp 1  (")
    newer = tools / "stamp2.xml"
    newer.write_text(
        newer.read_text().replace('value="seen"/>\n            <output', 'value="other"/>\n            <output')
    )

    outcome = bioimageit("tools", "test", str(tools), "--json")

    assert outcome.status == 4
    assert outcome.json["counts"] == {"pass": 1, "fail": 1, "error": 0, "skip": 0}
    assert bioimageit("tools", "test", str(tools / "stamp2.xml")).status == 1


def test_plugins_are_listed_and_checked(bioimageit: Run) -> None:
    listed = bioimageit("plugins", "list", "--json").json["plugins"]
    assert {("LOCAL", "data", "ok"), ("LOCAL", "runner", "ok"), ("LOCAL", "tools", "ok")} <= {
        (each["name"], each["kind"], each["state"]) for each in listed
    }
    assert {each["kind"] for each in bioimageit("plugins", "list", "--kind", "data", "--json").json["plugins"]} == {
        "data"
    }
    assert bioimageit("plugins", "list", "--kind", "x").status == 2
    checked = bioimageit("plugins", "check", "LOCAL", "--kind", "data", "--no-kit", "--json")
    assert checked.status == 0
    assert checked.json["problems"] == []
    every = json.loads(bioimageit("plugins", "check", "LOCAL", "--no-kit", "--json").out)
    assert [check["plugin"]["kind"] for check in every["checks"]] == ["data", "runner", "tools"]
    assert (
        "LOCAL names plugins of 3 kinds; --kind checks one of them."
        in bioimageit("plugins", "check", "LOCAL", "--no-kit").out
    )
    assert bioimageit("plugins", "check", "NOTHING").status == 3


def test_the_kit_is_run_but_not_unasked_in_what_the_configuration_names(process: Run, tmp_path: Path) -> None:
    command = ("plugins", "check", "LOCAL", "--kind", "tools", "--json")
    (tmp_path / "other.json").write_text(json.dumps({"process": {"service": "TOML"}}))
    alone = json.loads(process("--config", str(tmp_path / "other.json"), *command).stdout)
    configured = json.loads(process(*command).stdout)

    assert "yes" in {each["state"] for each in alone["kit"]}
    assert all(each["failed"] == 0 for each in alone["kit"])
    assert alone["kit_not_run"] == ""
    assert configured["kit"] == []
    assert "--kit runs it" in configured["kit_not_run"]


def test_a_broken_plugin_is_listed_with_the_reason_and_stops_no_other(
    process: Run, tmp_path: Path, experiment: str
) -> None:
    package = tmp_path / "site" / "bioimageit_broken_demo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('no licence')\n")

    listed = process("plugins", "list", "--json", PYTHONPATH=str(tmp_path / "site"))
    checked = process("plugins", "check", "bioimageit_broken_demo", PYTHONPATH=str(tmp_path / "site"))
    queried = process("query", experiment, "--names", PYTHONPATH=str(tmp_path / "site"))

    (broken,) = [each for each in json.loads(listed.stdout)["plugins"] if each["state"] != "ok"]
    assert "bioimageit_broken_demo" in broken["module"]
    assert "no licence" in broken["reason"]
    assert checked.returncode == 1
    assert "no licence" in checked.stdout
    assert len(queried.stdout.splitlines()) == 3


@pytest.mark.slow
def test_the_demo_does_the_main_job_and_runs_twice(process: Run, own_home: Path) -> None:
    first = process("demo", "place")
    again = process("demo", "place")

    assert (first.returncode, first.stderr) == (0, "")
    assert (again.returncode, again.stderr) == (0, "")
    picture = own_home / "place" / "nuclei.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"The picture: {picture}\n" in again.stdout
    assert "12 results in dataset 'segmentation'" in first.stdout
    assert "all 12 results are in dataset 'segmentation' already" in again.stdout
    table = first.stdout.partition("7. results")[2]
    assert table.count("f96 (17)") == 5


def test_the_examples_of_run_name_inputs_and_parameters_that_the_tools_have(bioimageit: Run) -> None:
    lines = [line for line in bioimageit("run", "--help").out.splitlines() if line.startswith("    bioimageit run ")]
    assert lines
    for words in map(shlex.split, lines):
        inputs = bioimageit("tools", "show", words[3], "--json").json["inputs"]
        given = [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word in ("-i", "-p")]
        assert set(given) <= {each["name"] for each in inputs}


def test_a_plugin_that_lacks_much_is_told_in_a_line() -> None:
    error = PluginContractError("data", "X", [f"it has no method m{number}" for number in range(9)])

    assert "; and 7 more: 'bioimageit plugins check X' lists them" in str(error)
    assert len(error.problems) == 9


def test_the_demo_says_what_to_type_where_the_shell_does_not_find_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bioimageit").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))

    assert demo._command() == os.path.join("bin", "bioimageit")


def test_wrappers_that_cannot_be_read_are_told_when_tools_are_listed(
    bioimageit: Run, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "bomb.xml").write_text('<!DOCTYPE t [<!ENTITY e "x">]><tool id="d" name="&e;" version="1"/>')
    directories = [str(tmp_path / "own"), str(tmp_path / "nowhere")]
    document = json.loads(config.read_text()) | {"process": {"service": "LOCAL", "xml_dirs": directories}}
    config.write_text(json.dumps(document))

    outcome = bioimageit("tools", "list")

    assert outcome.status == 0
    assert "segment_nuclei_v1.0.0" in outcome.out
    assert "bomb.xml:1: has a document type" in outcome.err
    assert f"{tmp_path / 'nowhere'}: there is no such directory" in outcome.err
    assert len(outcome.err.splitlines()) == 2
