"""Conda packages solved and installed by an installed micromamba, mamba or conda."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bioimageit_core.core.command import Command, exit_in_words
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.conda_prefix import is_conda_prefix, locked_packages, prefix_lock, prefix_variables
from bioimageit_core.plugins.environment_runner import clean_environment
from bioimageit_core.plugins.environments import Recipe
from bioimageit_core.plugins.process import run_process

__all__ = ["ProgramMaker", "find_conda"]

_PROGRAMS = ("micromamba", "mamba", "conda")
_FOLDERS = ("bin", "condabin", "")
_SECONDS = 3600.0  # the longest that installing may take


class ProgramMaker:
    """Makes one environment.

    Parameters
    ----------
    what
        Who needs it, for messages.
    conda_dir, program
        Which program to use; see `find_conda`.
    """

    def __init__(self, recipe: Recipe, what: str, conda_dir: str, program: str, offline: bool = False) -> None:
        self._recipe = recipe
        self._what = what
        self._conda_dir = conda_dir
        self._program = program
        self._offline = offline

    def solve(self, scratch: Path) -> str:
        prefix = scratch / "prefix"
        channels = [part for channel in self._recipe.circumstances for part in ("--channel", channel)]
        self._create(prefix, ["--override-channels", *channels, *self._recipe.requirements])
        return prefix_lock(prefix)

    def accepts(self, lock: str) -> bool:
        return lock.startswith("@EXPLICIT\n")

    def install(self, lock: str, prefix: Path) -> Mapping[str, str]:
        file = prefix.with_name("explicit.txt")
        # not all programs know SHA-256 here; it is compared below
        file.write_text("@EXPLICIT\n" + "".join(f"{url}\n" for url, _ in locked_packages(lock)), "utf-8")
        try:
            self._create(prefix, ["--file", str(file)])
        finally:
            file.unlink()
        if prefix_lock(prefix) != lock:
            raise RunnerExecError(f"{self._what}: what was installed into {prefix} is not what its lock says")
        return prefix_variables(prefix)

    def is_whole(self, prefix: Path) -> bool:
        return is_conda_prefix(prefix)

    def _create(self, prefix: Path, what: Sequence[str]) -> None:
        program = find_conda(self._conda_dir, self._program)
        flags = ["--yes", "--quiet", *(["--offline"] if self._offline else [])]
        command = Command(
            [program, "create", *flags, "--prefix", str(prefix), *what], str(prefix.parent), timeout=_SECONDS
        )
        finished = run_process(command, environment=clean_environment())
        if finished.exit_status != 0:
            said = " ".join((finished.stderr or finished.stdout).split())[-1500:] or finished.reason
            said = said or f"it {exit_in_words(finished.exit_status)} and said nothing"
            raise RunnerExecError(
                f"{self._what}: its environment cannot be made by {program}: {said}",
                command.argv,
                finished.exit_status,
                finished.stderr,
            )


def find_conda(conda_dir: str = "", program: str = "") -> str:
    """Find the program: `conda_dir` itself, or in it, else on the path.

    Parameters
    ----------
    conda_dir
        An installation, or a program; empty for the path.
    program
        Its name; empty for the first of micromamba, mamba and conda that is there.

    Raises
    ------
    RunnerExecError
        It is not there.
    """
    names = (program,) if program else _PROGRAMS
    root = os.path.abspath(os.path.expanduser(conda_dir)) if conda_dir else ""
    if root and os.path.isfile(root) and os.access(root, os.X_OK):
        return root
    places = [os.path.join(root, folder, name) for name in names for folder in _FOLDERS] if root else list(names)
    for place in places:
        found = shutil.which(place)
        if found is not None:
            return found
    where = f"in {root!r} (bin, condabin)" if root else "on the path"
    raise RunnerExecError(
        f"runner CONDA: there is no {' or '.join(names)} {where}; correct conda_dir, or leave it out, and "
        f"py-rattler is used (pip install 'bioimageit-core[conda]')"
    )
