"""Processes are killed and many work at once; ``benchmarks/safety.py`` does so at full size."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
