"""The same by this software, through the API that a script uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from worker import Clock

from bioimageit_core.api import Request
from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.plugins.store.journal import Journal

KEYS = ["Population", "Well"]


def request(workspace: str, *, durable: bool = False) -> Request:
    """Connect without a lookout: a first query is to look at every document, as on a machine that has just started."""
    config = Path(workspace) / ".config.json"
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"service": "LOCAL", "durable": durable}
        settings = {"user": {"name": "ada"}, "workspace": workspace, "metadata": metadata}
        config.with_name(".config-lookout.json").write_text(json.dumps(settings))
        metadata["lookout"] = False
        config.write_text(json.dumps(settings))
    return Request(str(config), debug=False, log=False)


def opened(workspace: str, *, durable: bool = False) -> tuple[Request, Experiment]:
    req = request(workspace, durable=durable)
    req.connect()
    return req, req.get_experiment(f"{workspace}/bench")


def import_dir(clock: Clock, sources: str, workspace: str, durable: str = "", below: str = "") -> None:
    """Import all, or only those whose number is below one."""
    req = request(workspace, durable=bool(durable))
    req.connect()
    experiment = req.create_experiment("bench", keys=KEYS)
    filter_ = r"cell_000[01]\d\d_.*\.tif$" if below else r"\.tif$"
    with clock:
        req.import_dir(experiment, sources, filter_, "ada", "imagetiff", "2024-05-31", "Plate")


def import_data(clock: Clock, sources: str, workspace: str, count: str) -> None:
    """Import some more, one after another."""
    req, experiment = opened(workspace)
    paths = [entry.path for entry, _ in zip(os.scandir(sources), range(int(count) + 64), strict=False)]
    for number, path in enumerate(paths):
        if number == 64:
            clock.__enter__()
        name = f"more_{os.getpid()}_{number}.tif"
        req.import_data(experiment, path, name, "ada", "imagetiff", "2024-05-31", {"Day": "1"})
    clock.__exit__()


def annotate(clock: Clock, workspace: str) -> None:
    req, experiment = opened(workspace)
    with clock:
        req.annotate_using_separator(experiment, "Well", "_", 2)


def annotate_from_name(clock: Clock, workspace: str) -> None:
    req, experiment = opened(workspace)
    with clock:
        req.annotate_from_name(experiment, "Population", [f"p{number}" for number in range(7)])


def query(clock: Clock, workspace: str, dataset: str = "data", key: str = "Well", value: str = "w07") -> None:
    """Ask once, as the first thing of a process, then again: for few, for many, and look at what was found."""
    req, experiment = opened(workspace)
    req.data_service.get_experiment(experiment.md_uri)
    with clock:
        few = req.query(experiment, dataset, f"{key}={value}")
    clock.facts["few"] = len(few)
    clock.facts["again"] = _best(lambda: req.query(experiment, dataset, f"{key}={value}"))
    clock.facts["all"] = len(req.query(experiment, dataset, ""))
    clock.facts["all_again"] = _best(lambda: req.query(experiment, dataset, ""))
    clock.facts["all_read"] = _best(lambda: [data.name for data in req.query(experiment, dataset, "")])


def without_history(clock: Clock, operation: str, *arguments: str) -> None:
    """Do something, and keep nothing of who did what when."""
    from unittest import mock  # which loads much that would count as the others' memory

    with mock.patch.multiple(Journal, line=_nothing, content=_nothing, append=_nothing):
        {"import_dir": import_dir, "annotate": annotate}[operation](clock, *arguments)


def _nothing(*_: object, **__: object) -> bytes:
    return b""


def _best(operation: Any, times: int = 3) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        operation()
        taken.append(time.perf_counter() - started)
    return min(taken)


def check(clock: Clock, workspace: str, quick: str = "") -> None:
    req, experiment = opened(workspace)
    with clock:
        found = list(req.check_experiment(experiment, content=not quick))
    assert not found, found[:3]


def transfer(clock: Clock, workspace: str, elsewhere: str) -> None:
    """Move the experiment, which stays where it is too, to another folder."""
    req, experiment = opened(workspace)
    target = request(elsewhere)
    target.connect()
    with clock:
        clock.facts["moved"] = req.transfer(experiment, target).moved


def process(clock: Clock, workspace: str, depth: str = "3") -> None:
    """Record results of results of results."""
    req, experiment = opened(workspace)
    with clock:
        source = "data"
        for level in range(1, int(depth) + 1):
            dataset = req.create_dataset(experiment, f"depth{level}")
            run = req.create_run(dataset, Run())
            for parent in req.query(experiment, source):
                made = ProcessedData()
                made.set_info(f"o_{parent.name}", "ada", "2024-05-31", "numbercsv", "")
                made.add_input("i", parent)
                made.set_output("o", "result")
                req.data_service.create_data_uri(dataset, run, made)
                Path(made.uri).write_text("1")
                req.create_data(dataset, run, made)
            source = dataset.name


def make_experiments(clock: Clock, workspace: str, count: str) -> None:
    req = request(f"{workspace}.home")
    req.connect()
    os.makedirs(workspace)
    with clock:
        for number in range(int(count)):
            req.create_experiment(f"experiment {number}", keys=KEYS, destination=workspace)


def list_experiments(clock: Clock, workspace: str) -> None:
    req = request(f"{workspace}.home")
    req.connect()
    req.data_service  # noqa: B018 - made here
    with clock:
        req.get_workspace_experiments(workspace)


def import_large(clock: Clock, source: str, workspace: str) -> None:
    req = request(workspace)
    req.connect()
    experiment = req.create_experiment("bench")
    with clock:
        req.import_data(experiment, source, "", "ada", "imagetiff")


def _installed() -> dict[str, str]:
    """Return an environment in which modules are compiled once, as those of an installed program are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def import_module(clock: Clock) -> None:
    """Import the package in a new interpreter, beyond what starting the interpreter takes."""
    with clock:
        subprocess.run([sys.executable, "-c", "import bioimageit_core"], check=True, env=_installed())


def start(clock: Clock) -> None:
    with clock:
        subprocess.run([sys.executable, "-c", "pass"], check=True, env=_installed())


def first_page(clock: Clock, workspace: str) -> None:
    """Show a dataset until the first rows are there."""
    request(workspace)
    program = os.path.join(os.path.dirname(sys.executable), "bioimageit")
    with clock:
        argv = [program, "--config", f"{workspace}/.config.json", "show", "bench", "data"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_installed()) as process:
            assert process.stdout is not None
            for _ in range(20):
                process.stdout.readline()
            process.stdout.close()


def command(clock: Clock, workspace: str, config: str, *arguments: str) -> None:
    """Run the command as a whole process, with a configuration of the workspace."""
    request(workspace)
    program = os.path.join(os.path.dirname(sys.executable), "bioimageit")
    argv = [program, "--config", f"{workspace}/{config}", *arguments]
    with clock:
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=_installed())
