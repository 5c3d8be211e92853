"""The SINGULARITY runner with a stand-in for its program, which records its arguments and uses no container.

What a real apptainer makes of the options is not tried here.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.contracts import LocksEnvironment, RunnerService, RunsCommands
from bioimageit_core.plugins.runner_singularity import SingularityRunnerService, SingularityRunnerServiceBuilder

STAND_IN = """#!{python}
import json, os, sys
with open(__file__ + ".log", "a") as log:
    log.write(json.dumps([sys.argv[1:], sorted(n for n in os.environ if n.startswith("APPTAINER"))]) + "\\n")
args = [arg for arg in sys.argv[1:] if arg != "--silent"]
if args[0] == "pull":
    if "nowhere" in args[2]:
        sys.exit("FATAL: while pulling: requested access to the resource is denied")
    open(args[1], "w").write("image of " + args[2])
    sys.exit(0)
assert args.pop(0) == "exec"
flags = ("--containall", "--no-privs", "--net", "--no-home")
while args[0].startswith("--"):
    option = args.pop(0)
    value = "" if option in flags else args.pop(0)
    if option == "--env":
        os.environ.__setitem__(*value.split("=", 1))
    if option == "--pwd":
        os.chdir(value)
if args[1] == "no-such-program":
    print("FATAL:   no-such-program: executable file not found in $PATH", file=sys.stderr)
    sys.exit(255)
os.execvp(args[1], args[1:])
"""
WRAPPER = """<tool id="shout" name="Shout" version="1.0" profile="22.05">
    <requirements><container type="docker">org/blur:1</container></requirements>
    <command><![CDATA[tr a-z A-Z < '$i' > '$o']]></command>
    <inputs><param name="i" type="data" format="txt"/></inputs>
    <outputs><data name="o" format="txt"/></outputs>
</tool>
"""


@pytest.fixture
def apptainer(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "apptainer"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    return program


@pytest.fixture
def runner(apptainer: Path, tmp_path: Path) -> SingularityRunnerService:
    return SingularityRunnerService(str(tmp_path / "envs"), program=str(apptainer))


def calls(apptainer: Path) -> list[Any]:
    return [json.loads(line) for line in Path(f"{apptainer}.log").read_text().splitlines()]


def of_image(image: str, type_: str = "docker") -> Tool:
    return Tool(id="blur", version="1", requirements=[{"origin": "container", "type": type_, "name": image}])


def test_it_is_a_runner_that_runs_commands_and_locks() -> None:
    for ability in (RunnerService, RunsCommands, LocksEnvironment):
        assert isinstance(SingularityRunnerService(), ability)


def test_the_builder_gives_one_instance_and_ignores_what_it_does_not_know() -> None:
    builder = SingularityRunnerServiceBuilder()

    assert builder(conda_dir="/opt") is builder()


def test_without_its_program_the_error_says_which_and_how_to_get_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RunnerExecError, match="no apptainer or singularity is on the path; install Apptainer"):
        SingularityRunnerService().set_up(of_image("alpine"))


def test_a_tool_runs_in_its_image_and_the_digest_of_its_file_is_recorded(apptainer, run_tool, tmp_path) -> None:
    options = {"env_dir": str(tmp_path / "envs"), "program": str(apptainer)}

    _, run, results = run_tool(WRAPPER, {"service": "SINGULARITY", **options})

    assert results == ["ONE", "TWO"]
    assert hashlib.sha256(b"image of docker://org/blur:1").hexdigest() in Path(run.md_uri).read_text()
    assert [call[0][0] for call in calls(apptainer)].count("pull") == 1


def test_a_container_gets_the_jobs_directories_and_no_network(runner, apptainer, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("APPTAINERENV_SECRET", "x")
    monkeypatch.setenv("APPTAINER_BIND", "/home")
    monkeypatch.setenv("APPTAINER_CACHEDIR", "/cache")
    for name in ("job", "in, put", "out", "x.sif"):
        (tmp_path / name).mkdir()
    job, reads, writes, image = (str(tmp_path / name) for name in ("job", "in, put", "out", "x.sif"))
    command = Command(["pwd"], job, {"SIGMA": "2"}, (reads,), (writes,))

    finished = runner.run_command(of_image(image, "singularity"), command)

    assert finished.stdout == f"{job}\n"
    argv, variables = calls(apptainer)[-1]
    assert argv[-2:] == [image, "pwd"]
    assert {"--containall", "--no-privs"} <= set(argv)
    assert argv[argv.index("--net") : argv.index("--net") + 3] == ["--net", "--network", "none"]
    mounts = {argv[index + 1] for index, part in enumerate(argv) if part == "--mount"}
    assert mounts == {
        f"type=bind,source={job},target={job}",
        f'type=bind,"source={reads}","target={reads}",ro',
        f"type=bind,source={writes},target={writes}",
    }
    assert "SIGMA=2" in argv
    assert variables == ["APPTAINER_CACHEDIR"], "what reaches into containers from outside does not"


@pytest.mark.parametrize("value", ["a,B=c", "$(id)", "`id`", 'a "b"', "a\nb", "\\n"])
def test_a_value_that_a_shell_would_change_is_no_option(value: str, runner, apptainer, tmp_path) -> None:
    command = Command(["sh", "-c", 'printf %s "$X"'], str(tmp_path), {"X": value})

    finished = runner.run_command(of_image("blur"), command)

    argv = calls(apptainer)[-1][0]
    assert finished.stdout == value
    assert "--env" not in argv
    assert argv[argv.index("env") : argv.index("sh")] == ["env", f"HOME={tmp_path}", f"TMPDIR={tmp_path}", f"X={value}"]


def test_a_directory_with_a_colon_is_no_option(runner, apptainer, tmp_path) -> None:
    (tmp_path / "a:b").mkdir()

    finished = runner.run_command(of_image("blur"), Command(["sh", "-c", 'echo "$HOME"'], f"{tmp_path}/a:b"))

    assert finished.stdout == f"{tmp_path}/a:b\n"
    assert "--home" not in calls(apptainer)[-1][0]


def test_network_is_there_where_it_is_asked_for(runner, apptainer, tmp_path) -> None:
    runner.run_command(of_image("blur"), Command(["true"], str(tmp_path), network=True))

    assert "--net" not in calls(apptainer)[-1][0]


def test_an_image_for_singularity_goes_before_one_for_docker(runner, tmp_path) -> None:
    (tmp_path / "mine.sif").write_text("mine")
    tool = of_image("org/blur:1")
    tool.requirements.append({"origin": "container", "type": "singularity", "name": str(tmp_path / "mine.sif")})

    assert runner.environment_digest(tool) == hashlib.sha256(b"mine").hexdigest()


def test_a_file_that_is_not_there_is_told(runner) -> None:
    with pytest.raises(RunnerExecError, match=r"image '/nowhere\.sif' of tool 'blur_v1' does not exist"):
        runner.set_up(of_image("/nowhere.sif", "singularity"))


def test_an_image_that_nobody_has_is_told_and_leaves_nothing(runner, tmp_path) -> None:
    with pytest.raises(RunnerExecError, match=r"image 'nowhere/at:all' of tool 'blur_v1' cannot be had .* denied"):
        runner.set_up(of_image("nowhere/at:all"))

    assert not list((tmp_path / "envs" / "images").glob("*.sif"))


def test_exit_status_time_out_and_cancelling_are_told_apart(runner, tmp_path) -> None:
    tool, stop = of_image("blur"), threading.Event()
    stop.set()

    failed = runner.run_command(tool, Command(["sh", "-c", "exit 3"], str(tmp_path)))
    late = runner.run_command(tool, Command(["sleep", "60"], str(tmp_path), timeout=0.5))
    cancelled = runner.run_command(tool, Command(["sleep", "60"], str(tmp_path)), 0, stop)

    assert (failed.exit_status, failed.state) == (3, CommandState.ENDED)
    assert late.state is CommandState.TIMED_OUT
    assert cancelled.state is CommandState.CANCELLED


def test_a_program_that_the_image_lacks_is_told(runner, tmp_path) -> None:
    with pytest.raises(RunnerExecError, match="could not start 'no-such-program' in a container: FATAL"):
        runner.run_command(of_image("blur"), Command(["no-such-program"], str(tmp_path)))


def test_exec_sees_the_paths_among_its_arguments(runner, apptainer, monkeypatch, tmp_path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "a.txt").write_text("one")
    monkeypatch.chdir(tmp_path / "work")

    runner.exec(of_image("blur"), ["cp", f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"])
    with pytest.raises(RunnerExecError, match="'false' failed with exit status 1"):
        runner.exec(of_image("blur"), ["false"])

    argv = next(call[0] for call in calls(apptainer) if "cp" in call[0])
    mounts = [argv[index + 1] for index, part in enumerate(argv) if part == "--mount"]
    assert mounts == [
        f"type=bind,source={tmp_path},target={tmp_path}",
        f"type=bind,source={tmp_path}/a.txt,target={tmp_path}/a.txt,ro",
        f"type=bind,source={os.getcwd()},target={os.getcwd()}",
    ]
