"""The main path of the page, by hand as it were, in homes that keep no files at a path and no history."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from page_steps import ROOT, shoot, until

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning:omero.*")]


def _servers_of_omero() -> Any:
    """Load what starts the double of a server of OMERO, from the plugin's own tests."""
    path = ROOT / "plugins" / "bioimageit_omero" / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("servers_of_omero_for_the_page", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
    return sys.modules[spec.name]


_omero = _servers_of_omero()
client, double_place = _omero.client, _omero.double_place


@pytest.fixture(
    params=["SQL", pytest.param("S3", marks=pytest.mark.s3), pytest.param("OMERO", marks=pytest.mark.omero)]
)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Give the configuration of a home."""
    if request.param == "SQL":
        url, files = f"sqlite:///{tmp_path}/home.db", str(tmp_path / "files")
        return {"metadata": {"service": "SQL", "url": url, "files": files}}
    if request.param == "S3":
        server = request.getfixturevalue("s3_server")
        given = {"service": "FSSPEC", "storage_options": server.options, "cache_dir": str(tmp_path / "copies")}
        return {"metadata": given, "workspace": f"{server.url}/{tmp_path.name}"}
    return {"metadata": {"service": "OMERO", **request.getfixturevalue("double_place").config()}, "workspace": ""}


@pytest.fixture
def url(home: dict[str, Any], chromium: Any, tmp_path: Path) -> Iterator[str]:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"workspace": str(tmp_path), "log_dir": str(tmp_path / "logs"), **home}))
    command = [sys.executable, "-m", "bioimageit_core", "--config", str(config)]
    command += ["serve", "--port", "0", "--state", str(tmp_path / "state")]
    environment = {**os.environ, "BIOIMAGEIT_CACHE": str(tmp_path / "cache")}
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as server,
    ):
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, (tmp_path / "log").read_text()[-2000:]
            yield found[0]
        finally:
            server.terminate()


def test_images_are_brought_in_annotated_found_processed_and_traced(
    chromium: Any, url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    paths = [tmp_path / f"cells {number}.tif" for number in range(2)]
    for number, path in enumerate(paths):
        tifffile.imwrite(path, np.add.outer(np.arange(48), np.arange(64)).astype(np.uint16) * (number + 1))
    page = chromium.new_page(viewport={"width": 1360, "height": 860})
    page.set_default_timeout(30_000)
    page.goto(url)
    _bring_in(page, f"Cells {tmp_path.name}", paths)
    _annotate_and_find(page)
    _look(page)
    _run(page)
    _trace(page)
    shoot(page, f"home-{request.node.callspec.params['home']}")
    page.close()


def _bring_in(page: Any, name: str, paths: list[Path]) -> None:
    page.get_by_role("button", name="New experiment").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Upload").wait_for()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(paths)
    page.locator(".cell[role=option]").nth(1).wait_for()
    until(page, "[...document.querySelectorAll('.cell img')].filter(each => each.naturalWidth > 8).length === 2")


def _annotate_and_find(page: Any) -> None:
    page.get_by_role("option", name="cells 1.tif").click()
    page.get_by_role("button", name="Annotate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key", exact=True).fill("Day")
    dialog.get_by_label("Value (empty takes the key away)").fill("7")
    dialog.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("Day = 7 on 1 data").wait_for()
    query = page.get_by_role("combobox", name="Query")
    query.fill("Day>=7")
    query.press("Enter")
    page.get_by_text("1 data", exact=True).wait_for()


def _look(page: Any) -> None:
    page.get_by_role("option", name="cells 1.tif").dblclick()
    page.get_by_role("button", name="Zoom in").wait_for()
    page.get_by_text("Y 48 × X 64").wait_for()
    until(page, "document.querySelector('.canvas')?.dataset.zoom")
    page.go_back()


def _run(page: Any) -> None:
    page.get_by_role("option", name="cells 1.tif").click()
    page.get_by_role("button", name="Run a tool").click()
    page.get_by_label("Find a tool").fill("gaussian")
    page.get_by_role("link", name="Gaussian filter").click()
    page.get_by_label("Name of the output dataset").fill("smoothed")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".job-row .state-done").wait_for()


def _trace(page: Any) -> None:
    page.get_by_role("link", name=re.compile("smoothed$")).click()
    page.locator(".cell[role=option]").first.click()
    page.get_by_role("complementary", name="Details").get_by_role("link", name="Lineage").click()
    page.locator(".node").nth(2).wait_for()
