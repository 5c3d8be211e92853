from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bioimageit_core
from bioimageit_core.core.exceptions import JobFailedError, RunnerExecError

Run = Callable[..., Any]

COMMANDS = [
    *[
        "init",
        "create",
        "import",
        "annotate",
        "query",
        "show",
        "lineage",
        "status",
        "check",
        "run",
        "pipeline",
        "replay",
        "demo",
    ],
    *["tools list", "tools show", "plugins list", "plugins check"],
]


class Failing:
    """A request whose workspace raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.config = SimpleNamespace(mask=str)

    def connect(self) -> None:
        pass

    def close(self) -> None:
        pass

    def get_workspace_experiments(self) -> list[Any]:
        raise self.error


def session(error: BaseException, is_debug: bool = False) -> Any:
    from bioimageit_core.cli.session import Session

    return Session("", is_debug, lambda *_, **__: Failing(error))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_examples(bioimageit: Run, command: str) -> None:
    outcome = bioimageit(*command.split(), "--help")

    assert outcome.status == 0
    assert f"  bioimageit {command}" in outcome.out or f" {command} " in outcome.out.split("Examples:")[1]


def test_the_help_tells_every_command_and_exit_status(bioimageit: Run) -> None:
    out = bioimageit("--help").out

    assert all(f"  {command.split()[0]} " in out for command in COMMANDS)
    assert "Exit status: 0 done" in out


def test_the_version_is_told(process: Run) -> None:
    assert process("--version").stdout == f"bioimageit {bioimageit_core.__version__}\n"


def test_the_help_imports_nothing_heavy() -> None:
    code = "import sys; from bioimageit_core.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"numpy", "lark", "rich", "lxml", "fsspec", "Cheetah", "msgspec", "tifffile", "keyring"}
    assert "bioimageit_core.api" not in loaded


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PermissionError(13, "Permission denied", "/data/x"), 1, "error: /data/x: Permission denied"),
        (RunnerExecError("exit status 3: no\x1b[2J space"), 1, "error: exit status 3: no?[2J space"),
        (JobFailedError({"a.tif": ValueError("bad")}, 2), 4, "error: 1 of 3 items failed: a.tif: bad"),
        (JobFailedError({"a.tif": ValueError("bad")}, 0), 1, "error: 1 of 1 items failed: a.tif: bad"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("oh"), 1, "error: unexpected ZeroDivisionError: oh\nThis is a fault of the program"),
        (RuntimeError("oh"), 1, "error: unexpected RuntimeError: oh"),
    ],
)
def test_an_error_becomes_a_line_or_two_and_a_status(
    bioimageit: Run, error: BaseException, status: int, said: str
) -> None:
    outcome = bioimageit("show", obj=session(error))

    assert outcome.status == status
    assert outcome.err.startswith(said)
    assert len(outcome.err.splitlines()) <= 2
    assert outcome.out == ""


def test_debug_shows_where_an_error_comes_from(bioimageit: Run) -> None:
    outcome = bioimageit("show", obj=session(ZeroDivisionError("oh"), is_debug=True))

    assert outcome.err.startswith("error: unexpected ZeroDivisionError: oh\n")
    assert "Traceback" in outcome.err


def test_a_reader_that_goes_away_is_no_error(process: Run, experiment: str, config: Path) -> None:
    command = [sys.executable, "-m", "bioimageit_core", "--config", str(config), "show", experiment, "data"]
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(write)

    assert done.returncode == 141
    assert done.stderr == ""


def test_a_configuration_that_cannot_be_used_is_told(bioimageit: Run, config: Path) -> None:
    config.write_text('{"metadata": {"service": "NOWHERE"}}')
    outcome = bioimageit("show")
    assert outcome.status == 3
    assert "no data plugin 'NOWHERE'" in outcome.err
    assert "LOCAL" in outcome.err

    config.write_text('{"workspace": ')
    outcome = bioimageit("show")
    assert outcome.status == 1
    assert f"{config}: the JSON is cut off at line 1" in outcome.err


def test_names_that_the_stream_cannot_encode_are_escaped(process: Run, bioimageit: Run) -> None:
    bioimageit("create", "Zellen λ")

    document = process("show", "--json", PYTHONIOENCODING="latin-1")
    table = process("show", PYTHONIOENCODING="latin-1")

    assert json.loads(document.stdout)["experiments"][0]["name"] == "Zellen λ"
    assert "Zellen \\u03bb" in table.stdout


def test_the_bar_is_drawn_on_a_terminal_only(config: Path, images: Path, bioimageit: Run) -> None:
    bioimageit("create", "c")
    command = [sys.executable, "-m", "bioimageit_core", "--config", str(config), "import", "c", str(images), "-r"]
    parent, child = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=child) as running:
        os.close(child)
        drawn = read_all(parent)
        out = running.stdout.read() if running.stdout else b""

    assert "importing" in drawn
    assert "100%" in drawn
    assert out.decode().startswith("3 new data")


def test_a_terminal_gets_a_table(config: Path, experiment: str) -> None:
    command = [sys.executable, "-m", "bioimageit_core", "--config", str(config), "query", experiment]
    parent, child = pty.openpty()
    with subprocess.Popen(command, stdout=child, stderr=child, env={**os.environ, "COLUMNS": "100"}):
        os.close(child)
        drawn = read_all(parent)

    assert "Population" in drawn
    assert "───" in drawn
    assert "\t" not in drawn


def read_all(descriptor: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(descriptor, 4096)
        except OSError:  # Linux says so at the end of a terminal
            break
        if not part:
            break
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode()
