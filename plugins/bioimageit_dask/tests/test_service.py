"""What a runner on Dask does beyond the contract of all runners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins import registry
from bioimageit_core.plugins.runners_factory import runnerServices

TOOL = Tool("kit", "kit", "1.0")
APPEND = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getppid()}\\n'); time.sleep(float(sys.argv[2]))"


def appending(folder: Path, number: int, seconds: float) -> Command:
    return Command([sys.executable, "-c", APPEND, str(folder / f"{number}.txt"), str(seconds)], str(folder))


def await_all(service: Any, tickets: list[str], seconds: float = 90.0) -> list[Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = service.status(tickets)
        if all(status.state.is_final for status in found.values()):
            return [found[ticket].finished for ticket in tickets]
        time.sleep(0.05)
    pytest.fail(f"not ended after {seconds} s: {found}")


def test_the_plugin_is_found_by_its_name() -> None:
    report = registry.check_plugin("DASK", "runner")

    assert report.is_ok
    assert type(runnerServices.get("DASK", workers=1)).__name__ == "DaskRunnerService"


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(
    cluster: Any, make_service: Any, tmp_path: Path, until: Any
) -> None:
    service = make_service(address=cluster.address)
    commands = [appending(tmp_path, number, 1.0 if number < 2 else 0.1) for number in range(10)]
    service.set_up(TOOL)
    tickets = service.submit(TOOL, commands)
    until(lambda: (tmp_path / "0.txt").exists() and (tmp_path / "0.txt").read_text(), "the first command to begin")
    cluster.kill(int((tmp_path / "0.txt").read_text().split()[0]))
    ended = await_all(service, tickets)
    cluster.add_worker()

    assert [(finished.exit_status, finished.state) for finished in ended] == [(0, CommandState.ENDED)] * 10
    begun = {number: len((tmp_path / f"{number}.txt").read_text().split()) for number in range(10)}
    assert begun.pop(0) == 2
    assert set(begun.values()) <= {1, 2}  # what was finished but not fetched may have been in the dead worker
    assert sum(begun.values()) <= 10


def test_what_a_killed_worker_had_started_is_ended(cluster: Any, make_service: Any, tmp_path: Path, until: Any) -> None:
    service = make_service(address=cluster.address)
    script = "import os, pathlib, time; pathlib.Path(f'{os.getpid()}-{os.getppid()}').touch(); time.sleep(100)"
    service.set_up(TOOL)
    (ticket,) = service.submit(TOOL, [Command([sys.executable, "-c", script], str(tmp_path))])
    until(lambda: os.listdir(tmp_path), "the command to begin")
    (name,) = os.listdir(tmp_path)
    command, worker = map(int, name.split("-"))
    cluster.kill(worker)

    until(lambda: not Path(f"/proc/{command}").exists(), "what the worker had started to end")
    until(lambda: len(os.listdir(tmp_path)) == 2, "the command to begin again")
    service.cancel([ticket])
    (finished,) = await_all(service, [ticket])
    cluster.add_worker()
    assert finished.state is CommandState.CANCELLED


def test_bundles_tell_of_each_command(make_service: Any, tmp_path: Path) -> None:
    service = make_service(workers=2, bundle=4)
    commands = [Command([sys.executable, "-c", f"print({n}); exit({n})"], str(tmp_path)) for n in range(10)]
    service.set_up(TOOL)
    ended = await_all(service, service.submit(TOOL, commands))

    assert [finished.exit_status for finished in ended] == list(range(10))
    assert [finished.stdout for finished in ended] == [f"{n}\n" for n in range(10)]
    assert all(finished.host and finished.seconds > 0 for finished in ended)


def test_cancelling_ends_what_runs_and_keeps_the_rest_from_starting(
    make_service: Any, tmp_path: Path, until: Any
) -> None:
    service = make_service(workers=1, bundle=2)
    service.set_up(TOOL)
    tickets = service.submit(TOOL, [appending(tmp_path, number, 100) for number in range(6)])
    until((tmp_path / "0.txt").exists, "the first command to begin")
    service.cancel(tickets)
    ended = await_all(service, tickets)

    assert {finished.state for finished in ended} == {CommandState.CANCELLED}
    assert os.listdir(tmp_path) == ["0.txt"]


def test_one_of_a_bundle_is_cancelled_alone(make_service: Any, tmp_path: Path, until: Any) -> None:
    service = make_service(workers=1, bundle=3)
    service.set_up(TOOL)
    tickets = service.submit(TOOL, [appending(tmp_path, number, 0.5) for number in range(3)])
    until((tmp_path / "0.txt").exists, "the first command to begin")
    service.cancel(tickets[1:2])
    ended = await_all(service, tickets)

    assert [finished.state for finished in ended] == [
        CommandState.ENDED,
        CommandState.CANCELLED,
        CommandState.ENDED,
    ]


def test_another_process_is_told_of_what_a_dead_one_submitted(
    cluster: Any, make_service: Any, tmp_path: Path, until: Any
) -> None:
    script = tmp_path / "submit.py"
    script.write_text(
        "import json, os, signal, sys\n"
        "from bioimageit_core.containers import Tool\n"
        "from bioimageit_core.core.command import Command\n"
        "from bioimageit_dask.service import DaskRunnerService\n"
        f"service = DaskRunnerService(address={cluster.address!r})\n"
        "tool = Tool('kit', 'kit', '1.0')\n"
        "service.set_up(tool)\n"
        "code = 'import time; time.sleep(1); print(5); exit(5)'\n"
        f"tickets = service.submit(tool, [Command([sys.executable, '-c', code], {str(tmp_path)!r})] * 3)\n"
        "print(json.dumps(tickets), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert dead.returncode == -9, dead.stderr
    tickets = json.loads(dead.stdout)

    service = make_service(address=cluster.address)
    ended = await_all(service, tickets)

    assert [finished.exit_status for finished in ended] == [5, 5, 5]
    assert service.logs(tickets[0])[0] == "5\n"
    other = make_service(address=cluster.address)
    assert other.status(tickets)[tickets[0]].state is CommandState.LOST
    assert not set(other._connected().list_datasets()) & {ticket.rpartition(":")[0] for ticket in tickets}


def test_a_path_that_the_worker_does_not_see_is_an_error_that_names_it(make_service: Any, tmp_path: Path) -> None:
    service = make_service(workers=1)
    service.set_up(TOOL)
    command = Command([sys.executable, "-V"], str(tmp_path), reads=(str(tmp_path / "elsewhere.tif"),))
    (finished,) = await_all(service, service.submit(TOOL, [command]))

    assert finished.exit_status is None
    assert "elsewhere.tif" in finished.reason
    assert "shared_dir" in finished.reason


def test_a_shared_directory_that_a_worker_does_not_see_is_an_error(
    cluster: Any, make_service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bioimageit_dask import cluster as module

    service = make_service(address=cluster.address, shared_dir=str(tmp_path / "shared"))
    monkeypatch.setattr(module, "sees", os.path.isdir)  # false for the file that is the sign
    with pytest.raises(RunnerExecError, match=r"not the same directory .* tcp://127\.0\.0\.1"):
        service.set_up(TOOL)
    assert os.listdir(tmp_path / "shared") == []


def test_a_scheduler_that_is_not_there_is_an_error_that_says_what_to_do(make_service: Any) -> None:
    service = make_service(address="tcp://127.0.0.1:9", timeout=0.5)

    with pytest.raises(RunnerExecError, match=r"tcp://127\.0\.0\.1:9.*dask scheduler"):
        service.set_up(TOOL)


@pytest.mark.parametrize(
    "options", [{"workers": -1}, {"workers": "2"}, {"bundle": 0}, {"inner": 3}, {"inner": {"offline": True}}], ids=str
)
def test_a_wrong_option_is_an_error_that_names_it(make_service: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"runner.{next(iter(options))}"):
        make_service(**options)


@pytest.mark.parametrize("ticket", ["", "bioimageit-0:0", "x:y", "bioimageit-0:99999999999", ":"])
def test_a_ticket_of_nobody_is_lost(cluster: Any, make_service: Any, ticket: str) -> None:
    service = make_service(address=cluster.address)

    assert service.status([ticket])[ticket].state is CommandState.LOST
    service.cancel([ticket])
    assert service.logs(ticket) == ("", 0)
