"""Items whose data a server keeps: workers fetch and store through it, and share no directory with anybody."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.api import Request
from bioimageit_core.containers import Job
from bioimageit_core.core.exceptions import JobFailedError
from bioimageit_core.jobs.record import read_record

WRAPPER = """\
<tool id="slow" name="Slow" version="1.0">
    <command><![CDATA[
        echo \\$PPID >> '$log' &&
        case '$input.name' in bad*) echo 'no such axis' >&2; exit 3;; esac &&
        sleep $seconds && tr a-z A-Z < '$input' > '$upper' && wc -c < '$input' > '$size'
    ]]></command>
    <inputs>
        <param name="input" type="data" format="data"/>
        <param name="log" type="text"><sanitizer><valid initial="string.printable"/></sanitizer></param>
        <param name="seconds" type="float" value="0"/>
    </inputs>
    <outputs><data name="upper" format="txt"/><data name="size" format="txt"/></outputs>
</tool>
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server that keeps the data in a LOCAL home of its own."""
    from bioimageit_core.web.app import create_app
    from bioimageit_core.web.serving import serving
    from bioimageit_core.web.settings import Settings

    place = tmp_path / "server"
    (place / "workspace").mkdir(parents=True)
    document = {"workspace": str(place / "workspace"), "log_dir": str(place / "log"), "metadata": {"service": "LOCAL"}}
    (place / "config.json").write_text(json.dumps(document))
    with (
        Request(str(place / "config.json"), debug=False) as served,
        serving(create_app(served, Settings(state_dir=str(place / "state"), token="kit-token"))) as url,
    ):
        yield url


@pytest.fixture
def config(url: str, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIT_TOKEN", "kit-token")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "slow.xml").write_text(WRAPPER)
    document = {
        "user": {"name": "ada"},
        "log_dir": str(tmp_path / "log"),
        "metadata": {"service": "HTTP", "url": url, "token": "${ENV:KIT_TOKEN}"},
        "process": {"service": "LOCAL", "xml_dirs": [str(tmp_path / "tools")]},
        "runner": {"service": "DASK", "address": cluster.address},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def request_(config: Path) -> Iterator[Request]:
    request = Request(str(config), debug=False)
    yield request
    request.runner_service.close()
    request.close()


def texts(request: Request, tmp_path: Path, *names: str) -> Any:
    experiment = request.create_experiment("cells", "ada")
    for name in names:
        (tmp_path / f"{name}.txt").write_text(name)
        request.import_data(experiment, str(tmp_path / f"{name}.txt"), format_="raw")
    return experiment


def slow(request: Request, experiment: Any, log: Path, seconds: float = 0) -> Job:
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(request.get_tool("slow_v1.0"))
    job.set_input("input", "data", "")
    job.set_param("log", str(log))
    job.set_param("seconds", seconds)
    job.set_output_dataset_name("upper")
    return job


def contents(request: Request, experiment: Any, tmp_path: Path) -> dict[str, str]:
    found = {}
    for data in request.query(request.get_experiment(experiment.md_uri), "upper"):
        found[data.name] = Path(request.download_data(data, str(tmp_path / f"got-{data.name}"))).read_text().strip()
    return found


def test_workers_fetch_inputs_and_store_results_through_the_home(
    request_: Request, cluster: Any, tmp_path: Path
) -> None:
    experiment = texts(request_, tmp_path, "a", "bb", "bad", "ccc")
    job = slow(request_, experiment, tmp_path / "log.txt")
    with pytest.raises(JobFailedError) as caught:
        request_.run(job)

    record = read_record(caught.value.run)
    assert {item.name: item.state for item in record.items} == {
        "a.txt": "done",
        "bb.txt": "done",
        "bad.txt": "failed",
        "ccc.txt": "done",
    }
    assert "no such axis" in str(caught.value)
    (bad,) = [item for item in record.items if item.state == "failed"]
    assert (bad.exit_status, bad.stderr) == (3, "no such axis\n")
    assert all(item.argv and item.host and item.inputs[0].sha256 for item in record.items)
    assert all(len(item.outputs) == 2 and item.outputs[0].sha256 for item in record.items if item is not bad)
    assert contents(request_, experiment, tmp_path) == {
        "upper_a": "A",
        "upper_bb": "BB",
        "upper_ccc": "CCC",
        "size_a": "1",
        "size_bb": "2",
        "size_ccc": "3",
    }
    stored = request_.query(request_.get_experiment(experiment.md_uri), "upper")
    assert {data.run.md_uri for data in stored} == {caught.value.run.md_uri}
    assert {request_.get_parent(data).name for data in stored} == {"a.txt", "bb.txt", "ccc.txt"}
    assert [path for path in (cluster.folder / "scratch").glob("bioimageit-*/**/*") if path.is_file()] == []


def test_items_of_a_worker_that_is_killed_are_done_by_another_and_stored_once(
    request_: Request, cluster: Any, tmp_path: Path, until: Any
) -> None:
    experiment = texts(request_, tmp_path, "a", "b", "c", "d")
    log = tmp_path / "log.txt"
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_remote_home as t\n"
    code += f"t.run_there({str(tmp_path / 'config.json')!r}, {experiment.md_uri!r}, {str(log)!r}, 1.5)"
    running = subprocess.Popen([sys.executable, "-c", code])
    try:
        until(lambda: log.exists() and log.read_text(), "the first item to begin")
        cluster.kill(_worker_of(int(log.read_text().split()[0]), cluster))
        assert running.wait(90) == 0
    finally:
        running.kill()
        running.wait()
        cluster.add_worker()

    assert contents(request_, experiment, tmp_path) == {
        **{f"upper_{name}": name.upper() for name in "abcd"},
        **{f"size_{name}": "1" for name in "abcd"},
    }


def test_a_job_whose_process_was_killed_is_picked_up_with_what_workers_stored_meanwhile(
    request_: Request, tmp_path: Path, until: Any
) -> None:
    experiment = texts(request_, tmp_path, "a", "b", "c")
    log = tmp_path / "log.txt"
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_remote_home as t\n"
    code += f"t.run_there({str(tmp_path / 'config.json')!r}, {experiment.md_uri!r}, {str(log)!r}, 2)"
    submitter = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: log.exists() and log.read_text(), "the first item to begin")
    submitter.send_signal(signal.SIGKILL)
    submitter.wait()
    run = request_.run(slow(request_, request_.get_experiment(experiment.md_uri), log, 2))

    assert set(read_record(run).counts()) <= {"done", "skipped"}
    assert len(contents(request_, experiment, tmp_path)) == 6
    assert len(log.read_text().split()) == 3  # nothing was done twice


def run_there(config: str, experiment: str, log: str, seconds: float) -> None:
    """Run the job in a process of its own."""
    request = Request(config, debug=False)
    request.run(slow(request, request.get_experiment(experiment), Path(log), seconds))


def _worker_of(pid: int, cluster: Any) -> int:
    """Find the worker among the ancestors of a process."""
    workers = {worker.pid for worker in cluster.workers}
    while pid not in workers:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid
