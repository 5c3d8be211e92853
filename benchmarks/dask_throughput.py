"""Two workers of Dask, processes of their own, against a bare loop, in the same run.

The same commands, each of which starts a Python interpreter, are executed once by ``concurrent.futures`` over
``subprocess.run`` on two threads, and once by the DASK runner with two workers of one thread each.

    python benchmarks/dask_throughput.py [--items 1000] [--rounds 3] [--bundle 1] [--json]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bioimageit_dask.service import DaskRunnerService

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command

WORKERS = 2
TOOL = Tool("bench", "bench", "1")


def start_cluster(folder: Path) -> tuple[str, list[subprocess.Popen[bytes]]]:
    file = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    dask = [sys.executable, "-m", "dask"]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*dask, "scheduler", "--port", "0", *common], **silent)]
    while not (file.exists() and file.read_text().strip()):
        time.sleep(0.1)
    worker = [*dask, "worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder), *common]
    processes += [subprocess.Popen(worker, **silent) for _ in range(WORKERS)]
    return json.loads(file.read_text())["address"], processes


def bare_loop(commands: list[Command]) -> float:
    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda each: subprocess.run(each.argv, cwd=each.cwd, check=True, capture_output=True), commands))
    return time.perf_counter() - started


def on_dask(service: DaskRunnerService, commands: list[Command]) -> float:
    started = time.perf_counter()
    tickets = service.submit(TOOL, commands)
    while not all(status.state.is_final for status in service.status(tickets).values()):
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    assert all(status.finished and status.finished.exit_status == 0 for status in service.status(tickets).values())
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bares, dasks = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = [Command([sys.executable, "-c", "print(1)"], name)] * options.items
        address, processes = start_cluster(folder)
        try:
            service = DaskRunnerService(address=address, bundle=options.bundle, timeout=60)
            service.set_up(TOOL)
            on_dask(service, commands[: 4 * WORKERS])  # the workers' first tasks import what they need
            for _ in range(options.rounds):
                bares.append(bare_loop(commands))
                dasks.append(on_dask(service, commands))
            service.close()
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()
    figures = {
        "items": options.items,
        "workers": WORKERS,
        "bundle": options.bundle,
        "bare_loop_seconds": round(statistics.median(bares), 2),
        "dask_seconds": round(statistics.median(dasks), 2),
        "overhead_ms_per_item": round(1000 * (statistics.median(dasks) - statistics.median(bares)) / options.items, 2),
        "ratio": round(statistics.median(dask / bare for dask, bare in zip(dasks, bares, strict=True)), 3),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
