"""The wheel: installed where there is no npm, it has the page, and a browser that shows it asks nobody else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_steps import ROOT

pytestmark = pytest.mark.browser


@pytest.fixture
def installed(chromium: Any, tmp_path: Path) -> Path:
    """Build the wheel and install it alone into an environment that finds what it depends on in ours."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    place = tmp_path / "environment"
    uv = [sys.executable, "-m", "uv"]
    install = ["pip", "install", "-q", "--offline", "--no-deps", "--python", str(place), str(wheel)]
    for step in (["venv", "-q", "--offline", "--python", sys.executable, str(place)], install):
        subprocess.run([*uv, *step], check=True, capture_output=True, timeout=120)
    packages = next(place.glob("lib/*/site-packages"))
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return place


@pytest.fixture
def url(installed: Path, tmp_path: Path) -> Iterator[str]:
    command = [installed / "bin" / "bioimageit", "serve", "--port", "0", "--state", tmp_path / "state"]
    environment = {"PATH": str(installed / "bin"), "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            found = re.search(r"http://\S+", said)
            assert found, said
            yield found[0]
        finally:
            server.terminate()


def test_the_page_is_in_the_wheel_and_asks_nobody_but_its_server(chromium: Any, url: str, installed: Path) -> None:
    code = "import bioimageit_core; print(bioimageit_core.__file__)"
    where = subprocess.check_output([installed / "bin" / "python", "-c", code], text=True, cwd="/", timeout=60)
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    page.get_by_role("heading", name="Experiments").wait_for()
    page.goto(f"{url}licences.md")
    page.close()

    assert where.startswith(os.fspath(installed))
    assert [each for each in asked if not each.startswith((url, "data:", "blob:"))] == []
    assert sum("/assets/" in each for each in asked) > 2
