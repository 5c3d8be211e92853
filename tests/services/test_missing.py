"""A service that is missing is a skip that one sees, and in CI a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.s3
def test_of_a_service():
    pytest.skip("no server")

def test_of_a_program():
    pytest.skip("uv is not installed (pip install uv)")

def test_of_a_module():
    pytest.importorskip("no_such_module")

def test_of_anything_else():
    pytest.skip("another reason")
"""


@pytest.mark.parametrize(("ci", "said"), [("true", "3 failed, 1 skipped"), ("", "4 skipped")])
def test_a_missing_service(tmp_path: Path, ci: str, said: str) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "test_x.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = s3: needs an S3 server\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)
    assert said in ended.stdout
    assert ended.returncode == (1 if ci else 0)
