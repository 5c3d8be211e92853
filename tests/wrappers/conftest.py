from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.wrappers import Call, InputFile, prepare_call, read_wrapper


def wrapper(
    command: str = "cp '$input' '$output'",
    inputs: str = '<param name="input" type="data" format="tiff"/>',
    outputs: str = '<data name="output" format="tiff"/>',
    rest: str = "",
    head: str = 'profile="23.0"',
    command_attributes: str = "",
) -> str:
    """Write a wrapper's XML."""
    return f"""<tool id="t" name="A tool" version="1.0" {head}>
    <description>for tests</description>
    {rest}
    <command {command_attributes}><![CDATA[{command}]]></command>
    <inputs>{inputs}</inputs>
    <outputs>{outputs}</outputs>
    <help>Help.</help>
</tool>
"""


@pytest.fixture
def make_tool(tmp_path: Path) -> Callable[..., str]:
    """Write a wrapper into a directory of its own and give its path."""

    def make(*args: str, name: str = "tool.xml", **kwargs: str) -> str:
        path = tmp_path / "tool" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(wrapper(*args, **kwargs))
        return str(path)

    return make


@pytest.fixture
def data_file(tmp_path: Path) -> Callable[..., InputFile]:
    """Write a file and give it as an input."""

    def make(name: str = "cells.tif", content: str = "pixels", format_: str = "imagetiff", **facts: str) -> InputFile:
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return InputFile(str(path), name, format_, facts)

    return make


@pytest.fixture
def render(make_tool: Callable[..., str], data_file: Callable[..., InputFile], tmp_path: Path) -> Callable[..., str]:
    """Render a command and give what stands in the script after the preparations."""

    def make(command: str, inputs: str = "", values: dict[str, Any] | None = None, **kwargs: Any) -> str:
        files = kwargs.pop("files", {})
        path = make_tool(command, inputs, kwargs.pop("outputs", ""), **kwargs)
        call = prepare_call(read_wrapper(path), values or {}, files, {}, str(tmp_path / "job"))
        return call.files["tool_script.sh"].rstrip("\n").rpartition("\n")[2]

    return make


@pytest.fixture
def run_call() -> Callable[[Call], subprocess.CompletedProcess[str]]:
    """Write what a call needs, and run it."""

    def run(call: Call) -> subprocess.CompletedProcess[str]:
        os.makedirs(call.job_dir, exist_ok=True)
        for name, text in call.files.items():
            path = Path(call.job_dir, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, source in call.links.items():
            path = Path(call.job_dir, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(source)
        return subprocess.run(
            list(call.argv),
            cwd=call.job_dir,
            env={**os.environ, **call.env},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run
