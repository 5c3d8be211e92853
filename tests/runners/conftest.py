"""Packages made by hand, wrappers, and an experiment to run tools in."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api import Request
from bioimageit_core.containers import Job, Tool

MakeWheel = Callable[..., Path]
MakeChannel = Callable[..., str]
RunTool = Callable[..., Any]


@pytest.fixture
def wheels(tmp_path: Path) -> MakeWheel:
    """Write a wheel into a directory, by hand; the directory is returned."""

    def make(name: str, version: str, files: Mapping[str, str], scripts: str = "", python: str = "") -> Path:
        directory = tmp_path / "wheels"
        directory.mkdir(exist_ok=True)
        info = f"{name}-{version}.dist-info"
        needs = f"Requires-Python: =={python}.*\n" if python else ""
        members = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        if scripts:
            members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}\n"
        record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
        with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for member, content in {**members, f"{info}/RECORD": record}.items():
                wheel.writestr(member, content)
        return directory

    return make


@pytest.fixture
def channel(tmp_path: Path) -> MakeChannel:
    """Put a package, made by hand, into a conda channel; the URL of the channel is returned."""
    rattler = pytest.importorskip("rattler", reason="py-rattler is not installed (pip install py-rattler)")
    from rattler.index import index_fs

    root = tmp_path / "channel"

    def make(
        name: str,
        version: str,
        files: Mapping[str, str],
        depends: tuple[str, ...] = (),
        noarch: str = "generic",
        subdir: str = "noarch",
    ) -> str:
        contents = {path: content.encode() for path, content in files.items()}
        index: dict[str, Any] = {
            "name": name,
            "version": version,
            "build": "0",
            "build_number": 0,
            "depends": list(depends),
            "subdir": subdir,
        }
        link: dict[str, Any] = {"package_metadata_version": 1}
        if subdir == "noarch":
            index["noarch"] = noarch
            link["noarch"] = {"type": noarch}
        paths = [
            {
                "_path": path,
                "path_type": "hardlink",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_in_bytes": len(content),
            }
            for path, content in contents.items()
        ]
        info = {"index": index, "paths": {"paths": paths, "paths_version": 1}, "link": link, "about": {}}
        members = {f"info/{kind}.json": json.dumps(document).encode() for kind, document in info.items()}
        members["info/files"] = "".join(f"{path}\n" for path in files).encode()
        (root / subdir).mkdir(parents=True, exist_ok=True)
        with tarfile.open(root / subdir / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:
            for path, content in {**members, **contents}.items():
                member = tarfile.TarInfo(path)
                member.size = len(content)
                member.mode = 0o755 if path.startswith("bin/") else 0o644
                archive.addfile(member, io.BytesIO(content))
        asyncio.run(index_fs(root))
        return str(rattler.Channel(root.as_uri()).base_url).rstrip("/")

    return make


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The program, with a cache of its own."""
    found = shutil.which("uv", path=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))
    if found is None:
        pytest.skip("uv is not installed (pip install uv)")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return found


def requiring(*names: str, origin: str = "package", type_: str = "package", version: str = "") -> Tool:
    """Make a tool that requires packages."""
    entries = [{"origin": origin, "type": type_, "name": name, "version": version, "env": ""} for name in names]
    return Tool(id="blur", version="1", requirements=entries)


@pytest.fixture(name="requiring")
def _requiring() -> Callable[..., Tool]:
    return requiring


@pytest.fixture
def run_tool(tmp_path: Path) -> RunTool:
    """Run a wrapper over two text files, through the API, with a runner; give request, experiment and run."""

    def run(wrapper: str, runner: Mapping[str, Any], contents: tuple[str, ...] = ("one", "two")) -> Any:
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "tool.xml").write_text(wrapper)
        config = tmp_path / "config.json"
        config.write_text(
            json.dumps(
                {
                    "user": {"name": "ada"},
                    "workspace": str(tmp_path / "workspace"),
                    "log_dir": str(tmp_path / "logs"),
                    "process": {"service": "LOCAL", "xml_dirs": [str(tools)]},
                    "runner": dict(runner),
                }
            )
        )
        (tmp_path / "workspace").mkdir(exist_ok=True)
        request = Request(str(config), debug=False, log=False)
        request.connect()
        experiment = request.create_experiment("cells")
        for content in contents:
            path = tmp_path / f"{content}.txt"
            path.write_text(content)
            request.import_data(experiment, str(path), path.name, "ada", "raw")
        job = Job()
        job.set_experiment(experiment)
        job.set_tool(request.get_tool_from_uri(str(tools / "tool.xml")))
        job.set_input("i", "data", "")
        job.set_output_dataset_name("out")
        done = request.run(job)
        results = request.get_data(request.get_dataset(experiment, "out"))
        return request, done, sorted(Path(data.uri).read_text() for data in results)

    return run


@dataclass(frozen=True)
class Podman:
    """An engine with storage of its own, and an image of busybox."""

    program: str
    image: str


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """Give podman with an image that is made here: a static busybox, and `bash` that is its shell."""
    program, runc, busybox = (shutil.which(name, path=_PROGRAMS) for name in ("podman", "runc", "busybox"))
    if not (program and runc and busybox):
        pytest.skip("no containers: podman, runc or busybox is not installed (scripts/install_services.sh)")
    root = Path(tempfile.mkdtemp(prefix="bioimageit-podman-"))  # what is mounted there, pytest could not remove
    (root / "containers.conf").write_text(
        # the machine's own limits and control groups may not suit podman; "host", so that one sees a difference
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\nnetns = "host"\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[engine.runtimes]\nrunc = ["{runc}"]\n'
    )
    (root / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{root}/store"\nrunroot = "{root}/run"\n'
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONTAINERS_CONF", str(root / "containers.conf"))
            patch.setenv("CONTAINERS_STORAGE_CONF", str(root / "storage.conf"))
            archive = root / "rootfs.tar"
            _write_rootfs(archive, busybox)
            image = "localhost/blur:1"
            made = subprocess.run([program, "import", archive, image], capture_output=True, text=True, timeout=120)
            if made.returncode != 0:
                pytest.skip(f"no containers: podman cannot import an image here ({made.stderr.strip()[-500:]})")
            yield Podman(program, image)
    finally:
        _unmount(root)
        shutil.rmtree(root, ignore_errors=True)


def _unmount(root: Path) -> None:
    """Unmount what podman left below a directory, the innermost first."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([place for place in places if place.startswith(f"{root}/")]):
        subprocess.run(["umount", place], capture_output=True, check=False)


_PROGRAMS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
_APPLETS = (
    "sh",
    "cat",
    "sleep",
    "id",
    "ls",
    "tr",
    "tail",
    "env",
    "touch",
    "mkdir",
    "trap",
    "true",
    "cut",
    "pwd",
    "grep",
)


def _write_rootfs(archive: Path, busybox: str) -> None:
    with tarfile.open(archive, "w") as tar:
        tar.add(busybox, "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        script = b'#!/bin/sh\nexec sh "$@"\n'
        bash = tarfile.TarInfo("bin/bash")
        bash.mode, bash.size = 0o755, len(script)
        tar.addfile(bash, io.BytesIO(script))
        for folder in ("tmp", "etc", "proc", "sys", "dev"):
            directory = tarfile.TarInfo(folder)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(directory)
