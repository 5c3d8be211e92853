"""Pipelines, the state of results, and replays of what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_a_pipeline_runs_step_after_step(bioimageit: Run, experiment: str, tools: Path, tmp_path: Path) -> None:
    file = tmp_path / "steps.json"
    steps = [
        {"name": "b", "tool": "stamp_v1.0.0", "inputs": {"input": "first"}, "output_dataset_name": "second"},
        {"name": "a", "tool": "stamp_v1.0.0", "inputs": {"input": "data"}, "output_dataset_name": "first"},
    ]
    file.write_text(json.dumps({"name": "twice", "steps": steps}))

    planned = bioimageit("pipeline", experiment, str(file), "--dry-run")
    assert [row[0] for row in planned.rows[1:]] == ["a", "b"]
    assert planned.rows[2][2] == "input=first"
    assert "second" not in bioimageit("show", experiment).out

    outcome = bioimageit("pipeline", experiment, str(file), "--json")

    assert outcome.status == 0
    assert {step["dataset"]: step["size"] for step in outcome.json["steps"]} == {"first": 3, "second": 3}
    again = bioimageit("pipeline", experiment, str(file))
    assert again.status == 0
    assert sorted(row[2] for row in again.rows[1:]) == ["first", "second"]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (None, 3, "no pipeline at"),
        ("{", 1, "not JSON"),
        ('{"name": "x"}', 1, "$.steps"),
        ('{"name": "x", "steps": [{"name": "a", "tool": "no_v1", "inputs": {"input": "data"}}]}', None, "no_v1"),
    ],
)
def test_a_pipeline_that_cannot_be_run_is_told_why(
    bioimageit: Run, experiment: str, tools: Path, tmp_path: Path, text: str | None, status: int | None, said: str
) -> None:
    file = tmp_path / "steps.json"
    if text is not None:
        file.write_text(text)

    outcome = bioimageit("pipeline", experiment, str(file))

    assert outcome.status == status or (status is None and outcome.status)
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_status_says_why_a_dataset_is_not_current(bioimageit: Run, experiment: str, tools: Path) -> None:
    assert bioimageit("status", experiment).out == "My cells: no results yet\n"
    bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data:Population=p1", "-o", "first")
    bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=first", "-o", "second")
    current = bioimageit("status", experiment)
    assert (current.status, current.out) == (0, "dataset\tstate\twhy\nfirst\tcurrent\t\nsecond\tcurrent\t\n")

    bioimageit("annotate", experiment, "Population=p1", "--query", "name=p10")

    outcome = bioimageit("status", experiment, "--json")
    first, second = outcome.json["datasets"]
    assert outcome.status == 4
    assert (first["state"], second["state"]) == ("stale", "stale")
    assert [(each["kind"], each["subject"]) for each in first["reasons"]] == [("annotation", "p10_t1.tif")]
    assert "dataset 'first' is not current" in second["reasons"][0]["text"]


def test_status_tells_of_a_changed_input(bioimageit: Run, experiment: str, tools: Path, workspace: Path) -> None:
    bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data", "-o", "first")
    image = workspace / "Mycells" / "data" / "p1_t2.tif"
    image.write_bytes(image.read_bytes() + b"\0")

    outcome = bioimageit("status", experiment)

    assert outcome.rows[1:] == [["first", "stale", "the content of input 'p1_t2.tif' changed"]]


def test_a_replay_gives_a_verdict_on_each_result(
    bioimageit: Run, experiment: str, tools: Path, workspace: Path, tmp_path: Path
) -> None:
    bioimageit("run", experiment, "stamp_v1.0.0", "-i", "input=data:Population=p1", "-o", "first")
    before = sorted(path.name for path in (workspace / "Mycells" / "first").iterdir())

    same = bioimageit("replay", experiment, "first", "--keep", str(tmp_path / "again"), "--json")
    assert same.status == 0
    assert [each["verdict"] for each in same.json["verdicts"]] == ["identical", "identical"]
    assert any((tmp_path / "again").rglob("*"))
    assert sorted(path.name for path in (workspace / "Mycells" / "first").iterdir()) == before

    (workspace / "Mycells" / "first" / "output_p1_t1.tif").write_bytes(b"other")
    changed = bioimageit("replay", experiment, "first")
    assert changed.status == 4
    assert "1 identical" in changed.out
    assert bioimageit("replay", experiment, "nothing").status == 3
    assert bioimageit("replay", experiment, "data").status == 2
