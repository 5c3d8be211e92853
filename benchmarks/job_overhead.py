"""What a job costs beyond the processes of its tool: against a bare loop, in the same run.

The same command for the same files is executed once by ``concurrent.futures`` over ``subprocess.run``, which records
nothing, and once as a job, which plans, checks, pairs, hashes inputs and outputs, and stores every result with its
provenance. Both have as many workers as this process has processors. The tool starts a Python interpreter, as most do,
and copies its input. Processor time, of this process and those of the tool, is told beside wall-clock time: on a
machine that is busy with other things it is the better measure.

    python benchmarks/job_overhead.py [--items 1000] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bioimageit_core.containers import Job, Tool
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.jobs import plan_job, run_job
from bioimageit_core.jobs.pool import default_workers
from bioimageit_core.plugins.data_local import LocalMetadataServiceBuilder
from bioimageit_core.plugins.runner_local import LocalRunnerService

SCRIPT = "import sys\nwith open(sys.argv[1]) as i, open(sys.argv[2], 'w') as o:\n    o.write(i.read())\n"
WRAPPER = """<tool id="copy" name="Copy" version="1">
<command>python '$__tool_directory__/copy_it.py' ${i} ${o}</command>
<inputs><param type="data" name="i"/></inputs><outputs><data name="o" format="tablecsv"/></outputs></tool>"""


def make_tool(folder: Path) -> Tool:
    folder.mkdir()
    (folder / "copy_it.py").write_text(SCRIPT)
    (folder / "copy.xml").write_text(WRAPPER)
    return read_wrapper(folder / "copy.xml")


class Cost:
    """Wall-clock and processor seconds since it was made; the latter with those of processes that have ended."""

    def __init__(self) -> None:
        self.started, self.before = time.perf_counter(), sum(os.times()[:4])

    def so_far(self) -> tuple[float, float]:
        return time.perf_counter() - self.started, sum(os.times()[:4]) - self.before


def bare_loop(script: Path, inputs: list[str], folder: Path) -> tuple[float, float]:
    folder.mkdir()
    cost = Cost()
    with concurrent.futures.ThreadPoolExecutor(default_workers()) as pool:
        commands = [
            [sys.executable, str(script), path, str(folder / f"{number}.csv")] for number, path in enumerate(inputs)
        ]
        list(pool.map(lambda argv: subprocess.run(argv, check=True, capture_output=True), commands))
    return cost.so_far()


def as_job(job: Job, service: object) -> tuple[float, float]:
    cost = Cost()
    run_job(job, data=service, runner=LocalRunnerService(), user="bench", reuse=False)
    return cost.so_far()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bares, jobs = [], []
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        service = LocalMetadataServiceBuilder()()
        tool = make_tool(base / "tool")
        sources = base / "sources"
        sources.mkdir()
        for number in range(options.items):
            (sources / f"cell_{number:05}.txt").write_text(f"cell {number}\n")
        experiment = service.create_experiment("bench", "bench", "now", [], str(base))
        service.import_dir(experiment, str(sources), r"\.txt$", "bench", "raw", "now")
        inputs = sorted(str(path) for path in sources.iterdir())
        for turn in range(options.rounds):
            job = Job()
            job.set_experiment(experiment)
            job.set_tool(tool)
            job.set_input("i", "data", "")
            job.set_output_dataset_name(f"out{turn}")
            bares.append(bare_loop(base / "tool" / "copy_it.py", inputs, base / f"bare{turn}"))
            jobs.append(as_job(job, service))
            assert len(os.listdir(base / "bench" / f"out{turn}")) == 2 * options.items + 2
        started = time.perf_counter()
        again = plan_job(job, data=service).counts()
        plan_seconds = time.perf_counter() - started
        assert again == {"skip": options.items}
    bare, whole = (statistics.median(wall for wall, _ in costs) for costs in (bares, jobs))
    ratios = [
        statistics.median(job[what] / bare[what] for job, bare in zip(jobs, bares, strict=True)) for what in (0, 1)
    ]
    figures = {
        "items": options.items,
        "workers": default_workers(),
        "bare_loop_seconds": round(bare, 2),
        "job_seconds": round(whole, 2),
        "overhead_ms_per_item": round(1000 * (whole - bare) / options.items, 2),
        "ratio": round(ratios[0], 3),
        "processor_ratio": round(ratios[1], 3),
        "plan_again_seconds": round(plan_seconds, 2),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
