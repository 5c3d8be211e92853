"""Whole jobs of the toolbox on Slurm, asked for by `Request.run`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bioimageit_core
import pytest
from bioimageit_core.api import Request
from bioimageit_core.containers import Job
from bioimageit_core.jobs.record import read_record

pytestmark = pytest.mark.slurm


@pytest.fixture
def config(tmp_path: Path, slurm: Any) -> Path:
    """A configuration, and an experiment of three images."""
    import numpy as np
    import tifffile

    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "workspace").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32), np.uint8)
        tifffile.imwrite(folder / f"cell_{number}.tif", pixels)
    toolbox = Path(bioimageit_core.__file__).parent / "toolbox"
    shared = tmp_path / "shared"
    runner = {"service": "BATCH", "scheduler": "slurm", "shared_dir": str(shared), "bundle": 2, "poll": 0.3}
    document = {
        "user": {"name": "ada"},
        "workspace": str(tmp_path / "workspace"),
        "process": {"service": "LOCAL", "xml_dirs": [str(toolbox)]},
        "runner": runner,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    request = Request(str(path))
    experiment = request.create_experiment("cells", "ada")
    request.import_dir(experiment, str(folder), r"\.tif$", "ada", "imagetiff", "now")
    return path


def gaussian(request: Request) -> Job:
    job = Job()
    job.set_experiment(request.get_workspace_experiments()[0]["info"])
    job.set_tool(request.get_tool("gaussian_filter_v1.0.0"))
    job.set_input("input", "data", "")
    job.set_param("sigma", 2)
    job.set_output_dataset_name("smooth")
    return job


def test_a_job_of_the_toolbox_runs_on_slurm(config: Path, tmp_path: Path) -> None:
    request = Request(str(config))
    run = request.run(gaussian(request))

    record = read_record(run)
    assert record.counts() == {"done": 3}
    assert {item.exit_status for item in record.items} == {0}
    experiment = request.get_workspace_experiments()[0]["info"]
    outputs = request.get_data(request.get_dataset(experiment, "smooth"))
    assert sorted(request.get_parent(data).name for data in outputs) == [f"cell_{n}.tif" for n in range(3)]
    left = [path.name for path in (tmp_path / "shared").rglob("*") if path.name == "bundle.json"]
    assert left == []


SUBMIT = """
import sys
sys.path.insert(0, {tests!r})
from bioimageit_core.api import Request
from test_jobs import gaussian
request = Request({config!r})
request.run(gaussian(request))
"""


def test_a_job_whose_process_was_killed_is_picked_up_by_the_next(
    config: Path, tmp_path: Path, slurm: Any, until: Any
) -> None:
    slurm.ask("scontrol", "update", "PartitionName=main", "State=DOWN")  # jobs wait
    try:
        script = SUBMIT.format(tests=str(Path(__file__).parent), config=str(config))
        submitter = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.DEVNULL)
        try:
            until(lambda: len(list((tmp_path / "shared").rglob("pending.json"))) == 3, "all items to be submitted")
        finally:
            submitter.kill()
            submitter.wait()
        submitted = slurm.ask("squeue", "--me", "-h", "-o", "%i").split()
    finally:
        slurm.ask("scontrol", "update", "PartitionName=main", "State=UP")
    request = Request(str(config))
    run = request.run(gaussian(request))

    record = read_record(run)
    assert record.counts() == {"done": 3}
    assert {item.reason for item in record.items} == {"submitted by an earlier process"}
    known = slurm.ask("squeue", "--me", "-h", "-t", "all", "-o", "%i").split()
    assert max(map(int, known)) == max(map(int, submitted))  # nothing was submitted anew
    experiment = request.get_workspace_experiments()[0]["info"]
    assert len(request.get_data(request.get_dataset(experiment, "smooth"))) == 3
