"""DOCKER and PODMAN: podman for real, with an image made here; DOCKER with podman and a recording program in its place.

No Docker engine is tried here: its command line is podman's for all that is used.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins.contracts import LocksEnvironment, RunnerService, RunsCommands, SharesDirectory
from bioimageit_core.plugins.runner_container import (
    DockerRunnerService,
    DockerRunnerServiceBuilder,
    PodmanRunnerService,
    PodmanRunnerServiceBuilder,
)

WRAPPER = """<tool id="shout" name="Shout" version="1.0" profile="22.05">
    <requirements><container type="docker">localhost/blur:1</container></requirements>
    <command><![CDATA[tr a-z A-Z < '$i' > '$o']]></command>
    <inputs><param name="i" type="data" format="txt"/></inputs>
    <outputs><data name="o" format="txt"/></outputs>
</tool>
"""
OLDER = """<tool id="shout" name="Shout" version="1.0" type="sequential">
    <requirements><container type="docker">localhost/blur:1</container></requirements>
    <command>sh ${__tool_directory__}/shout.sh ${i} ${o}</command>
    <inputs><param type="data" name="i" format="txt"/></inputs>
    <outputs><data name="o" format="txt"/></outputs>
</tool>
"""


def of_image(image: str, type_: str = "docker") -> Tool:
    return Tool(id="blur", version="1", requirements=[{"origin": "container", "type": type_, "name": image}])


BOTH = pytest.mark.parametrize("service", [PodmanRunnerService, DockerRunnerService])


@BOTH
def test_it_is_a_runner_that_runs_commands_and_locks(service: Any) -> None:
    for ability in (RunnerService, RunsCommands, LocksEnvironment, SharesDirectory):
        assert isinstance(service(), ability)


@pytest.mark.parametrize("builder", [DockerRunnerServiceBuilder(), PodmanRunnerServiceBuilder()])
def test_the_builder_gives_one_instance_and_takes_the_published_option(builder: Any, tmp_path: Path) -> None:
    service = builder(working_dir=str(tmp_path), some="more")

    assert service is builder()
    assert service.shared_dir == str(tmp_path)


@BOTH
def test_without_its_program_the_error_says_which_and_how_to_get_it(service: Any, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RunnerExecError, match=rf"program '{service.default_program}' is not on the path; install"):
        service().set_up(of_image("alpine"))

    assert service().environment_digest(of_image("alpine")) is None


def test_a_tool_without_an_image_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        RunnerExecError, match=r"'blur_v1' names no container image: .*UV or CONDA.*\"images\": {\"blur\""
    ):
        DockerRunnerService().set_up(Tool(id="blur", version="1"))


@pytest.mark.parametrize("image", ["--privileged", "alpine --privileged"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(RunnerExecError, match="cannot be a container image"):
        DockerRunnerService().set_up(of_image(image))


@pytest.mark.parametrize("options", [{"images": ["alpine"]}, {"images": {"blur": 3}}, {"image": "-v"}])
def test_options_that_name_no_image_are_configuration_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected the name of an image"):
        DockerRunnerService(**options)


# A program in the engine's place that records what it is asked for.

RECORDER = """#!/bin/sh
for part in "$@"; do printf '%s\\n' "$part"; done >> "{log}"
printf -- '--\\n' >> "{log}"
case "$1" in
  image) echo sha256:{digest};;
  run) {run};;
esac
"""


@pytest.fixture
def recorder(tmp_path: Path) -> Any:
    def make(run: str = "true") -> tuple[str, Any]:
        log = tmp_path / "log"
        program = tmp_path / "engine"
        program.write_text(RECORDER.format(log=log, digest="ab" * 32, run=run))
        program.chmod(0o755)

        def calls() -> list[list[str]]:
            return [call.splitlines() for call in log.read_text().split("--\n") if call]

        return str(program), calls

    return make


def test_a_container_gets_the_jobs_directories_the_callers_user_and_no_network(recorder, tmp_path) -> None:
    program, calls = recorder()
    for name in ("job", "in put", "out"):
        (tmp_path / name).mkdir()
    job, reads, writes = (str(tmp_path / name) for name in ("job", "in put", "out"))
    command = Command(["blur", "a b"], job, {"SIGMA": "2"}, (reads, f"{job}/gone"), (writes,), memory=1 << 26, cpus=2)

    DockerRunnerService(program=program, env={"LICENCE": "x"}).run_command(of_image("org/blur:2"), command)

    inspected, run = calls()
    assert inspected == ["image", "inspect", "--format", "{{.Id}}", "org/blur:2"]
    assert run[-4:] == ["--entrypoint", "blur", "ab" * 32, "a b"], "the image that is recorded is the one that runs"
    mounts = {run[index + 1] for index, part in enumerate(run) if part == "--mount"}
    assert mounts == {
        f"type=bind,source={job},target={job}",
        f"type=bind,source={reads},target={reads},readonly",
        f"type=bind,source={writes},target={writes}",
    }
    for option, value in {
        "--network": "none",
        "--user": f"{os.getuid()}:{os.getgid()}",
        "--workdir": job,
        "--security-opt": "no-new-privileges",
        "--cap-drop": "ALL",
        "--cpus": "2",
        "--memory": str(1 << 26),
        "--pull": "never",
    }.items():
        assert run[run.index(option) + 1] == value
    variables = [run[index + 1] for index, part in enumerate(run) if part == "--env"]
    assert variables == [f"HOME={job}", f"TMPDIR={job}", "LICENCE=x", "SIGMA=2"]


def test_network_and_limits_are_as_they_are_asked_for(recorder, tmp_path) -> None:
    program, calls = recorder()
    command = Command(["blur"], str(tmp_path), memory=1 << 26, network=True)

    DockerRunnerService(program=program, limits=False).run_command(of_image("blur"), command)

    assert not {"--network", "--memory", "--cpus"} & set(calls()[-1])


def test_the_configuration_may_name_the_images(recorder, tmp_path) -> None:
    program, calls = recorder()
    runner = DockerRunnerService(program=program, image="everybody:1", images={"blur": "mine:1", "a_v2": "a:2"})

    for tool in (of_image("wrappers:1"), Tool(id="a", version="2"), Tool(id="b", version="1")):
        runner.set_up(tool)

    assert [call[-1] for call in calls()] == ["mine:1", "a:2", "everybody:1"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'docker: Cannot connect to the Docker daemon' >&2; exit 125", "DOCKER could not start .*Docker daemon"),
        (
            "echo 'docker: OCI runtime create failed: no blur' >&2; exit 127",
            "'blur' cannot be executed in the tool's im",
        ),
    ],
)
def test_what_the_engine_cannot_do_is_no_failure_of_the_tool(script, message, recorder, tmp_path) -> None:
    program, _ = recorder(script)

    with pytest.raises(RunnerExecError, match=message):
        DockerRunnerService(program=program).run_command(of_image("blur"), Command(["blur"], str(tmp_path)))


def test_a_failure_of_the_tool_is_none_of_the_engine(recorder, tmp_path) -> None:
    program, _ = recorder("echo 'blur: no such axis' >&2; exit 125")

    finished = DockerRunnerService(program=program).run_command(of_image("blur"), Command(["blur"], str(tmp_path)))

    assert (finished.exit_status, finished.state) == (125, CommandState.ENDED)


def test_an_image_that_may_not_be_pulled_is_an_error_that_says_how(tmp_path) -> None:
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(RunnerExecError, match=r"is not here, .* \(docker pull blur:9\)"):
        DockerRunnerService(program=str(program), pull=False).set_up(of_image("blur:9"))


def test_a_client_that_does_not_listen_is_ended(recorder, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("bioimageit_core.plugins.runner_container._KILLED_WITHIN", 0.2)
    program, calls = recorder("sleep 60")

    finished = DockerRunnerService(program=program).run_command(
        of_image("blur"), Command(["blur"], str(tmp_path), timeout=0.3)
    )

    assert (finished.state, finished.seconds < 30) == (CommandState.TIMED_OUT, True)
    assert [call[0] for call in calls()] == ["image", "run", "kill", "rm"]


# Podman itself; and DOCKER, with podman in the place of its program.


@pytest.fixture(params=["PODMAN", "DOCKER"])
def runner(request: pytest.FixtureRequest, podman: Any) -> Any:
    return DockerRunnerService(program=podman.program) if request.param == "DOCKER" else PodmanRunnerService()


@pytest.fixture
def run(runner: Any, podman: Any, tmp_path: Path) -> Any:
    """Run a line of shell in a container, in a directory of its own."""

    def run(line: str, stop: threading.Event | None = None, **more: Any) -> Any:
        job = tmp_path / "job"
        job.mkdir(exist_ok=True)
        return runner.run_command(of_image(podman.image), Command(["sh", "-c", line], str(job), **more), 0, stop)

    return run


def containers(podman: Any) -> str:
    told = subprocess.run([podman.program, "ps", "--all", "--quiet"], capture_output=True, text=True, check=True)
    return told.stdout


@pytest.mark.podman
@pytest.mark.parametrize("wrapper", [WRAPPER, OLDER], ids=["galaxy", "older"])
def test_a_tool_runs_in_its_image_and_the_digest_is_recorded(wrapper, podman, run_tool, tmp_path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "shout.sh").write_text('tr a-z A-Z < "$1" > "$2"\n')

    _, done, results = run_tool(wrapper, {"service": "PODMAN"})

    assert results == ["ONE", "TWO"]
    show = [podman.program, "image", "inspect", "--format", "{{.Id}}", podman.image]
    digest = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
    assert digest in json.dumps(json.loads(Path(done.md_uri).read_text()))


@pytest.mark.podman
def test_exit_status_and_what_was_written_come_back(run) -> None:
    finished = run("echo blurring; echo 'no such axis' >&2; exit 3")

    assert (finished.exit_status, finished.stdout, finished.stderr) == (3, "blurring\n", "no such axis\n")


@pytest.mark.podman
def test_inputs_cannot_be_written_and_the_rest_is_not_there(run, tmp_path) -> None:
    for name in ("in, p:t", "out", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)

    finished = run(
        f"cat '{tmp_path}/in, p:t/f'; touch '{tmp_path}/in, p:t/g' 2>/dev/null || echo ' read-only'; "
        f"touch here '{tmp_path}/out/g'; ls '{tmp_path}'",
        reads=(str(tmp_path / "in, p:t"),),
        writes=(str(tmp_path / "out"),),
    )

    assert finished.stdout == "in, p:t read-only\nin, p:t\njob\nout\n"
    assert (tmp_path / "out" / "g").stat().st_uid == os.getuid()
    assert (tmp_path / "job" / "here").exists()


@pytest.mark.podman
def test_it_is_the_callers_user_without_privileges(run) -> None:
    finished = run("id -u; id -g; grep -E '^(NoNewPrivs|CapEff)' /proc/self/status | cut -f 2")

    user, group, capabilities, no_new = finished.stdout.split()
    assert (int(user), int(group), no_new) == (os.getuid(), os.getgid(), "1")
    assert int(capabilities, 16) & ~0b10 == 0, "none but to read and write files, for root"


@pytest.mark.podman
def test_there_is_no_network_unless_it_is_asked_for(run) -> None:
    def names(network: bool) -> set[str]:
        lines = run("cat /proc/net/dev", network=network).stdout.splitlines()
        return {line.partition(":")[0].strip() for line in lines if ":" in line}

    hosts = {line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines() if ":" in line}
    assert names(network=False) == {"lo"}
    assert names(network=True) == hosts


@pytest.mark.podman
def test_variables_of_the_host_stay_outside(run, monkeypatch) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_HOST", "secret")

    value = "a, b: $(id) `id` \"c\"\nSIGMA='2'"

    finished = run('printf %s "$VALUE"; env', env={"VALUE": value})

    assert finished.stdout.startswith(value)
    assert "secret" not in finished.stdout


@pytest.mark.podman
def test_time_out_ends_the_container(run, podman) -> None:
    finished = run("trap '' TERM; echo started; sleep 60", timeout=1.5)

    assert (finished.state, finished.reason) == (CommandState.TIMED_OUT, "took longer than 1.5 s")
    assert containers(podman) == ""


@pytest.mark.podman
def test_cancelling_ends_the_container(run, podman, tmp_path) -> None:
    stop = threading.Event()
    started = tmp_path / "job" / "started"

    def ask() -> None:
        deadline = time.monotonic() + 20
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()

    asking = threading.Thread(target=ask)
    asking.start()
    finished = run("trap '' TERM; touch started; sleep 60", stop)
    asking.join()

    assert finished.state is CommandState.CANCELLED
    assert containers(podman) == ""


@pytest.mark.podman
def test_what_takes_too_much_memory_is_ended(run, podman) -> None:
    finished = run("tail /dev/zero", memory=32 << 20)

    assert finished.state is CommandState.OUT_OF_MEMORY
    assert "32 MiB" in finished.reason
    assert containers(podman) == ""


@pytest.mark.podman
def test_a_program_that_the_image_lacks_is_told(runner, podman, tmp_path) -> None:
    with pytest.raises(RunnerExecError, match="program 'blur' cannot be executed in the tool's image"):
        runner.run_command(of_image(podman.image), Command(["blur"], str(tmp_path)))


@pytest.mark.podman
def test_an_image_that_nobody_has_is_told(runner) -> None:
    with pytest.raises(RunnerExecError, match="image 'oci:/nowhere/at/all' of tool 'blur_v1' cannot be had"):
        runner.set_up(of_image("oci:/nowhere/at/all"))

    assert runner.environment_digest(of_image("oci:/nowhere/at/all")) is None


@pytest.mark.podman
def test_the_published_three_methods_suffice(runner, podman, monkeypatch, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one")
    monkeypatch.chdir(tmp_path / "work")
    tool = of_image(podman.image)

    runner.set_up(tool, 1)
    runner.exec(tool, ["sh", "-c", 'cat "$0" > "$1"', f"{tmp_path}/in/a.txt", f"{tmp_path}/out/b.txt"], 1)
    with pytest.raises(RunnerExecError, match="'sh' failed with exit status 4"):
        runner.exec(tool, ["sh", "-c", "exit 4"], 1)
    runner.tear_down(tool, 1)

    assert (tmp_path / "out" / "b.txt").read_text() == "one"
