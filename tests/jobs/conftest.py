"""Experiments, tools and services for the tests of jobs."""

from __future__ import annotations

import copy
import os
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import (
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    Job,
    ProcessedData,
    RawData,
    Run,
    Tool,
)
from bioimageit_core.core.command import Command, Finished
from bioimageit_core.core.exceptions import ConflictError, NotFoundError
from bioimageit_core.core.utils import generate_uuid
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.plugins.data_local import LocalMetadataServiceBuilder
from bioimageit_core.plugins.runner_local import LocalRunnerService


class PublishedDataService:
    """Keeps records in memory and files in a directory; has the published methods alone, and tells who is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: dict[str, Any] = {}
        self.calls: list[str] = []
        self.fails_at: dict[str, int] = {}
        self._inside = threading.Lock()

    def _enter(self, call: str) -> None:
        assert self._inside.acquire(blocking=False), "two threads call the service at once"
        self._inside.release()
        self.calls.append(call)
        if call in self.fails_at:
            self.fails_at[call] -= 1
            if self.fails_at[call] < 0:
                raise OSError(28, "No space left on device")

    def _keep(self, kind: str, record: Any) -> Any:
        record.uuid = record.uuid or generate_uuid()
        record.md_uri = f"fake://{kind}/{record.uuid}"
        self.records[record.md_uri] = copy.deepcopy(record)
        return record

    def _read(self, md_uri: str) -> Any:
        if md_uri not in self.records:
            raise NotFoundError("record", md_uri)
        return copy.deepcopy(self.records[md_uri])

    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        raw = self._keep("dataset", Dataset(name="data"))
        info = DatasetInfo("data", raw.md_uri, raw.uuid)
        return self._keep("experiment", Experiment(name=name, author=author, date=date, raw_dataset=info))

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        return []

    def get_experiment(self, md_uri: str) -> Experiment:
        return self._read(md_uri)

    def update_experiment(self, experiment: Experiment) -> None:
        self.records[experiment.md_uri] = copy.deepcopy(experiment)

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = dict,
    ) -> RawData:
        pairs = {} if key_value_pairs is dict else dict(key_value_pairs)
        uri = str(self.folder / f"{generate_uuid()}_{os.path.basename(data_path)}")
        shutil.copyfile(data_path, uri)
        data = RawData(name=name, author=author, date=date, format=format_, uri=uri, key_value_pairs=pairs)
        self._keep("data", data)
        self.records[experiment.raw_dataset.url].uris.append(Container(data.md_uri, data.uuid))
        return data

    def import_dir(self, *arguments: Any) -> None:
        raise NotImplementedError

    def get_raw_data(self, md_uri: str) -> RawData:
        data = self._read(md_uri)
        if not isinstance(data, RawData):
            raise NotFoundError("raw data", md_uri)
        return data

    def update_raw_data(self, raw_data: RawData) -> None:
        self.records[raw_data.md_uri] = copy.deepcopy(raw_data)

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        data = self._read(md_uri)
        if not isinstance(data, ProcessedData):
            raise NotFoundError("processed data", md_uri)
        return data

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        self.records[processed_data.md_uri] = copy.deepcopy(processed_data)

    def get_dataset(self, md_uri: str) -> Dataset:
        return self._read(md_uri)

    def update_dataset(self, dataset: Dataset) -> None:
        self.records[dataset.md_uri] = copy.deepcopy(dataset)

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        self._enter("create_dataset")
        stored = self.records[experiment.md_uri]
        if any(info.name == dataset_name for info in stored.processed_datasets):
            raise ConflictError(dataset_name)
        dataset = self._keep("dataset", Dataset(name=dataset_name))
        info = DatasetInfo(dataset_name, dataset.md_uri, dataset.uuid)
        stored.processed_datasets.append(info)
        experiment.processed_datasets.append(copy.copy(info))
        return dataset

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        self._enter("create_run")
        return self._keep("run", run_info)

    def get_run(self, md_uri: str) -> Run:
        return self._read(md_uri)

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        self._enter("create_data")
        uri = str(self.folder / f"{generate_uuid()}_{os.path.basename(processed_data.uri)}")
        shutil.move(processed_data.uri, uri)
        processed_data.uri = uri
        processed_data.run = Container(run.md_uri, run.uuid)
        self._keep("data", processed_data)
        self.records[dataset.md_uri].uris.append(Container(processed_data.md_uri, processed_data.uuid))
        return processed_data


class OldRunner:
    """A runner as plugins had it first: no job's id, no word about how a command ended but an exception."""

    def __init__(self, set_up_fails: bool = False) -> None:
        self.calls: list[str] = []
        self.set_up_fails = set_up_fails

    def set_up(self, tool: Tool) -> None:
        self.calls.append("set_up")
        if self.set_up_fails:
            raise OSError("no docker here")

    def exec(self, tool: Tool, args: list[str]) -> None:
        import subprocess

        self.calls.append("exec")
        argv = [sys.executable if part == "python" else part for part in args]
        subprocess.run(argv, check=True, capture_output=True)

    def tear_down(self, tool: Tool) -> None:
        self.calls.append("tear_down")


class CountingRunner(LocalRunnerService):
    """The LOCAL runner, counting what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.commands: list[Command] = []

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        self.calls.append("set_up")
        super().set_up(tool, job_id)

    def run_command(self, tool: Tool, command: Command, job_id: int = 0, stop: Any = None) -> Finished:
        self.calls.append("run")
        self.commands.append(command)
        return super().run_command(tool, command, job_id, stop)

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        self.calls.append("tear_down")
        super().tear_down(tool, job_id)


class Home:
    """An experiment in a data service, and short ways to ask about it."""

    def __init__(self, service: Any, tmp_path: Path) -> None:
        self.service = service
        self.tmp_path = tmp_path
        self.workspace = tmp_path / "workspace"
        self.workspace.mkdir()
        self.experiment: Experiment = service.create_experiment("cells", "ada", "2024-01-01", [], str(self.workspace))
        self.runner = CountingRunner()

    def add(self, *contents: str, name: str = "", **pairs: str) -> list[RawData]:
        """Import a text file for each content; its name is the content unless one is given."""
        added = []
        for content in contents:
            file_name = name or f"{content}.txt"
            path = self.tmp_path / file_name
            path.write_text(content)
            added.append(
                self.service.import_data(self.experiment, str(path), file_name, "ada", "raw", "2024-01-01", dict(pairs))
            )
        return added

    def job(self, tool: Tool, output: str = "out", inputs: dict[str, Any] | None = None, **parameters: Any) -> Job:
        """Make a job; an input is a dataset, or a tuple of dataset, query and output."""
        job = Job()
        job.set_experiment(self.experiment)
        job.set_tool(tool)
        for name, given in (inputs or {"i": "data"}).items():
            dataset, query, output_name = (given, "", "") if isinstance(given, str) else (*given, "")[:3]
            job.set_input(name, dataset, query, output_name)
        for name, value in parameters.items():
            job.set_param(name, value)
        job.set_output_dataset_name(output)
        return job

    def run(self, job: Job, **more: Any) -> Run:
        from bioimageit_core.jobs import run_job

        return run_job(job, **{"data": self.service, "runner": self.runner, "user": "ada", **more})

    def data(self, dataset: str = "out") -> list[ProcessedData]:
        found = next((i for i in self.experiment.processed_datasets if i.name == dataset), None)
        if found is None:
            return []
        return [self.service.get_processed_data(entry.md_uri) for entry in self.service.get_dataset(found.url).uris]

    def contents(self, dataset: str = "out") -> dict[str, str]:
        """Give the text of each data of a dataset, by name."""
        return {data.name: self.text(data) for data in self.data(dataset)}

    def text(self, data: Data) -> str:
        return Path(data.uri).read_text()


@pytest.fixture(params=["LOCAL", "published methods alone"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """An experiment at home in LOCAL, and in a service that has the published methods alone."""
    if request.param == "LOCAL":
        return Home(LocalMetadataServiceBuilder()(), tmp_path)
    folder = tmp_path / "files"
    folder.mkdir()
    return Home(PublishedDataService(folder), tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> Home:
    """An experiment at home in LOCAL."""
    return Home(LocalMetadataServiceBuilder()(), tmp_path)


@pytest.fixture
def published(tmp_path: Path) -> Home:
    """An experiment in a service that has the published methods alone."""
    folder = tmp_path / "files"
    folder.mkdir()
    return Home(PublishedDataService(folder), tmp_path)


@pytest.fixture
def old_runner() -> type[OldRunner]:
    return OldRunner


@pytest.fixture
def make_tool(tmp_path: Path) -> Callable[..., Tool]:
    """Write a wrapper and its script, and read it.

    The script sees ``arguments`` (a dict of its options), ``inputs`` (the texts of ``i``) and ``write(text)``.
    """

    def make(
        body: str = "write(inputs[0].upper())",
        *,
        id_: str = "upper",
        version: str = "1",
        inputs: tuple[str, ...] = ("i",),
        outputs: tuple[str, ...] = ("o",),
        parameters: str = "",
        type_: str = "sequential",
        formats: str = "",
    ) -> Tool:
        folder = tmp_path / "tools" / id_
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tool.py").write_text(
            "import argparse, os, sys, time\n"
            "def put(path, text): open(path, 'w').write(text)\n"
            "parser = argparse.ArgumentParser()\n"
            + "".join(f"parser.add_argument('--{name}', nargs='+')\n" for name in inputs)
            + "".join(f"parser.add_argument('--{name}')\n" for name in outputs)
            + "parser.add_argument('--p', default='')\n"
            "arguments = vars(parser.parse_args())\n"
            f"inputs = [open(path).read() for path in arguments['{inputs[0]}']]\n"
            f"def write(text, output='{outputs[0]}'): put(arguments[output], text)\n" + textwrap.dedent(body)
        )
        flags = [f"--{name} ${{{name}}}" for name in (*inputs, *outputs)]
        if parameters:
            flags.append("--p ${p}")
        (folder / "tool.xml").write_text(
            f'<tool id="{id_}" name="{id_.title()}" version="{version}" type="{type_}">\n'
            f"<command>python '$__tool_directory__/tool.py' {' '.join(flags)}</command>\n<inputs>"
            + "".join(f'<param type="data" name="{name}" format="{formats}"/>' for name in inputs)
            + parameters
            + "</inputs>\n<outputs>"
            + "".join(f'<data name="{name}" format="tablecsv" label="{name.title()}"/>' for name in outputs)
            + "</outputs></tool>"
        )
        return read_wrapper(folder / "tool.xml")

    return make
