"""What `Request` does with tools: it finds, executes and runs them, through any runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api import Request
from bioimageit_core.containers import Job, Tool
from bioimageit_core.core.exceptions import (
    BioImageITError,
    JobFailedError,
    RunnerExecError,
    ToolNotFoundError,
    ToolsServiceError,
)
from bioimageit_core.core.observer import Observer
from bioimageit_core.plugins.runners_factory import runnerServices

COPY = """
<tool id="copy" name="Copy" version="1.0">
  <description>Copies a file; refuses one that says so</description>
  <command><![CDATA[python3 $__tool_directory__/copy.py ${i} ${o} ${suffix}]]></command>
  <inputs>
    <param name="i" type="data" format="imagetiff" label="Image"/>
    <param name="suffix" type="text" value="" label="Suffix"></param>
  </inputs>
  <outputs><data name="o" format="imagetiff" label="Copy"/></outputs>
</tool>
"""

PROGRAM = """
import sys
content = open(sys.argv[1], 'rb').read()
if b'bad' in content:
    print('this one is bad', file=sys.stderr)
    sys.exit(3)
open(sys.argv[2], 'wb').write(content + sys.argv[3].encode())
"""


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, Any]:
    """The configuration of a directory with one tool."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "copy.xml").write_text(COPY)
    (folder / "copy.py").write_text(PROGRAM)
    return {"service": "LOCAL", "xml_dirs": [str(folder)], "toolbox": False}


@pytest.fixture
def request_(configure: Any, tools: dict[str, Any]) -> Any:
    """A connected request that knows the tool."""
    made = Request(configure(process=tools))
    made.connect()
    yield made
    made.close()


@pytest.fixture
def job(request_: Request, images: Path) -> Job:
    """The tool over three images."""
    experiment = request_.create_experiment("e")
    request_.import_dir(experiment, str(images), "tif$")
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(request_.get_tool("copy_v1.0"))
    job.set_input("i", "data", "")
    job.set_param("suffix", "$(x) ;y")
    job.set_output_dataset_name("copies")
    return job


def test_tools_are_found_read_and_listed(request_: Request, tools: dict[str, Any]) -> None:
    (found,) = request_.search_tool("COPIES")

    assert found.fullname() == "copy_v1.0"
    assert request_.search_tool("deblur") == []
    assert request_.get_tool("copy_v1.0").name == "Copy"
    assert request_.get_tool_from_uri(found.uri).fullname() == "copy_v1.0"
    assert request_.get_categories("") == []
    assert request_.get_category_tools("none") == []


def test_a_tool_that_is_not_there_and_a_wrapper_that_cannot_be_read_are_named(
    request_: Request, tmp_path: Path
) -> None:
    (tmp_path / "broken.xml").write_text("<tool id='x'")

    with pytest.raises(ToolNotFoundError, match="copi_v1"):
        request_.get_tool("copi_v1.0")
    with pytest.raises(ToolsServiceError, match=r"broken\.xml"):
        request_.get_tool_from_uri(str(tmp_path / "broken.xml"))
    with pytest.raises(ToolsServiceError, match=r"none\.json"):
        request_.get_pipeline(str(tmp_path / "none.json"))


def test_tools_are_exported_whole_or_not_at_all(request_: Request, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"

    request_.export_tools_to_json(str(path))
    with pytest.raises(ToolsServiceError, match="cannot be written"):
        request_.export_tools_to_json(str(tmp_path / "no" / "tools.json"))

    (exported,) = json.loads(path.read_text())["tools"]
    assert (exported["fullname"], exported["inputs"][0]["name"]) == ("copy_v1.0", "i")
    assert [found.name for found in tmp_path.iterdir() if found.suffix == ".part"] == []


def test_a_tool_that_cannot_be_read_any_more_says_so_in_the_export(
    request_: Request, tools: dict[str, Any], tmp_path: Path
) -> None:
    request_.search_tool()
    (tmp_path / "tools" / "copy.xml").write_text("<tool")

    request_.export_tools_to_json(str(tmp_path / "tools.json"))

    exported = json.loads((tmp_path / "tools.json").read_text())["tools"]
    assert ["error" in entry for entry in exported] == [True]


def test_a_tool_is_executed_on_files(request_: Request, images: Path, tmp_path: Path) -> None:
    tool = request_.get_tool("copy_v1.0")

    written = request_.exec(tool, i=str(images / "p1_a_3.tif"), o=str(tmp_path / "o.tif"), suffix="`id` '")

    assert written == {"o": [str(tmp_path / "o.tif")]}
    assert (tmp_path / "o.tif").read_bytes() == b"p1_a_3.tif`id` '"


def test_a_command_that_fails_says_how(request_: Request, images: Path, tmp_path: Path) -> None:
    (images / "bad.tif").write_bytes(b"bad")

    with pytest.raises(RunnerExecError) as caught:
        request_.exec(request_.get_tool("copy_v1.0"), i=str(images / "bad.tif"), o=str(tmp_path / "o.tif"))

    assert caught.value.exit_status == 3
    assert "this one is bad" in caught.value.stderr
    assert str(images / "bad.tif") in " ".join(caught.value.command)
    assert not (tmp_path / "o.tif").exists()


def test_a_job_is_planned_run_and_recorded(request_: Request, job: Job) -> None:
    assert job.experiment is not None
    planned = request_.plan(job)
    draft = request_.run(job, dry_run=True)
    assert planned.counts() == {"run": 3}
    assert draft.md_uri == ""
    assert not request_.is_dataset(job.experiment, "copies")

    run = request_.run(job)

    results = request_.query(job.experiment, "copies")
    assert sorted(Path(data.uri).read_text() for data in results) == [
        f"{name}$(x) ;y" for name in ("p1_a_3.tif", "p1_b_12.tif", "p2_a_7.tif")
    ]
    assert {data.author for data in results} == {"ada"}
    assert run.process_name == "copy_v1.0"
    assert [read.md_uri for read in request_.get_dataset_runs(request_.get_dataset(job.experiment, "copies"))] == [
        run.md_uri
    ]


def test_observers_hear_of_a_job(request_: Request, job: Job) -> None:
    heard: list[Any] = []

    class Listener(Observer):
        def new_job(self, job_id: int) -> None:
            heard.append(("job", job_id))

        def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
            heard.append((progress, job_id))

    request_.add_observer(Listener())
    request_.run(job)

    assert heard[0] == ("job", 1)
    assert heard[-1] == (100, 1)


def test_items_that_fail_do_not_stop_the_others(request_: Request, job: Job, images: Path) -> None:
    assert job.experiment is not None
    (images / "bad.tif").write_bytes(b"bad")
    request_.import_data(job.experiment, str(images / "bad.tif"))

    with pytest.raises(JobFailedError) as caught:
        request_.run(job, reuse=False)

    assert caught.value.done == 3
    assert [error.exit_status for error in caught.value.failures.values()] == [3]  # type: ignore[attr-defined]
    assert len(request_.query(job.experiment, "copies")) == 3


def a_pipeline(first: str = "data") -> dict[str, Any]:
    def step(name: str, dataset: str, suffix: str) -> dict[str, Any]:
        return {
            "name": name,
            "tool": "copy_v1.0",
            "inputs": [{"name": "i", "dataset": dataset, "query": "", "origin_output_name": ""}],
            "parameters": [{"name": "suffix", "value": suffix}],
            "outputs": [{"name": "o", "save": True}],
            "output_dataset_name": name,
        }

    return {"name": "twice", "steps": [step("one", first, "-1"), step("two", "one", "-2")]}


def test_a_pipeline_is_read_and_run(request_: Request, job: Job, tmp_path: Path) -> None:
    assert job.experiment is not None
    (tmp_path / "pipeline.json").write_text(json.dumps(a_pipeline()))

    runs = request_.run_pipeline(job.experiment, request_.get_pipeline(str(tmp_path / "pipeline.json")))

    results = request_.query(job.experiment, "two")
    assert sorted(Path(data.uri).read_text() for data in results) == [
        f"{name}-1-2" for name in ("p1_a_3.tif", "p1_b_12.tif", "p2_a_7.tif")
    ]
    assert len(runs) == 2
    assert {origin.name for data in results if (origin := request_.get_origin(data))} == {  # type: ignore[arg-type]
        "p1_a_3.tif",
        "p1_b_12.tif",
        "p2_a_7.tif",
    }


def test_a_pipeline_that_reads_what_nobody_makes_is_refused(request_: Request, job: Job, tmp_path: Path) -> None:
    assert job.experiment is not None
    (tmp_path / "pipeline.json").write_text(json.dumps(a_pipeline("nothing")))

    with pytest.raises(BioImageITError, match="nothing"):
        request_.run_pipeline(job.experiment, request_.get_pipeline(str(tmp_path / "pipeline.json")))

    assert not request_.is_dataset(job.experiment, "one")


class OldRunner:
    """A runner in the wild: it inherits from nothing and knows no job_id."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def set_up(self, tool: Tool) -> None:
        self.calls.append("up")

    def exec(self, tool: Tool, args: list[str]) -> None:
        import subprocess

        self.calls.append("exec")
        subprocess.run(args, check=True)

    def tear_down(self, tool: Tool) -> None:
        self.calls.append("down")


def test_an_older_runner_runs_jobs(configure: Any, tools: dict[str, Any], images: Path) -> None:
    runner = OldRunner()
    runnerServices.register_builder("OLD", lambda **_: runner)
    try:
        request = Request(configure(process=tools, runner={"service": "OLD"}), log=False)
        experiment = request.create_experiment("e")
        request.import_dir(experiment, str(images), "tif$")
        job = Job(experiment, request.get_tool("copy_v1.0"))
        job.set_input("i", "data", "")
        job.set_output_dataset_name("copies")
        request.run(job)
    finally:
        runnerServices.unregister_builder("OLD")

    assert len(request.query(experiment, "copies")) == 3
    assert (runner.calls[0], runner.calls.count("exec"), runner.calls[-1]) == ("up", 3, "down")


def test_a_minimal_data_service_keeps_the_results_of_a_job(
    configure: Any, tools: dict[str, Any], images: Path, minimal: Any
) -> None:
    request = Request(configure(process=tools, metadata={"service": "MINIMAL"}), log=False)
    experiment = request.create_experiment("e")
    request.import_dir(experiment, str(images), "tif$")
    job = Job(experiment, request.get_tool("copy_v1.0"))
    job.set_input("i", "data", "")
    job.set_output_dataset_name("copies")

    request.run(job)

    results = request.query(experiment, "copies")
    assert sorted(Path(data.uri).read_bytes() for data in results) == [b"p1_a_3.tif", b"p1_b_12.tif", b"p2_a_7.tif"]
    assert request.get_origin(results[0]) is not None


def test_a_tool_is_executed_by_its_full_name_too(request_: Request, images: Path, tmp_path: Path) -> None:
    written = request_.exec("copy_v1.0", i=str(images / "p1_a_3.tif"), o=str(tmp_path / "o.tif"))

    assert written == {"o": [str(tmp_path / "o.tif")]}
    with pytest.raises(ToolNotFoundError, match="no tool 'nothing'"):
        request_.exec("nothing")


def test_other_releases_than_those_required_are_taken_by_uv_alone(request_: Request, tools: dict[str, Any]) -> None:
    with pytest.raises(ToolsServiceError, match="runner UV alone"):
        request_.test_tools(tools["xml_dirs"], near_versions=True)

    assert request_.test_tools(tools["xml_dirs"], environment="uv", near_versions=True).is_ok


LISTS = """<tool id="lists" name="Lists what it wrote" version="1.0" profile="21.05">
    <command><![CDATA[
        echo m > '$main' && echo a,b > two.csv && cp '$said' galaxy.json
    ]]></command>
    <configfiles><configfile name="said">{"main": {"name": "Renamed", "ext": "csv"},
        "many": {"elements": [{"name": "second", "filename": "two.csv", "ext": "csv"}]}}</configfile></configfiles>
    <inputs><param name="i" type="data" format="tiff"/></inputs>
    <outputs>
        <data name="main" format="txt"/>
        <collection name="many" type="list"><discover_datasets from_provided_metadata="true"/></collection>
    </outputs>
</tool>"""


def test_what_a_tool_says_itself_of_its_outputs_is_recorded(
    request_: Request, images: Path, tools: dict[str, Any]
) -> None:
    wrapper = Path(tools["xml_dirs"][0], "lists.xml")
    wrapper.write_text(LISTS)
    experiment = request_.create_experiment("lists")
    request_.import_data(experiment, str(images / "p1_a_3.tif"), "a", "ada", "imagetiff")
    job = Job(experiment, request_.get_tool_from_uri(str(wrapper)))
    job.set_input("i", "data", "")
    job.set_output_dataset_name("out")

    request_.run(job)

    found = {(data.output["name"], data.output["label"], data.format) for data in request_.query(experiment, "out")}
    assert found == {("main", "Renamed", "tablecsv"), ("many", "second", "tablecsv")}
