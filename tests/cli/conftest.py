from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from bioimageit_core.cli.app import app

WRAPPER = """<tool id="stamp" name="Stamp" version="{version}" profile="21.05">
    <description>copies an image with a stamp below</description>
    <command detect_errors="exit_code"><![CDATA[
python3 '$__tool_directory__/stamp.py' '$input' '$output' '$input.element_identifier' '$text' '$refuse'
    ]]></command>
    <inputs>
        <param name="input" type="data" format="tiff" label="Image"/>
        <param name="text" type="text" value="seen" label="Stamp"/>
        <param name="refuse" type="text" value="" label="Name to refuse"/>
    </inputs>
    <outputs><data name="output" format="tiff" label="Stamped"/></outputs>
    <tests>
        <test>
            <param name="input" value="a.tif"/>
            <param name="text" value="{tested}"/>
            <output name="output" ftype="tiff"><assert_contents><has_text text="seen"/></assert_contents></output>
        </test>
    </tests>
    <help>It copies.</help>
</tool>
"""
SCRIPT = """
import sys
source, target, name, text, refuse = sys.argv[1:]
if refuse and refuse in name:
    sys.exit(f"refused {name}")
with open(source, "rb") as read, open(target, "wb") as write:
    write.write(read.read() + text.encode())
"""


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.delenv("BIOIMAGEIT_CONFIG", raising=False)
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def config(tmp_path: Path, workspace: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"user": {"name": "ada"}, "workspace": str(workspace), "log_dir": str(tmp_path / "logs")})
    )
    return path


@pytest.fixture
def bioimageit(config: Path) -> Callable[..., Outcome]:
    runner = CliRunner()

    def run(*arguments: str, obj: Any = None, use_config: bool = True) -> Outcome:
        given = ["--config", str(config), *arguments] if use_config else list(arguments)
        result = runner.invoke(app, given, obj=obj, prog_name="bioimageit")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def process(config: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bioimageit_core", "--config", str(config), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
        )

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    make_images(folder / "p1", ["p1_t1.tif", "p1_t2.tif"])
    make_images(folder / "p 10 (x)", ["p10_t1.tif"])
    return folder


@pytest.fixture
def experiment(bioimageit: Callable[..., Outcome], images: Path) -> str:
    """An experiment 'My cells' with three images, annotated with Folder and Population."""
    assert bioimageit("create", "My cells").status == 0
    assert bioimageit("import", "My cells", str(images), "-r", "--tag-dir", "Folder").status == 0
    assert bioimageit("annotate", "My cells", "Population", "--from-name", "p1,p10").status == 0
    return "My cells"


def make_images(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        tifffile.imwrite(folder / name, np.full((8, 8), number + len(name), np.uint8))


@pytest.fixture
def tools(tmp_path: Path, config: Path) -> Path:
    folder = tmp_path / "tools"
    (folder / "test-data").mkdir(parents=True)
    (folder / "stamp.xml").write_text(WRAPPER.format(version="1.0.0", tested="seen"))
    (folder / "stamp2.xml").write_text(
        WRAPPER.format(version="1.10.0", tested="seen").replace(">copies", ">newly copies")
    )
    (folder / "stamp.py").write_text(SCRIPT)
    (folder / "test-data" / "a.tif").write_bytes(b"II*\0")
    document = json.loads(config.read_text())
    document["process"] = {"service": "LOCAL", "xml_dirs": [str(folder)]}
    config.write_text(json.dumps(document))
    return folder
