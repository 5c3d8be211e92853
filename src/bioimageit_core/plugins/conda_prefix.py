"""What is in an environment of conda packages: its packages as a lock, and the variables that they want."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bioimageit_core.core.command import Command
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.process import TOKEN, run_process

__all__ = ["explicit_lock", "is_conda_prefix", "locked_packages", "prefix_lock", "prefix_variables"]

_EXPLICIT = "@EXPLICIT"
_SCRIPTS = "etc/conda/activate.d"
_SOURCE = 'for file in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$file"; done; env -0 > "$1"'
_OF_THE_SHELL = {"_", "SHLVL", "PWD", "OLDPWD", "PATH", "CONDA_PREFIX", TOKEN}


def explicit_lock(packages: Iterable[tuple[str, str]]) -> str:
    """Write URLs and SHA-256 of packages as an explicit list, which conda and micromamba read too.

    Examples
    --------
    >>> print(explicit_lock([("file:///c/noarch/b-1-0.conda", "ab12"), ("file:///c/noarch/a-1-0.conda", "cd34")]))
    @EXPLICIT
    file:///c/noarch/a-1-0.conda#sha256:cd34
    file:///c/noarch/b-1-0.conda#sha256:ab12
    <BLANKLINE>
    """
    lines = sorted(f"{url}#sha256:{sha256}" if sha256 else url for url, sha256 in packages)
    return "".join(f"{line}\n" for line in [_EXPLICIT, *lines])


def locked_packages(lock: str) -> list[tuple[str, str]]:
    """Read URLs and SHA-256 of packages out of an explicit list."""
    lines = [line for line in lock.splitlines() if line and not line.startswith(("#", "@"))]
    return [(url, sha256) for url, _, sha256 in (line.partition("#sha256:") for line in lines)]


def prefix_lock(prefix: Path) -> str:
    """Give the lock of an environment that somebody installed."""
    packages = []
    for path in (prefix / "conda-meta").glob("*.json"):
        record = _read(path)
        packages.append((str(record.get("url", "")), str(record.get("sha256") or "")))
    return explicit_lock(packages)


def is_conda_prefix(prefix: Path) -> bool:
    """Say whether conda packages are installed in a directory."""
    return any((prefix / "conda-meta").glob("*.json"))


def prefix_variables(prefix: Path) -> dict[str, str]:
    """Give what activation would set: of ``env_vars.d``, of the environment's state, and of the packages' scripts."""
    found: dict[str, str] = {}
    for path in sorted((prefix / "etc" / "conda" / "env_vars.d").glob("*.json")):
        found.update(_texts(_read(path)))
    state = prefix / "conda-meta" / "state"
    if state.is_file():
        found.update(_texts(_read(state).get("env_vars", {})))
    if any((prefix / _SCRIPTS).glob("*.sh")):
        found.update(_activated(prefix, found))
    return found


def _activated(prefix: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Let bash execute the activation scripts, and see what they set."""
    base = {
        **variables,
        "PATH": f"{prefix / 'bin'}{os.pathsep}{os.defpath}",
        "HOME": os.path.expanduser("~"),
        "CONDA_PREFIX": str(prefix),
    }
    with tempfile.TemporaryDirectory() as folder:
        told = os.path.join(folder, "variables")
        command = Command(["bash", "--norc", "--noprofile", "-c", _SOURCE, "bash", told], folder, timeout=120)
        finished = run_process(command, environment=base)
        if finished.exit_status != 0:
            raise RunnerExecError(
                f"the packages in {prefix} cannot be activated: {finished.stderr.strip()[-500:] or finished.reason}",
                command.argv,
                finished.exit_status,
                finished.stderr,
            )
        with open(told, "rb") as file:
            entries = file.read().decode("utf-8", "surrogateescape").split("\0")
    after = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    return {name: value for name, value in after.items() if name not in _OF_THE_SHELL and base.get(name) != value}


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunnerExecError(f"{path} cannot be read: {error}") from error
    return document if isinstance(document, dict) else {}


def _texts(variables: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in variables.items()} if isinstance(variables, dict) else {}
