"""The UV runner: tools in Python, each in a virtual environment that uv makes of packages of PyPI."""

from __future__ import annotations

import copy
import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, Finished, failure_of
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.environment_runner import EnvironmentRunner, as_list, clean_environment
from bioimageit_core.plugins.environments import Environment, Recipe
from bioimageit_core.plugins.near_versions import near_requirements, replaced_in, told_as_replaced
from bioimageit_core.plugins.process import run_process
from bioimageit_core.plugins.pyenv import pyenv_pythons
from bioimageit_core.plugins.pypi_names import PyPIRequirements, check_names, pypi_requirements
from bioimageit_core.plugins.tool_requirements import packages_of

__all__ = ["UvRunnerService", "UvRunnerServiceBuilder", "plugin_info"]

plugin_info = {"name": "UV", "type": "runner", "builder": "UvRunnerServiceBuilder"}

logger = logging.getLogger(__name__)

_OLDEST = (3, 7)  # what is tried unasked
_SECONDS = 3600.0  # the longest that installing may take
_NO_RELEASE = (
    "; where a release is for no Python of this machine, install one that it is for, or take the next release that "
    "there is (near_versions, or bioimageit tools test --near-versions)"
)
_GET_UV = "install it (pip install uv, or see https://docs.astral.sh/uv), or choose another runner"
# what nobody wants to see compiled while an environment is made
_COMPILED = (
    *("h5py", "imagecodecs", "llvmlite", "matplotlib", "numba", "numcodecs", "numpy", "opencv-python-headless"),
    *("pandas", "pillow", "pyarrow", "pywavelets", "scikit-image", "scikit-learn", "scipy", "shapely", "simpleitk"),
    *("statsmodels", "tables", "tensorflow", "torch", "vtk"),
)
_UNWANTED = ("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_PROJECT_ENVIRONMENT", "UV_WORKING_DIR")


class UvRunnerServiceBuilder:
    """Makes the service once and gives it ever after."""

    def __init__(self) -> None:
        self._instance: UvRunnerService | None = None

    def __call__(
        self,
        env_dir: str = "",
        index_url: str = "",
        find_links: Any = (),
        offline: bool = False,
        packages: Mapping[str, str] | None = None,
        python: str = "",
        env: Mapping[str, str] | None = None,
        near_versions: bool = False,
        **_ignored: Any,
    ) -> UvRunnerService:
        """Give the service; its options count the first time."""
        if self._instance is None:
            self._instance = UvRunnerService(
                env_dir,
                index_url,
                as_list(find_links),
                bool(offline),
                packages or {},
                str(python),
                env,
                bool(near_versions),
            )
        return self._instance


class UvRunnerService(EnvironmentRunner):
    """Executes tools in virtual environments of their own.

    Nothing is ever installed into the environment that this library runs in.

    Parameters
    ----------
    env_dir
        Where environments are kept; empty for the user's cache.
    index_url
        The index to use instead of PyPI.
    find_links
        Directories or pages with wheels, beside the index.
    offline
        Whether the network is left alone: packages come from `find_links` alone or, without, from uv's cache.
    packages
        Conda's names of packages to PyPI's, beside those that are known.
    python
        The interpreter of all environments: a version or path. Empty for the version that a tool requires, if this
        machine has it, else the version that runs this library.
    env
        Environment variables that every command gets.
    near_versions
        Whether a release that is for no Python of this machine is replaced by the next later one that is; the lock
        tells of it.
    """

    def __init__(
        self,
        env_dir: str = "",
        index_url: str = "",
        find_links: Sequence[str] = (),
        offline: bool = False,
        packages: Mapping[str, str] | None = None,
        python: str = "",
        env: Mapping[str, str] | None = None,
        near_versions: bool = False,
    ) -> None:
        super().__init__(env_dir, env)
        self.index_url = index_url
        self.find_links = tuple(link if "://" in link else os.path.abspath(link) for link in find_links)
        self.offline = offline
        self.packages = check_names(packages or {})
        self.python = python
        self.near_versions = near_versions

    def with_near_versions(self) -> UvRunnerService:
        """Give the same runner, but one that takes other releases where it must."""
        other = copy.copy(self)
        other.near_versions = True
        return other

    def replaced(self, tool: Tool) -> list[str]:
        """Say which releases a tool's environment has instead of those that it requires."""
        made = self.environment(tool)
        return [] if made is None else replaced_in(made.lock)

    def recipe(self, tool: Tool) -> Recipe:
        asked = self._asked(tool)
        python = self.python or asked.python
        running = platform.python_version()
        circumstances = (f"python {python}", f"running {running}", self.index_url, *self.find_links)
        if self.near_versions:
            circumstances = (*circumstances, "near versions")
        return Recipe(
            "uv", (*asked.requirements, *(f"{name} (from the path)" for name in asked.programs)), circumstances
        )

    def maker(self, tool: Tool, recipe: Recipe) -> UvMaker:
        return UvMaker(self, self._asked(tool), f"tool {tool.fullname()!r}")

    def activated(self, environment: Environment) -> dict[str, str]:
        return clean_environment(environment.prefix, {"VIRTUAL_ENV": str(environment.prefix), **environment.variables})

    def _asked(self, tool: Tool) -> PyPIRequirements:
        return pypi_requirements(packages_of(tool), self.packages, f"tool {tool.fullname()!r}")


class UvMaker:
    """Makes the environment of one tool."""

    def __init__(self, runner: UvRunnerService, asked: PyPIRequirements, what: str) -> None:
        self._runner = runner
        self._asked = asked
        self._what = what

    def solve(self, scratch: Path) -> str:
        wanted, solved = scratch / "requirements.in", scratch / "requirements.txt"
        wanted.write_text("".join(f"{line}\n" for line in self._asked.requirements), "utf-8")
        written = ["--generate-hashes", "--no-header", "--no-annotate", "--output-file", str(solved)]
        compile_ = ["pip", "compile", *written, *self._sources(), str(wanted)]
        no_build = [part for name in _COMPILED for part in ("--only-binary", name)]
        chosen, told = ("", ""), ""
        for python in self._pythons():
            chosen = chosen if chosen[0] else python
            # old releases are built for old interpreters alone
            if self._try([*compile_, *no_build, "--python", python[0]], scratch).exit_status == 0:
                chosen = python
                break
        else:
            told = self._near(wanted, chosen[0], scratch) if self._runner.near_versions else ""
            self._uv([*compile_, *no_build, "--python", chosen[0]], scratch, "" if told else _NO_RELEASE)
        programs = "".join(f"# {name} from the path\n" for name in self._asked.programs)
        return f"# python {chosen[1]}\n{programs}{told}{solved.read_text('utf-8')}"

    def _near(self, wanted: Path, python: str, scratch: Path) -> str:
        """Ask for releases that there are instead; give what a lock says of it, nothing where there are none."""
        one = scratch / "one.in"

        def solve(requirement: str, is_lowest: bool) -> str:
            one.write_text(f"{requirement}\n", "utf-8")
            flags = [
                "--no-deps",
                "--no-strip-extras",
                "--no-header",
                "--no-annotate",
                "--only-binary",
                ":all:",
                "--python",
                python,
            ]
            flags += ["--resolution", "lowest"] if is_lowest else []
            return self._try(["pip", "compile", *flags, *self._sources(), str(one)], scratch).stdout.strip()

        near = near_requirements(self._asked.requirements, solve)
        told = told_as_replaced(self._asked.requirements, near)
        if told:
            logger.warning("%s: %s", self._what, ", ".join(replaced_in(told)))
            wanted.write_text("".join(f"{line}\n" for line in near), "utf-8")
        return told

    def accepts(self, lock: str) -> bool:
        return self._python_of(lock) is not None

    def install(self, lock: str, prefix: Path) -> Mapping[str, str]:
        python = self._python_of(lock)
        if python is None:
            raise RunnerExecError(f"{self._what}: the python of its lock is not on this machine any more")
        self._uv(["venv", "--no-project", "--python", python, str(prefix)], prefix.parent)
        if any(line and not line.startswith("#") for line in lock.splitlines()):
            file = prefix / "lock.txt"
            file.write_text(lock, "utf-8")
            where = ["--python", str(prefix / "bin" / "python")]
            self._uv(
                ["pip", "sync", "--require-hashes", "--compile-bytecode", *where, *self._sources(), str(file)],
                prefix.parent,
            )
        return {}

    def is_whole(self, prefix: Path) -> bool:
        return os.access(prefix / "bin" / "python", os.X_OK)  # its interpreter may have been uninstalled

    def _sources(self) -> list[str]:
        runner = self._runner
        flags = ["--offline"] if runner.offline else []
        flags += ["--no-index"] if runner.offline and runner.find_links else []
        return flags + [part for link in runner.find_links for part in ("--find-links", link)]

    def _python_of(self, lock: str) -> str | None:
        version = lock.partition("\n")[0].removeprefix("# python ")
        return next((path for path, known in self._pythons() if known == version), None)

    def _pythons(self) -> Iterator[tuple[str, str]]:
        """Give path and version of the interpreters to try, the best first; looking for others takes a while."""
        # which patch of a version there is, is the machine's business
        wanted = self._runner.python or ".".join(self._asked.python.split(".")[:2])
        running = (sys.executable, platform.python_version())
        is_running = not wanted or f"{running[1]}.".startswith(f"{wanted}.")
        found = running if is_running else self._find_python(wanted)
        if found is not None:
            yield found
            if wanted:
                return
        elif self._runner.python:
            raise RunnerExecError(
                f"runner UV: python {wanted!r} is not on this machine; install it (uv python install {wanted}), or "
                f"configure another"
            )
        else:
            text = "%s requires python %s, which this machine lacks: another is taken (uv python install %s gets it)"
            logger.warning(text, self._what, wanted, wanted)
            yield running
        yield from self._others(running[1])

    def _find_python(self, wanted: str) -> tuple[str, str] | None:
        request = f"=={wanted}.*" if wanted[0].isdigit() else wanted
        search = ["python", "find", "--system", "--no-project", "--no-python-downloads", request]
        path = self._try(search, Path(os.getcwd())).stdout.strip()
        code = "import platform; print(platform.python_version())"
        if not path:
            return next((item for item in pyenv_pythons() if f"{item[1]}.".startswith(f"{wanted}.")), None)
        said = run_process(Command([path, "-I", "-c", code], os.getcwd(), timeout=60), environment=clean_environment())
        return (path, said.stdout.strip()) if said.exit_status == 0 else None

    def _others(self, running: str) -> list[tuple[str, str]]:
        """List the newest of each other CPython that uv finds here, the newest first; pre-releases are left out."""
        listing = ["python", "list", "--only-installed", "--offline", "--output-format", "json"]
        listed = self._try(listing, Path(os.getcwd()))
        try:
            found = json.loads(listed.stdout) if listed.exit_status == 0 else []
        except ValueError:
            found = []
        others = {tuple(int(part) for part in item[1].split(".")): item for item in pyenv_pythons()}
        for item in found:
            version, path = str(item["version"]), str(item["path"])
            if item.get("implementation") == "cpython" and version.replace(".", "").isdigit():
                others[tuple(int(part) for part in version.split("."))] = (path, version)
        newest: dict[tuple[int, ...], tuple[str, str]] = {}
        for numbers in sorted((item for item in others if item >= _OLDEST), reverse=True):
            newest.setdefault(numbers[:2], others[numbers])
        newest.pop(tuple(int(part) for part in running.split(".")[:2] if part.isdigit()), None)
        return list(newest.values())

    def _uv(self, arguments: Sequence[str], cwd: Path, hint: str = "") -> None:
        finished = self._try(arguments, cwd)
        if finished.exit_status != 0:
            command = Command(["uv", *arguments], str(cwd))
            said = " ".join(finished.stderr.split())[-1500:]
            why = said or finished.reason
            reason = f"its environment cannot be made: {why}{hint}" if why else ""
            error = failure_of(command, finished, reason)
            raise RunnerExecError(f"{self._what}: {reason or error}", command.argv, finished.exit_status, error.stderr)

    def _try(self, arguments: Sequence[str], cwd: Path) -> Finished:
        env = {name: value for name, value in clean_environment().items() if name not in _UNWANTED}
        env |= {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
        if self._runner.index_url:
            env["UV_DEFAULT_INDEX"] = self._runner.index_url  # no argument: it may hold a password
        command = Command(
            [_find_uv(), *([] if arguments[0] == "python" else ["--quiet"]), *arguments], str(cwd), timeout=_SECONDS
        )
        return run_process(command, environment=env, hint=_GET_UV)


def _find_uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=os.path.dirname(sys.executable))
    if found is None:
        raise RunnerExecError(f"runner UV: program 'uv' is neither on the path nor beside {sys.executable}; {_GET_UV}")
    return found
