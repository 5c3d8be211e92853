"""Whole jobs of the toolbox on Dask, asked for by `Request.run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bioimageit_core
import pytest
from bioimageit_core.api import Request
from bioimageit_core.containers import Job
from bioimageit_core.core.command import CommandState
from bioimageit_core.core.exceptions import JobFailedError
from bioimageit_core.jobs.record import read_record


@pytest.fixture
def images(tmp_path: Path) -> Path:
    import numpy as np
    import tifffile

    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32), np.uint8)
        tifffile.imwrite(folder / f"cell_{number}.tif", pixels)
    return folder


def connect(tmp_path: Path, runner: dict[str, Any]) -> Request:
    toolbox = Path(bioimageit_core.__file__).parent / "toolbox"
    (tmp_path / "workspace").mkdir()
    config = {
        "user": {"name": "ada"},
        "workspace": str(tmp_path / "workspace"),
        "process": {"service": "LOCAL", "xml_dirs": [str(toolbox)]},
        "runner": runner,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    request = Request(str(tmp_path / "config.json"))
    request.connect()
    return request


def gaussian(request: Request, images: Path) -> Job:
    experiment = request.create_experiment("cells", "ada")
    request.import_dir(experiment, str(images), r"\.tif$", "ada", "imagetiff", "now")
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(request.get_tool("gaussian_filter_v1.0.0"))
    job.set_input("input", "data", "")
    job.set_param("sigma", 2)
    job.set_output_dataset_name("smooth")
    return job


def test_a_job_of_the_toolbox_runs_on_dask(cluster: Any, tmp_path: Path, images: Path) -> None:
    shared = tmp_path / "shared"
    request = connect(tmp_path, {"service": "DASK", "address": cluster.address, "shared_dir": str(shared)})
    job = gaussian(request, images)
    try:
        run = request.run(job)
        experiment = request.get_experiment(job.experiment.md_uri)
        outputs = request.get_data(request.get_dataset(experiment, "smooth"))
    finally:
        request.runner_service.close()

    record = read_record(run)
    assert record.counts() == {"done": 4}
    assert {item.exit_status for item in record.items} == {0}
    assert all(item.host and item.argv for item in record.items)
    assert sorted(request.get_parent(data).name for data in outputs) == [f"cell_{n}.tif" for n in range(4)]
    assert [path for path in shared.iterdir() if path.is_dir()] == []
    assert request.run(job).md_uri == run.md_uri  # nothing is left to do


def test_an_item_that_fails_on_a_worker_stops_no_other(tmp_path: Path, images: Path) -> None:
    (images / "cell_1.tif").write_bytes(b"II*\0 not an image any more")
    request = connect(tmp_path, {"service": "DASK", "workers": 2})
    job = gaussian(request, images)
    try:
        with pytest.raises(JobFailedError) as caught:
            request.run(job, preflight=False)
    finally:
        request.runner_service.close()

    assert list(caught.value.failures) == ["cell_1.tif"]
    record = read_record(caught.value.run)
    assert record.counts() == {"done": 3, "failed": 1}
    assert next(item for item in record.items if item.state == "failed").exit_status not in (0, None)
    assert CommandState.LOST not in {item.reason for item in record.items}
