"""The pages run: Python and shell blocks, in their order, in an empty directory for each page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

_SECONDS = 300  # what takes longer waits for something


def run_shell(example: Example) -> None:
    """Run a block as a user would type it; variables that it exports stay for the blocks after it."""
    exported = example.namespace.setdefault("exported", {})
    script = f"set -e\n{example.parsed}\nexport -p > .exported"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **exported},
        timeout=_SECONDS,
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    shown = subprocess.run(
        ["bash", "-c", "source .exported; env -0"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    exported.update(line.split("=", 1) for line in shown.stdout.split("\0") if "=" in line)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Be a user with an empty directory and no configuration of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(variable, str(Path.cwd() / ".home" / variable))
        patch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
        patch.delenv("BIOIMAGEIT_CONFIG", raising=False)
        yield


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser(language="sh", evaluator=run_shell), SkipParser()],
    patterns=["*.md"],
    excludes=["tutorials/*.md"],  # their code is shown from the examples, which have tests
    fixtures=["page"],
).pytest()
