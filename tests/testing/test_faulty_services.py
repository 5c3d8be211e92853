"""The kits find what they are there to find: every faulty service is caught by the test that should catch it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_FAULTY = Path(__file__).parent / "faulty"


@pytest.mark.parametrize("module", ["data_services", "result_services", "other_services"])
def test_every_faulty_service_is_caught_by_the_test_that_should_catch_it(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(_FAULTY / f"{module}.py", tmp_path / f"test_{module}.py")
    shutil.copy(_FAULTY / "catching.py", tmp_path)
    monkeypatch.syspath_prepend(str(_FAULTY))
    spec = importlib.util.spec_from_file_location(f"faulty_{module}", _FAULTY / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    faulty = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(faulty)
    services = importlib.import_module("catching").faulty_in(vars(faulty))
    expected = {f"test_{module}.py::Test{each.__name__}::{each.caught_by}" for each in services}
    outcome_file = tmp_path / "verdict.json"

    options = ["-q", "-c", os.devnull, f"--rootdir={tmp_path}", "-p", "no:cacheprovider", "--tb=line"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--bioimageit-verdict={outcome_file}", *sorted(expected)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )

    outcomes = json.loads(outcome_file.read_text())
    failed = {outcome["node"].partition("[")[0] for outcome in outcomes if outcome["outcome"] == "failed"}
    assert sorted(expected - failed) == [], done.stdout[-3000:]
    assert len(expected) > 10
