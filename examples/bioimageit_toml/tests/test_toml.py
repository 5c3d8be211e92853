"""Tools of a TOML file run on an experiment."""

import json
import shutil
from pathlib import Path

import tifffile

from bioimageit_core import Request
from bioimageit_core.containers import Job
from bioimageit_core.samples import nuclei_dir

HERE = Path(__file__).parent


def test_a_tool_of_the_file_runs_on_an_experiment(tmp_path):
    for name in ("tools.toml", "threshold.py"):
        shutil.copy(HERE / name, tmp_path)
    config = {
        "workspace": str(tmp_path),
        "log_dir": str(tmp_path / "logs"),
        "process": {"service": "TOML", "file": str(tmp_path / "tools.toml")},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    request = Request(str(tmp_path / "config.json"))
    experiment = request.create_experiment("toml")
    request.import_data(experiment, str(nuclei_dir() / "A9" / "A9 p5d.tif"))
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(request.get_tool("threshold_v1.0"))
    job.set_input("image", "data", "")
    job.set_param("level", 50)
    job.set_output_dataset_name("dark")
    request.run(job)

    (result,) = request.query(experiment, "dark")
    assert 0 < tifffile.imread(result.uri).astype(bool).mean() < 1
