"""The SINGULARITY runner: containers of apptainer or singularity, which see the job's directories alone."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, Finished, failure_of
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.core.hashing import sha256_of_path
from bioimageit_core.plugins.container_command import Images, command_of_paths, mounts_of, variables_of
from bioimageit_core.plugins.contracts import RunnerService
from bioimageit_core.plugins.environments import default_env_dir, sha256_of
from bioimageit_core.plugins.process import end_strays, local_environment, run_process
from bioimageit_core.plugins.submitted import SubmitsHere

__all__ = ["SingularityRunnerService", "SingularityRunnerServiceBuilder", "plugin_info"]

plugin_info = {"name": "SINGULARITY", "type": "runner", "builder": "SingularityRunnerServiceBuilder"}

_PROGRAMS = ("apptainer", "singularity")
_GET_IT = "install Apptainer (https://apptainer.org/docs), or choose another runner, such as PODMAN or CONDA"
_PULL_SECONDS = 7200.0
_PLAIN = re.compile(r"[A-Za-z0-9_./@%+=: -]*")
_URL = re.compile(r"[a-z][a-z0-9+-]*://")
# what reaches into containers from outside
_LEAKS = re.compile(
    r"(APPTAINER|SINGULARITY)(ENV_.*|_(BIND|BINDPATH|MOUNT|PWD|NETWORK|HOME|WORKDIR|CONTAINALL|NV|ROCM))"
)


class SingularityRunnerServiceBuilder:
    """Makes the service once and gives it ever after."""

    def __init__(self) -> None:
        self._instance: SingularityRunnerService | None = None

    def __call__(
        self,
        env_dir: str = "",
        image: str = "",
        images: Mapping[str, str] | None = None,
        pull: bool = True,
        program: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
        **_ignored: Any,
    ) -> SingularityRunnerService:
        """Give the service; its options count the first time."""
        if self._instance is None:
            self._instance = SingularityRunnerService(env_dir, image, images, bool(pull), program, working_dir, env)
        return self._instance


class SingularityRunnerService(SubmitsHere, RunnerService):
    """Executes commands in containers of apptainer or singularity.

    A container sees the directories of its job, inputs read-only, at the paths that they have here; it runs as the
    caller, without privileges, and without network unless the command asks for one. Images of registries are made into
    files, once; limits of time and memory are watched from here.

    Parameters
    ----------
    env_dir
        Where files of images are kept; empty for the user's cache.
    image, images
        See `Images`; a path, a URL such as ``docker://alpine:3``, or the name of a Docker image.
    pull
        Whether an image that is not here is pulled.
    program
        ``apptainer`` or ``singularity``, or a path of it; empty for the first that is on the path.
    working_dir
        Where the directories of jobs are made; empty for the system's place.
    env
        Environment variables that every command gets.
    """

    def __init__(
        self,
        env_dir: str = "",
        image: str = "",
        images: Mapping[str, str] | None = None,
        pull: bool = True,
        program: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._env_dir = env_dir
        self._images = Images("SINGULARITY", image, images, ("singularity", "docker"))
        self._pull = pull
        self._program = program
        self._working_dir = working_dir
        self._env = dict(env or {})
        self._token = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._digests: dict[tuple[str, int, int], str] = {}
        self._jobs = 0

    @property
    def shared_dir(self) -> str:
        """Where the directories of jobs are to be made; empty for anywhere."""
        return os.path.abspath(os.path.expanduser(self._working_dir)) if self._working_dir else ""

    def environment_digest(self, tool: Tool) -> str | None:
        """Give the SHA-256 of the file of the tool's image; None where it is not here, or is a directory."""
        try:
            path = self._path_of(self._images.of(tool))
            facts = path.stat()
            if not path.is_file():
                return None
            key = (str(path), facts.st_size, facts.st_mtime_ns)
            if key not in self._digests:
                self._digests[key] = sha256_of_path(str(path))
        except (RunnerExecError, OSError):  # said when the tool is to run
            return None
        return self._digests[key]

    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        """Get the tool's image, if it is not here."""
        with self._lock:
            self._jobs += 1
        self._find_program()
        self._image_file(tool)

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
        if not command.argv:
            raise RunnerExecError("there is no command to execute")
        image = self._image_file(tool)
        options, prefix = self._options(command)
        argv = [self._find_program(), *options, str(image), *prefix, *command.argv]
        token = f"{self._token}-{next(self._numbers)}-"
        inner = replace(command, argv=argv, env={})
        finished = run_process(inner, environment=_client_environment(), stop=stop, token=token, hint=_GET_IT)
        fatal = [line for line in finished.stderr.splitlines() if line.lstrip().startswith("FATAL:")]
        if finished.exit_status == 255 and fatal:
            reason = f"SINGULARITY could not start {command.argv[0]!r} in a container: {fatal[-1].strip()[:1500]}"
            raise RunnerExecError(reason, command.argv, 255, finished.stderr)
        return finished

    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """End a job and, if it was the last, whatever its tools left running."""
        with self._lock:
            self._jobs = max(0, self._jobs - 1)
            is_last = self._jobs == 0
        if is_last:
            end_strays(self._token)

    def _options(self, command: Command) -> tuple[list[str], list[str]]:
        """Give the options of a container, and what is to stand before its command."""
        options = ["--silent", "exec", "--containall", "--no-privs", "--pwd", command.cwd]
        options += [] if command.network else ["--net", "--network", "none"]
        for mount in mounts_of(command):
            options += ["--mount", mount.option("ro")]
        variables = variables_of(command, self._env)
        if not all(_PLAIN.fullmatch(value) for value in variables.values()) or ":" in variables["HOME"]:
            # a shell in the container reads the values of --env, and executes what is in them
            return [*options, "--no-home"], ["env", *(f"{name}={value}" for name, value in variables.items())]
        options += ["--home", variables.pop("HOME")]
        for name, value in variables.items():
            options += ["--env", f"{name}={value}"]
        return options, []

    def _image_file(self, tool: Tool) -> Path:
        """Give the file of the tool's image, pulled now if it is not here."""
        image = self._images.of(tool)
        path = self._path_of(image)
        if path.exists():
            return path
        if not _is_remote(image):
            raise RunnerExecError(f"image {image!r} of tool {tool.fullname()!r} does not exist")
        if not self._pull:
            raise RunnerExecError(
                f"image {image!r} of tool {tool.fullname()!r} is not here, and the configuration lets none be pulled"
            )
        from filelock import FileLock

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.exists():
                    self._pull_into(image, path, tool)
        except OSError as error:
            raise RunnerExecError(f"{path} cannot be written: {error.strerror or error}") from error
        return path

    def _pull_into(self, image: str, path: Path, tool: Tool) -> None:
        part = path.with_name(f"part-{path.name}")
        part.unlink(missing_ok=True)
        url = image if _URL.match(image) else f"docker://{image}"
        command = Command([self._find_program(), "pull", str(part), url], str(path.parent), timeout=_PULL_SECONDS)
        finished = run_process(command, environment=_client_environment(), hint=_GET_IT)
        if finished.exit_status != 0 or not part.exists():
            part.unlink(missing_ok=True)
            said = " ".join(finished.stderr.split())[-1500:] or finished.reason
            reason = f"image {image!r} of tool {tool.fullname()!r} cannot be had by SINGULARITY: {said}"
            raise RunnerExecError(reason, command.argv, finished.exit_status, finished.stderr)
        os.replace(part, path)

    def _path_of(self, image: str) -> Path:
        if not _is_remote(image):
            return Path(os.path.abspath(os.path.expanduser(image)))
        root = os.path.abspath(os.path.expanduser(self._env_dir or default_env_dir()))
        return Path(root) / "images" / f"{sha256_of(image)[:20]}.sif"

    def _find_program(self) -> str:
        names = (os.path.expanduser(self._program),) if self._program else _PROGRAMS
        for name in names:
            if found := shutil.which(name):
                return found
        raise RunnerExecError(f"runner SINGULARITY: no {' or '.join(names)} is on the path; {_GET_IT}")


def _is_remote(image: str) -> bool:
    """Say whether an image is to be fetched: a URL, or a name that is no path."""
    is_path = image.endswith((".sif", ".img", ".simg")) or image.startswith((os.sep, "~", "."))
    return bool(_URL.match(image)) or not is_path


def _client_environment() -> dict[str, str]:
    return {name: value for name, value in local_environment().items() if not _LEAKS.fullmatch(name)}
