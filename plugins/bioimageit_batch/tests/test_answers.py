"""What schedulers answer, read without them; configurations and tickets that are wrong."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.core.command import Command, CommandState, Finished
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins import registry
from bioimageit_core.plugins.far_end import command_from, finished_from, to_plain

from bioimageit_batch.schedulers import parse_lsf, parse_pbs, parse_slurm


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("PD", CommandState.QUEUED),
        ("CF", CommandState.QUEUED),
        ("RQ", CommandState.QUEUED),
        ("R", CommandState.RUNNING),
        ("CG", CommandState.RUNNING),
        ("S", CommandState.RUNNING),
        ("CD", CommandState.ENDED),
        ("F", CommandState.ENDED),
        ("CA", CommandState.CANCELLED),
        ("TO", CommandState.TIMED_OUT),
        ("OOM", CommandState.OUT_OF_MEMORY),
        ("NF", CommandState.LOST),
    ],
)
def test_states_of_slurm(code: str, state: CommandState) -> None:
    text = f"JOBID               ST                  REASON              \n12                  {code:20}None\n"

    assert {native_id: fate.state for native_id, fate in parse_slurm(text).items()} == {"12": state}


@pytest.mark.parametrize(
    ("job", "state"),
    [
        ({"job_state": "Q"}, CommandState.QUEUED),
        ({"job_state": "H"}, CommandState.QUEUED),
        ({"job_state": "R"}, CommandState.RUNNING),
        ({"job_state": "F", "Exit_status": 0}, CommandState.ENDED),
        ({"job_state": "F", "Exit_status": 1}, CommandState.ENDED),
        ({"job_state": "F", "Exit_status": 271}, CommandState.CANCELLED),
        ({"job_state": "F"}, CommandState.CANCELLED),
        ({"job_state": "F", "Exit_status": -29}, CommandState.TIMED_OUT),
        ({"job_state": "F", "Exit_status": 271, "comment": "exceeded resource walltime"}, CommandState.TIMED_OUT),
        ({"job_state": "F", "Exit_status": -27}, CommandState.OUT_OF_MEMORY),
        ({"job_state": "F", "Exit_status": -4}, CommandState.LOST),
    ],
)
def test_states_of_pbs(job: dict[str, Any], state: CommandState) -> None:
    assert parse_pbs(json.dumps({"Jobs": {"3.host": job}}))["3.host"].state is state


@pytest.mark.parametrize(
    ("stat", "reason", "state"),
    [
        ("PEND", "", CommandState.QUEUED),
        ("RUN", "", CommandState.RUNNING),
        ("USUSP", "", CommandState.RUNNING),
        ("DONE", "", CommandState.ENDED),
        ("EXIT", "", CommandState.ENDED),
        ("EXIT", "TERM_RUNLIMIT: job killed after reaching LSF run time limit", CommandState.TIMED_OUT),
        ("EXIT", "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit", CommandState.OUT_OF_MEMORY),
        ("EXIT", "TERM_OWNER: job killed by owner", CommandState.CANCELLED),
    ],
)
def test_states_of_lsf(stat: str, reason: str, state: CommandState) -> None:
    record = {"JOBID": "7", "STAT": stat, "EXIT_REASON": reason, "KILL_REASON": "", "SUSPEND_REASON": ""}

    assert parse_lsf(json.dumps({"RECORDS": [record, {"JOBID": "8", "ERROR": "not found"}]}))["7"].state is state


@pytest.mark.parametrize("text", ["", "[]", '{"Jobs": []}', '{"RECORDS": {}}', "{", "squeue: error"])
def test_answers_that_are_none_are_no_fates(text: str) -> None:
    assert parse_slurm(text) == {}
    for parse in (parse_pbs, parse_lsf):
        with contextlib.suppress(ValueError):
            assert parse(text) == {}


@pytest.mark.parametrize(
    "options",
    [
        {"scheduler": "sge"},
        {"bundle": 0},
        {"parallel": "2"},
        {"walltime": "soon"},
        {"walltime": 0},
        {"queue": 'main"\n#SBATCH --wrap="x'},
        {"account": "$(id)"},
        {"options": {"qos": "a b"}},
        {"inner": 5},
        {"shared_dir": "/scratch/$(id)"},
        {"shared_dir": "/scratch/my files"},
    ],
    ids=str,
)
def test_a_wrong_option_is_an_error_that_names_it(make_service: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"runner.{next(iter(options))}"):
        make_service(**options)


def test_a_shared_directory_is_needed(make_service: Any, tmp_path: Path) -> None:
    from bioimageit_core.containers import Tool

    with pytest.raises(ConfigError, match=r"runner\.shared_dir"):
        make_service(shared_dir="").submit(Tool("kit", "kit", "1"), [Command(["true"], str(tmp_path))])


@pytest.mark.parametrize("where", ["{}", "{}/.bioimageit-batch/../elsewhere", "/etc", "", "{}/.bioimageit-batch/none"])
def test_a_ticket_that_names_no_bundle_of_the_shared_directory_is_lost(
    make_service: Any, tmp_path: Path, where: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "bundle.json").write_text('{"commands": [{}]}')
    service = make_service()
    ticket = json.dumps(["slurm", where.format(tmp_path), 0])

    assert service.status([ticket])[ticket].state is CommandState.LOST
    service.cancel([ticket])
    assert os.listdir(tmp_path / "elsewhere") == ["bundle.json"]


@pytest.mark.parametrize(
    "ticket", ["", "7", "[]", "{}", '["slurm"]', '["slurm", 1, 2]', '["slurm", "/x", "0"]', "null"]
)
def test_a_ticket_of_nobody_is_lost(make_service: Any, ticket: str) -> None:
    service = make_service()

    assert service.status([ticket])[ticket].state is CommandState.LOST
    service.cancel([ticket])
    assert service.logs(ticket) == ("", 0)


def test_the_plugin_is_found_by_its_name() -> None:
    assert registry.check_plugin("BATCH", "runner").is_ok


def test_commands_and_their_ends_travel_as_json() -> None:
    command = Command(["a", "µ\n"], "/tmp", {"A": "b"}, ("/x",), ("/y",), 2.5, 100, 2, True, "n")
    finished = Finished(-9, "o", "e", 1.5, CommandState.TIMED_OUT, "why", "host")

    travelled = command_from(json.loads(json.dumps(to_plain(command))) | {"new": 1})
    assert to_plain(travelled) == to_plain(command)
    assert finished_from(json.loads(json.dumps(to_plain(finished))) | {"new": 1}) == finished
    with pytest.raises(RunnerExecError):
        finished_from({"state": "dancing"})
    with pytest.raises(RunnerExecError):
        command_from({"cwd": "/tmp"})
