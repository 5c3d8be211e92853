"""Processes are killed, many work at once, and a disk is really full; ``benchmarks/safety.py`` does so at full size."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.plugins.data_local import LocalMetadataService

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "safety.py"


@pytest.mark.parametrize(
    "arguments", [["kills", "--count", "20"], ["together", "--processes", "3", "--rounds", "8", "--readers", "1"]]
)
def test_nothing_that_was_done_is_lost(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)[arguments[0]]["seconds"] >= 0


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


def test_what_is_in_the_trash_is_purged_though_the_disk_is_full(tmp_path: Path) -> None:
    service = LocalMetadataService(durable=False)
    experiment = service.create_experiment("e", "ada", "now", [], str(tmp_path))
    (tmp_path / "a.tif").write_bytes(b"content")
    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    assert list(service.query_data(service.get_dataset(experiment.raw_dataset.url), ""))
    assert list(service.check_experiment(experiment.md_uri)) == []
    entry = service.delete_data(experiment.md_uri, [data.md_uri])
    ours, write = Path(experiment.md_uri).parent / ".bioimageit", service.files.write

    def on_a_full_disk(*args: Any, **options: Any) -> Any:
        if (ours / "index.sqlite").exists() or (ours / "checked.sqlite").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(*args, **options)

    service.files.write = on_a_full_disk
    assert [each.state for each in service.purge_trash(experiment.md_uri)] == ["purged"]
    assert not Path(entry.place, "data/a.tif").exists()
    assert list(LocalMetadataService().check_experiment(experiment.md_uri)) == []
