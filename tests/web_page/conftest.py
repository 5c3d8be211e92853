"""One real server, with real images and results, and one real Chromium that looks at it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))

from page_steps import MANY, PASSWORD, ROOT

from bioimageit_core.web.security.users import Users

_PATIENCE = 60_000  # milliseconds; two browsers may share one core
STATIC = ROOT / "src" / "bioimageit_core" / "web" / "static"
_FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


_WAIT = """<tool id="wait" name="Wait a minute" version="1.0.0">
  <command>sleep 60 &amp;&amp; cp '$input' '$output'</command>
  <inputs><param name="input" type="data" format="tiff" label="Image"/></inputs>
  <outputs><data name="output" format="tiff" label="The same"/></outputs>
  <help><![CDATA[<script>alert(1)</script> [here](javascript:alert(1))]]></help>
</tool>
"""


@dataclass(frozen=True)
class Place:
    """Where the server is, and what it serves."""

    url: str
    workspace: Path
    token: str = "a-token-of-these-tests"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Give a Chromium that can reach this machine alone."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: scripts/install_services.sh gets Debian's")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page was not built: make web")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, headless=True, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def place(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Serve a workspace with an experiment of nuclei, a five-dimensional image, and an experiment of many data."""
    folder = tmp_path_factory.mktemp("page")
    workspace = folder / "workspace"
    shutil.copytree(_filled(tmp_path_factory), workspace)
    config = _config(folder)
    users = folder / "users.json"
    command = [sys.executable, "-m", "bioimageit_core"]
    for name, role in (("ada", "owner"), ("eve", "reader")):
        Users(str(users)).add(name, role, PASSWORD)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["serve", "--port", str(port), "--users", str(users), "--state", str(folder / "state")]
    with open(folder / "log", "wb") as log:
        environment = {**os.environ, "BIOIMAGEIT_SERVE_TOKEN": Place.token, "BIOIMAGEIT_CACHE": str(folder / "cache")}
        serve = [*command, "--config", str(config), *options]
        server = subprocess.Popen(serve, stdout=log, stderr=log, env=environment)
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait(server, f"{url}api/v1/session", folder / "log")
        yield Place(url, workspace)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def signed_in(chromium: Any, place: Place) -> dict[str, Any]:
    """Sign in as the owner through the form, and give the state of that browser."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(place.url)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Experiments").wait_for()
    state: dict[str, Any] = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(chromium: Any, place: Place, signed_in: dict[str, Any]) -> Iterator[Any]:
    """Give a page of the owner; what the browser complains of fails the test."""
    context = chromium.new_context(storage_state=signed_in, viewport={"width": 1360, "height": 860})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(place.url)
    yield page
    context.close()
    assert complaints == []


def _filled(factory: pytest.TempPathFactory) -> Path:
    """Return the workspace that every worker copies; the first fills it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "filled-page"
    with FileLock(f"{folder}.lock"):
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "workspace").mkdir(parents=True)
            _fill(_config(folder), folder / "workspace", folder)
            (folder / "whole").touch()
    return folder / "workspace"


def _config(folder: Path) -> Path:
    """Write the configuration of a workspace, and a tool that takes its time."""
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "workspace": str(folder / "workspace"),
                "log_dir": str(folder / "logs"),
                "user": {"name": "ada"},
                "process": {"service": "LOCAL", "xml_dirs": [str(folder / "tools")]},
            }
        )
    )
    (folder / "tools").mkdir()
    (folder / "tools" / "wait.xml").write_text(_WAIT)
    return config


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{log.read_text()[-2000:]}", pytrace=False)
            time.sleep(0.1)


def _fill(config: Path, workspace: Path, folder: Path) -> None:
    from bioimageit_core import Request
    from bioimageit_core.containers import Job

    samples = ROOT / "src" / "bioimageit_core" / "samples" / "nuclei"
    request = Request(str(config))
    request.connect()
    experiment = request.create_experiment("Nuclei", keys=["Culture"])
    for path, culture in ((samples / "A9" / "A9 p5d.tif", "A9"), (samples / "A9" / "A9 p7d.tif", "A9")):
        request.import_data(experiment, str(path), path.name, "ada", "imagetiff", "now", {"Culture": culture})
    other = sorted((samples / "f96 (17)").glob("*UL.tif"))[0]
    request.import_data(experiment, str(other), other.name, "ada", "imagetiff", "now", {"Culture": "f96 (17)"})
    changing = request.create_experiment("Changing")
    request.import_data(changing, str(other), other.name, "ada", "imagetiff", "now", {})
    for processed, tool, output in (
        (experiment, "segment_nuclei_v1.0.0", "segmentation"),
        (changing, "gaussian_filter_v1.0.0", "smoothed"),
    ):
        job = Job()
        job.set_experiment(processed)
        job.set_tool(request.get_tool(tool))
        job.set_input("input", "data", "")
        job.set_output_dataset_name(output)
        request.run(job)
    markup = request.create_experiment("<img src=x onerror=alert(1)>", keys=["<b>k</b>"])
    pairs = {"<b>k</b>": '"><svg onload=alert(1)>'}
    request.import_data(markup, str(other), "<script>alert(1)", "<i>ada", "imagetiff", "now", pairs)
    five = request.create_experiment("Five dimensions")
    request.import_data(five, str(_five(folder)), "five.ome.tif", "ada", "imagetiff", "now", {})
    request.import_data(five, str(_two(folder)), "two.tif", "ada", "imagetiff", "now", {})
    _many(workspace / "Many")


def _five(folder: Path) -> Path:
    """Write an OME-TIFF of 2 channels, 5 Z and 3 T, with pixels of 0.25 µm."""
    import numpy as np
    import tifffile

    y, x = np.mgrid[:96, :128]
    planes = [
        [
            [(np.hypot(y - 48 - 4 * z, x - 64 - 8 * t) < 20 + 10 * c) * (9000 + 100 * z) + 200 for z in range(5)]
            for c in range(2)
        ]
        for t in range(3)
    ]
    path = folder / "five.ome.tif"
    metadata = {
        "axes": "TCZYX",
        **{f"PhysicalSize{axis}": 0.25 for axis in "XY"},
        **{f"PhysicalSize{axis}Unit": "µm" for axis in "XY"},
        "Channel": {"Name": ["DAPI", "GFP"]},
    }
    tifffile.imwrite(path, np.array(planes, np.uint16), metadata=metadata, photometric="minisblack")
    return path


def _two(folder: Path) -> Path:
    """Write a TIFF of two images."""
    import numpy as np
    import tifffile

    path = folder / "two.tif"
    with tifffile.TiffWriter(path) as file:
        for shape in ((40, 60), (30, 20)):
            file.write(np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), photometric="minisblack")
    return path


def _many(folder: Path) -> None:
    """Write an experiment of many data as another software would: documents alone."""
    (folder / "data").mkdir(parents=True)

    def write(path: Path, document: dict[str, Any]) -> None:
        path.write_text(json.dumps(document, indent=4))

    raw = str(uuid.uuid4())
    links = []
    for number in range(MANY):
        name, id_ = f"well_{number:06d}", str(uuid.uuid4())
        (folder / "data" / f"{name}.txt").write_text("0")
        common = {"name": name, "author": "ada", "date": "2024-05-01", "format": "movietxt", "url": f"{name}.txt"}
        pairs = {"Plate": f"P{number % 7}", "Well": str(number % 96)}
        document = {"uuid": id_, "origin": {"type": "raw"}, "common": common, "metadata": {}, "key_value_pairs": pairs}
        write(folder / "data" / f"{name}.md.json", document)
        links.append({"uuid": id_, "url": f"{name}.md.json"})
    write(folder / "data" / "raw_dataset.md.json", {"uuid": raw, "name": "data", "urls": links})
    experiment = {
        "uuid": str(uuid.uuid4()),
        "information": {"name": "Many", "author": "ada", "date": "2024-05-01"},
        "raw_dataset": {"name": "data", "url": "data/raw_dataset.md.json", "uuid": raw},
        "processed_datasets": [],
        "keys": ["Plate", "Well"],
    }
    write(folder / "experiment.md.json", experiment)
