"""Disks that are really full, used up to a quota, or failing: what happens is told, and what was there stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.plugins.data_local import LocalMetadataService


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_disk_that_is_full_is_told_and_nothing_changes(small_disk: Path, tmp_path: Path) -> None:
    service = LocalMetadataService()
    experiment = service.create_experiment("e", "ada", "now", [], str(small_disk))
    (tmp_path / "a.tif").write_bytes(b"small")
    (tmp_path / "large.tif").write_bytes(b"x" * 2_000_000)
    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    with pytest.raises(DataServiceError, match="No space left"):
        service.import_data(experiment, str(tmp_path / "large.tif"), "large", "ada", "imagetiff")
    _fill(small_disk / "filler")
    before = Path(data.md_uri).read_bytes()
    data.set_key_value_pair("Gene", "x" * 100_000)
    actions: list[Any] = [
        lambda: service.update_raw_data(data),
        lambda: service.import_data(experiment, str(tmp_path / "a.tif"), "b", "ada", "imagetiff"),
        lambda: service.delete_data(experiment.md_uri, [data.md_uri]),
    ]
    for action in actions:
        with pytest.raises(DataServiceError, match="No space left"):
            action()
    assert Path(data.md_uri).read_bytes() == before
    (small_disk / "filler").unlink()
    assert list(LocalMetadataService().check_experiment(experiment.md_uri)) == []
    assert service.delete_data(experiment.md_uri, [data.md_uri]).state == "deleted"


class _Btrfs:
    """A filesystem in a file, that knows quotas and notices by its checksums what a block lost."""

    def __init__(self, place: Path) -> None:
        self.place, self._image = place / "disk", place / "image"
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(128 << 20)
        _run("mkfs.btrfs", "-q", str(self._image))

    def mount(self) -> None:
        if subprocess.run(
            ["mount", "-o", "loop", self._image, self.place], capture_output=True, check=False
        ).returncode:
            pytest.skip("only root may mount a disk")

    def unmount(self) -> None:
        _run("umount", "--lazy", str(self.place))  # services keep files open

    def limit(self, size: str) -> None:
        """Allow so many bytes to all that is in the disk's folder `home`."""
        _run("btrfs", "filesystem", "sync", str(self.place))  # what waits to be written is not counted yet
        _run("btrfs", "qgroup", "limit", size, str(self.place / "home"))

    def spoil(self, content: bytes, *paths: Path) -> None:
        """Change a byte of what files hold, in its blocks, and have the system forget what it read of them."""
        _run("sync", "--file-system", str(self.place))
        image = self._image.read_bytes()
        with self._image.open("r+b") as file:
            while (at := image.find(content, file.tell())) >= 0:
                file.seek(at)
                file.write(bytes([content[0] ^ 1]))
        for path in paths:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[_Btrfs]:
    if not shutil.which("mkfs.btrfs"):
        pytest.skip("btrfs-progs is not installed (scripts/install_services.sh)")
    disk = _Btrfs(tmp_path)
    disk.mount()
    yield disk
    disk.unmount()


def _images(directory: Path, count: int) -> list[bytes]:
    directory.mkdir()
    contents = [os.urandom(40_000) for _ in range(count)]
    for number, content in enumerate(contents):
        (directory / f"{number:03}.tif").write_bytes(content)
    return contents


def test_a_quota_that_is_used_up_is_told_and_nothing_is_lost(btrfs: _Btrfs, tmp_path: Path) -> None:
    home = btrfs.place / "home"
    _run("btrfs", "subvolume", "create", str(home))
    _run("btrfs", "quota", "enable", str(btrfs.place))
    _images(tmp_path / "some", 20)
    _images(tmp_path / "sources", 200)
    service = LocalMetadataService()
    experiment = service.create_experiment("e", "ada", "now", ["Gene"], str(home))
    service.import_dir(experiment, str(tmp_path / "some"), "", "ada", "imagetiff", "now")
    take = (experiment, str(tmp_path / "sources"), "", "ada", "imagetiff", "now")
    btrfs.limit("6M")
    with pytest.raises(DataServiceError, match="quota exceeded"):
        service.import_dir(*take)
    btrfs.limit("6M")
    _fill(home / "filler")
    dataset = service.get_dataset(experiment.raw_dataset.url)
    before = {item.md_uri: Path(item.md_uri).read_bytes() for item in dataset.uris}
    with pytest.raises(DataServiceError, match="quota exceeded"):
        service.annotate_data(dataset, {md_uri: {"Gene": "x" * 3000} for md_uri in before})
    assert {md_uri: Path(md_uri).read_bytes() for md_uri in before} == before
    assert list(LocalMetadataService().check_experiment(experiment.md_uri)) == []
    btrfs.limit("60M")
    service.import_dir(*take)
    assert service.get_dataset(experiment.raw_dataset.url).size() == 220
    assert list(LocalMetadataService().check_experiment(experiment.md_uri)) == []


def test_a_bad_block_is_named_and_stops_nothing_else(btrfs: _Btrfs, tmp_path: Path) -> None:
    contents = _images(btrfs.place / "sources", 12)
    service = LocalMetadataService(import_mode="copy")
    experiment = service.create_experiment("e", "ada", "now", [], str(btrfs.place))
    shutil.copytree(btrfs.place / "sources", tmp_path / "sources")  # else blocks of source and data are the same
    service.import_dir(experiment, str(tmp_path / "sources"), "", "ada", "imagetiff", "now")
    assert list(service.check_experiment(experiment.md_uri)) == []
    stored = btrfs.place / "e" / "data" / "007.tif"
    btrfs.spoil(contents[7][8192:8256], stored, btrfs.place / "sources" / "007.tif")
    with pytest.raises(OSError, match="Input/output error"):
        stored.read_bytes()
    spared: list[tuple[int, int]] = []
    tell = lambda *counts: spared.append(counts)  # noqa: E731
    assert list(service.check_experiment(experiment.md_uri, spared=tell)) == []
    assert spared == [(12, 0)]
    (found,) = service.check_experiment(experiment.md_uri, full=True)
    assert (found.kind, found.uri) == ("unreadable file", str(stored))
    with pytest.raises(DataServiceError, match=f"Input/output error '{stored}'"):
        service.download_data(str(stored.with_suffix(".md.json")), str(tmp_path / "copy"))
    other = service.create_experiment("other", "ada", "now", [], str(tmp_path))
    with pytest.raises(DataServiceError, match=r"1 of 12 files were not imported: .*sources/007\.tif.*Input/output"):
        service.import_dir(other, str(btrfs.place / "sources"), "", "ada", "imagetiff", "now")
    assert service.get_dataset(other.raw_dataset.url).size() == 11
    # who still has the file stores it again, beside the one that cannot be read
    service.import_dir(experiment, str(tmp_path / "sources"), "", "ada", "imagetiff", "now")
    assert service.get_dataset(experiment.raw_dataset.url).size() == 13


def test_an_import_shares_the_blocks_of_its_source_where_the_filesystem_can(btrfs: _Btrfs) -> None:
    source, content = btrfs.place / "large.tif", os.urandom(8 << 20)
    source.write_bytes(content)
    service = LocalMetadataService(import_mode="copy")
    experiment = service.create_experiment("e", "ada", "now", [], str(btrfs.place))
    data = service.import_data(experiment, str(source), "large.tif", "ada", "imagetiff")
    told = subprocess.run(
        ["btrfs", "filesystem", "du", "--raw", data.uri], check=True, capture_output=True, text=True
    ).stdout
    total, exclusive, *_ = told.splitlines()[-1].split()
    assert (int(total), int(exclusive)) == (len(content), 0)
    with source.open("r+b") as file:  # of the source alone
        file.write(b"changed")
    assert Path(data.uri).read_bytes() == content


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of which only the first 16 MB can really be written, and the room in memory that it is in."""
    room, place = tmp_path / "room", tmp_path / "disk"
    room.mkdir()
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(room)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    try:
        with (room / "image").open("wb") as image:
            image.truncate(64 << 20)
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(room / "image"))
        _run("mount", "-o", "loop", str(room / "image"), str(place))
        yield place
        _run("umount", str(place))
    finally:
        _run("umount", "--lazy", str(room))


_IMPORT = """
import sys
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.plugins.data_local import LocalMetadataService
home, sources = sys.argv[1:]
service = LocalMetadataService()
experiment = service.create_experiment("e", "ada", "now", [], home)
try:
    service.import_dir(experiment, sources, "", "ada", "imagetiff", "now")
except DataServiceError as error:
    print(error)
"""


_MEND = """
import sys
from bioimageit_core.plugins.data_local import LocalMetadataService
home, sources = sys.argv[1:]
service = LocalMetadataService()
experiment = service.get_experiment(home + "/e/experiment.md.json")
kinds = {each.kind for each in service.check_experiment(experiment.md_uri, full=True)}
assert kinds <= {"orphan document", "orphan file", "leftover"}, kinds
list(service.repair_experiment(experiment.md_uri))
service.import_dir(experiment, sources, "", "ada", "imagetiff", "now")
found = list(service.check_experiment(experiment.md_uri, full=True))
print(service.get_dataset(experiment.raw_dataset.url).size(), found)
"""


def test_what_a_failing_disk_did_not_keep_is_told_and_mended(failing_disk: Path, tmp_path: Path) -> None:
    _images(tmp_path / "sources", 500)
    command = [sys.executable, "-c", _IMPORT, str(failing_disk), str(tmp_path / "sources")]
    # in a process of its own: one that holds a file open keeps the disk
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot" in ended.stdout
    assert any(said in ended.stdout for said in ("Input/output error", "Read-only file system", "No space left"))
    _run("umount", str(failing_disk))
    _run("mount", "-o", "remount,size=100m", str(tmp_path / "room"))
    _run("mount", "-o", "loop", str(tmp_path / "room" / "image"), str(failing_disk))
    command = [sys.executable, "-c", _MEND, str(failing_disk), str(tmp_path / "sources")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, ["500", "[]"]), ended.stderr
