"""A laboratory whose experiment has all that exchange has to carry: annotations, runs, a pipeline, failures."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from bioimageit_core.api import Request
from bioimageit_core.containers import Experiment, Job
from bioimageit_core.core.exceptions import JobFailedError
from bioimageit_core.core.wrappers.pipelines import parse_pipeline

_SCRIPT = """
import sys
source, target, times = sys.argv[1:]
text = open(source).read()
if text == "bad":
    sys.exit("no numbers in it")
open(target, "w").write("area,mean\\n" + "".join(f"{len(text) * n},{n}.5\\n" for n in range(int(times))))
"""
_WRAPPER = """<tool id="measure" name="Measure" version="1.2">
<requirements><container type="docker">quay.io/lab/measure:1.2</container></requirements>
<command>'{python}' '$__tool_directory__/measure.py' '$i' '$o' $times</command>
<inputs><param name="i" type="data" format="raw"/><param name="times" type="integer" value="2"/></inputs>
<outputs><data name="o" format="tablecsv" label="Measurements of ${{i.name}}"/></outputs></tool>"""


def open_laboratory(folder: Path) -> Request:
    """Make a request with a tool ``measure_v1.2`` that fails for the text ``bad``."""
    tools = folder / "tools" / "measure"
    tools.mkdir(parents=True)
    (tools / "measure.py").write_text(_SCRIPT)
    (tools / "measure.xml").write_text(_WRAPPER.format(python=sys.executable))
    return open_room(folder, "workspace")


def open_room(folder: Path, name: str) -> Request:
    """Make a request with a workspace of its own and the tools of the laboratory."""
    (folder / name).mkdir()
    config = folder / f"{name}.json"
    config.write_text(
        json.dumps(
            {
                "user": {"name": "ada"},
                "workspace": str(folder / name),
                "metadata": {"service": "LOCAL", "durable": False},
                "process": {"service": "LOCAL", "xml_dirs": [str(folder / "tools")]},
            }
        )
    )
    return Request(str(config), debug=False, log=False)


def fill(req: Request, folder: Path, *, has_pipeline: bool = True) -> Experiment:
    """Make an experiment: data with awkward names, a run, and a pipeline with a sweep in which one item fails."""
    experiment = req.create_experiment("Kc 167 µ", "ada", "2024-05-01", keys=["Group", "Day"])
    for name, text, pairs in (
        ("ä b;c#1.txt", "one", {"Group": "=1+1", "Day": 1}),
        ("x?%20.txt", "three", {"Group": "b"}),
        ("worse.txt", "bad", {"Group": "b", "Day": ""}),
    ):
        source = folder / "sources" / name
        source.parent.mkdir(exist_ok=True)
        source.write_text(text)
        data = req.import_data(experiment, str(source), name, "bo", "raw", "2024-05-02", pairs)
        data.metadata = {"PhysicalSizeX": 0.108, "PhysicalSizeXUnit": "µm", "Channel": ["DAPI", "GFP"], "Reader": "r"}
        req.update_raw_data(data)
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(req.get_tool("measure_v1.2"))
    job.set_input("i", "data", "name=20")
    job.set_output_dataset_name("measured")
    req.run(job)
    if has_pipeline:
        steps = [
            {
                "name": "m",
                "tool": "measure_v1.2",
                "inputs": {"i": "data"},
                "parameters": {"times": {"sweep": [1, 3]}},
            },
            {"name": "again", "tool": "measure_v1.2", "inputs": {"i": "m"}},
        ]
        with contextlib.suppress(JobFailedError):
            req.run_pipeline(experiment, parse_pipeline({"name": "both / ways", "steps": steps}))
    return req.get_experiment(experiment.md_uri)
