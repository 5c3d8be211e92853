"""The wrapped tool passes its own tests, and runs on an experiment."""

import json
import subprocess
import sys
from pathlib import Path

from bioimageit_blobs import wrappers

from bioimageit_core import Request
from bioimageit_core.containers import Job
from bioimageit_core.samples import nuclei_dir

COMMAND = Path(sys.executable).with_name("bioimageit")


def test_the_wrapper_passes_its_tests_and_lint() -> None:
    for verb in ("test", "lint"):
        done = subprocess.run([COMMAND, "tools", verb, wrappers], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tool_runs_on_an_experiment(tmp_path: Path) -> None:
    config = {"workspace": str(tmp_path), "process": {"service": "LOCAL", "xml_dirs": [str(wrappers)]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    request = Request(str(tmp_path / "config.json"), log=False)
    experiment = request.create_experiment("blobs")
    request.import_data(experiment, str(nuclei_dir() / "A9" / "A9 p5d.tif"))
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(request.get_tool("count_blobs_v0.1.0"))
    job.set_input("image", "data", "")
    job.set_param("sigma", 6)
    job.set_output_dataset_name("blobs")
    request.run(job)

    (table,) = request.query(experiment, "blobs")
    rows = Path(table.uri).read_text().splitlines()
    assert rows[0] == "label,y,x,area"
    assert len(rows) > 20
