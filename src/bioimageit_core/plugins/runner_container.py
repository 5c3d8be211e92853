"""The DOCKER and PODMAN runners: each command in a container of its own, which sees the job's directories alone."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any, ClassVar

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, Finished, failure_of
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.container_command import Images, command_of_paths, mounts_of, variables_of
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.process import end_strays, run_process
from bioimageit_core.plugins.submitted import SubmitsHere

__all__ = [
    "ContainerRunnerService",
    "DockerRunnerService",
    "DockerRunnerServiceBuilder",
    "PodmanRunnerService",
    "PodmanRunnerServiceBuilder",
    "plugin_info",
]

plugin_info = {"name": "DOCKER", "type": "runner", "builder": "DockerRunnerServiceBuilder"}

_PULL_SECONDS = 7200.0
_SECONDS = 60.0  # for what the engine does at once
_KILLED_WITHIN = 10.0  # how long a container may take to end
_TICK = 0.1


class ContainerRunnerService(SubmitsHere, RunnerService):
    """Executes commands in containers.

    A container sees the directories of its job, inputs read-only, at the paths that they have here; it runs as the
    caller's user, without privileges, and without network unless the command asks for one.

    Parameters
    ----------
    working_dir
        Where the directories of jobs are made, for engines that see only some; empty for the system's place.
    image, images
        See `Images`.
    pull
        Whether an image that is not here is pulled.
    limits
        Whether the engine enforces limits of memory and processors; not all machines let it.
    program
        The engine's program, where it is not on the path under its name.
    env
        Environment variables that every command gets.
    """

    name: ClassVar[str] = ""
    default_program: ClassVar[str] = ""
    get_it: ClassVar[str] = ""

    def __init__(
        self,
        working_dir: str = "",
        image: str = "",
        images: Mapping[str, str] | None = None,
        pull: bool = True,
        limits: bool = True,
        program: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._working_dir = working_dir
        self._images = Images(self.name, image, images)
        self._pull = pull
        self._limits = limits
        self._program = program
        self._env = dict(env or {})
        self._token = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}
        self._jobs = 0

    @property
    def shared_dir(self) -> str:
        """Where the directories of jobs are to be made; empty for anywhere."""
        return os.path.abspath(os.path.expanduser(self._working_dir)) if self._working_dir else ""

    def environment_digest(self, tool: Tool) -> str | None:
        """Give the digest of the tool's image, as the engine has it; None where the image is not here."""
        try:
            return self._id_of(self._images.of(tool)) or None
        except RunnerExecError:  # said when the tool is to run
            return None

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        """Get the tool's image, if it is not here; the whole job uses that very image."""
        with self._lock:
            self._jobs += 1
            self._ids.pop(self._images.find(tool)[0], None)
        self._image_id(tool)

    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> None:
        """Execute an argv in the current directory, to its end; see `container_command.command_of_paths`.

        Raises
        ------
        RunnerExecError
            It could not be started, or its exit status is not 0.
        """
        command = command_of_paths(args)
        finished = self.run_command(tool, command, job_id)
        if finished.exit_status != 0:
            raise failure_of(command, finished)

    def run_command(self, tool: Tool, command: Command, job_id: int = 0, stop: Event | None = None) -> Finished:
        """Execute a command in a container and say what became of it; see `contracts.RunsCommands`."""
        if stop is not None and stop.is_set():
            return Finished(None, state=CommandState.CANCELLED, reason="cancelled before it started")
        if not command.argv:
            raise RunnerExecError("there is no command to execute")
        name = f"bioimageit-{self._token[:12]}-{next(self._numbers)}"
        argv = [self._find_program(), *self._options(command, name), self._image_id(tool), *command.argv[1:]]
        client = Command(argv, command.cwd)
        has_ended = False
        try:
            with _Limit(self, name, command.timeout, stop) as limit:
                finished = run_process(client, stop=limit.client_stop, token=f"{self._token}-{name}-", hint=self.get_it)
            has_ended = limit.state is CommandState.ENDED
        finally:
            if not has_ended:
                self._engine(["rm", "--force", name])
        return self._outcome(command, finished, limit)

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """End a job; its containers have ended with their commands."""
        with self._lock:
            self._jobs = max(0, self._jobs - 1)
            is_last = self._jobs == 0
        if is_last:
            end_strays(self._token)

    def _options(self, command: Command, name: str) -> list[str]:
        options = ["run", "--rm", "--name", name, "--pull", "never", "--workdir", command.cwd]
        options += [*self._user(), "--security-opt", "no-new-privileges", *self._privileges()]
        options += [] if command.network else ["--network", "none"]
        for mount in mounts_of(command):
            options += ["--mount", mount.option("readonly")]
        for variable, value in variables_of(command, self._env).items():
            options += ["--env", f"{variable}={value}"]
        if self._limits:
            options += ["--cpus", str(max(1, command.cpus))]
            if command.memory is not None:
                options += ["--memory", str(command.memory), "--memory-swap", str(command.memory)]
        return [*options, "--entrypoint", command.argv[0]]

    def _user(self) -> list[str]:
        return ["--user", f"{os.getuid()}:{os.getgid()}"]

    def _privileges(self) -> list[str]:
        # root reads and writes everybody's files here too
        return ["--cap-drop", "ALL", *(["--cap-add", "DAC_OVERRIDE"] if os.getuid() == 0 else [])]

    def _outcome(self, command: Command, finished: Finished, limit: _Limit) -> Finished:
        if limit.state is not CommandState.ENDED:
            return replace(finished, state=limit.state, reason=limit.reason)
        status, said = finished.exit_status, finished.stderr.strip()
        is_engines = any(line.startswith(("Error: ", "docker: ")) for line in said.splitlines()[-4:])
        if status == 125 and is_engines:
            raise RunnerExecError(
                f"{self.name} could not start a container: {said[-1500:]}", command.argv, status, said
            )
        if status in (126, 127) and is_engines and "OCI runtime" in said:
            reason = f"program {command.argv[0]!r} cannot be executed in the tool's image: {said[-1000:]}"
            raise RunnerExecError(reason, command.argv, status, said)
        if status == 137 and command.memory is not None and self._limits:
            reason = f"was killed; the limit of its memory is {command.memory >> 20} MiB"
            return replace(finished, state=CommandState.OUT_OF_MEMORY, reason=reason)
        return finished

    def _image_id(self, tool: Tool) -> str:
        """Give the id of the tool's image, pulled now if it is not here."""
        image = self._images.of(tool)
        with self._lock:
            known = self._ids.get(image)
        if known:
            return known
        found = self._id_of(image)
        if not found and not self._pull:
            raise RunnerExecError(
                f"image {image!r} of tool {tool.fullname()!r} is not here, and the configuration lets none be pulled; "
                f"get it ({self.default_program} pull {image})"
            )
        if not found:
            pulled = self._engine(["pull", "--quiet", image], _PULL_SECONDS)
            found = self._id_of(image) if pulled.exit_status == 0 else ""
            if not found:
                said = " ".join(pulled.stderr.split())[-1500:] or pulled.reason
                raise RunnerExecError(
                    f"image {image!r} of tool {tool.fullname()!r} cannot be had by {self.name}: {said}",
                    (self.default_program, "pull", image),
                    pulled.exit_status,
                    pulled.stderr,
                )
        with self._lock:
            return self._ids.setdefault(image, found)

    def _id_of(self, image: str) -> str:
        told = self._engine(["image", "inspect", "--format", "{{.Id}}", image])
        return told.stdout.strip().removeprefix("sha256:") if told.exit_status == 0 else ""

    def _engine(self, arguments: Sequence[str], seconds: float = _SECONDS) -> Finished:
        command = Command([self._find_program(), *arguments], os.path.abspath(os.sep), timeout=seconds)
        return run_process(command, hint=self.get_it)

    def _find_program(self) -> str:
        found = shutil.which(os.path.expanduser(self._program or self.default_program))
        if found is None:
            wanted = self._program or self.default_program
            raise RunnerExecError(f"runner {self.name}: program {wanted!r} is not on the path; {self.get_it}")
        return found

    def kill(self, name: str) -> bool:
        """End a container at once; say whether there was one."""
        return self._engine(["kill", name]).exit_status == 0


class _Limit:
    """Ends a container by its name when its time is over, or when it is to stop."""

    def __init__(self, runner: ContainerRunnerService, name: str, timeout: float | None, stop: Event | None) -> None:
        self.state = CommandState.ENDED
        self.reason = ""
        self.client_stop: Event | None = None if stop is None and timeout is None else Event()
        self._runner = runner
        self._name = name
        self._timeout = timeout
        self._stop = stop
        self._over = Event()
        self._thread = threading.Thread(target=self._watch, name=f"limit of {name}", daemon=True)

    def __enter__(self) -> _Limit:
        if self.client_stop is not None:
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        if self.client_stop is not None:
            self._thread.join()

    def _watch(self) -> None:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while not self._over.is_set():
            if self._stop is not None and self._stop.is_set():
                self.state, self.reason = CommandState.CANCELLED, "cancelled"
                break
            left = _TICK if deadline is None else deadline - time.monotonic()
            if left <= 0:
                self.state, self.reason = CommandState.TIMED_OUT, f"took longer than {self._timeout:g} s"
                break
            self._over.wait(min(left, _TICK if self._stop is not None else left))
        else:
            return
        self._end()

    def _end(self) -> None:
        """Kill the container, which may not have begun yet; if that does not help, end the engine's program."""
        deadline = time.monotonic() + _KILLED_WITHIN
        while time.monotonic() < deadline and not self._over.is_set():
            with contextlib.suppress(RunnerExecError):
                self._runner.kill(self._name)
            self._over.wait(0.5)
        if self.client_stop is not None:
            self.client_stop.set()


class DockerRunnerService(ContainerRunnerService):
    """Executes commands in containers of Docker."""

    name = "DOCKER"
    default_program = "docker"
    get_it = "install Docker (https://docs.docker.com/get-docker), or choose another runner, such as PODMAN or CONDA"


class PodmanRunnerService(ContainerRunnerService):
    """Executes commands in containers of podman."""

    name = "PODMAN"
    default_program = "podman"
    get_it = "install podman (https://podman.io/docs/installation), or choose another runner, such as DOCKER or CONDA"

    def _user(self) -> list[str]:
        user = super()._user()
        return user if os.getuid() == 0 else ["--userns", "keep-id", *user]


class _Builder:
    service: ClassVar[type[ContainerRunnerService]]

    def __init__(self) -> None:
        self._instance: ContainerRunnerService | None = None

    def __call__(
        self,
        working_dir: str = "",
        image: str = "",
        images: Mapping[str, str] | None = None,
        pull: bool = True,
        limits: bool = True,
        program: str = "",
        env: Mapping[str, str] | None = None,
        **_ignored: Any,
    ) -> ContainerRunnerService:
        """Give the service; its options count the first time."""
        if self._instance is None:
            self._instance = self.service(working_dir, image, images, bool(pull), bool(limits), program, env)
        return self._instance


class DockerRunnerServiceBuilder(_Builder):
    """Makes the DOCKER service once and gives it ever after."""

    service = DockerRunnerService


class PodmanRunnerServiceBuilder(_Builder):
    """Makes the PODMAN service once and gives it ever after."""

    service = PodmanRunnerService
