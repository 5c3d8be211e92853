"""From conda's names of packages to PyPI's, by a list of what is known to be the same software, never by guess."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins.tool_requirements import Package

__all__ = ["PyPIRequirements", "check_names", "known_names", "pypi_requirements"]

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?((==|!=|>=|<=|~=|>|<)[A-Za-z0-9.*+!,<>=~]+)?")
_PEP440 = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc|\.?post|\.?dev)\d+)*")


@dataclass(frozen=True)
class PyPIRequirements:
    """What packages come to.

    Attributes
    ----------
    requirements
        What to install from PyPI, sorted.
    python
        Which Python is wanted, as ``3.11``; empty for any.
    programs
        Names of the packages that are programs which every system has; they are taken from the path.
    """

    requirements: tuple[str, ...]
    python: str = ""
    programs: tuple[str, ...] = ()


@functools.cache
def known_names() -> Mapping[str, Mapping[str, str]]:
    """Give the table: ``packages`` maps conda's names to PyPI's, ``programs`` to what must be on the path."""
    text = resources.files("bioimageit_core.plugins").joinpath("conda_to_pypi.json").read_text("utf-8")
    table: dict[str, Any] = json.loads(text)
    return {"packages": table["packages"], "programs": table["programs"]}


def check_names(names: Mapping[str, Any]) -> dict[str, str]:
    """Check the option ``packages``: conda's names to PyPI's.

    Raises
    ------
    ConfigError
        A name is none of PyPI.
    """
    checked = {}
    for name, target in names.items():
        if not isinstance(target, str) or not _TARGET.fullmatch(target):
            raise ConfigError(
                f"runner UV: packages: {name!r}: expected the name of a package of PyPI, such as 'opencv-python' or "
                f"'opencv-python==4.10.0.84', got {target!r}"
            )
        checked[name.lower()] = target
    return checked


def pypi_requirements(packages: Sequence[Package], names: Mapping[str, str], what: str) -> PyPIRequirements:
    """Translate packages of conda into requirements of PyPI.

    Parameters
    ----------
    names
        Conda's names to PyPI's, beside those that are known; one with a version replaces the package's.
    what
        Who requires them, for messages.

    Raises
    ------
    RunnerExecError
        Packages are not known to be on PyPI, or a program is not on the path; all of them are named.

    Examples
    --------
    >>> pypi_requirements([Package("opencv", "4.10"), Package("python", "3.11")], {}, "tool 'x'").requirements
    ('opencv-python-headless==4.10.*',)
    """
    known = {**known_names()["packages"], **names}
    programs = known_names()["programs"]
    unknown: list[str] = []
    found: set[str] = set()
    used: set[str] = set()
    python = ""
    for package in packages:
        if package.name == "python":
            python = package.version or package.constraint or python
        elif package.name in known:
            target = known[package.name]
            found.add(target if re.search(r"[=<>~]", target) else f"{target}{_specifier(package, what)}")
        elif package.name in programs:
            if shutil.which(programs[package.name]) is None:
                raise RunnerExecError(
                    f"{what} requires {package.name!r}: program {programs[package.name]!r} is not on the path; "
                    f"install it, or choose a runner that can (such as CONDA)"
                )
            used.add(package.name)
        else:
            unknown.append(package.name)
    if unknown:
        example = json.dumps({"runner": {"service": "UV", "packages": {unknown[0]: "NAME-ON-PYPI"}}})
        raise RunnerExecError(
            f"{what} requires {', '.join(map(repr, unknown))}, and no package of PyPI is known to be the same: choose "
            f"a runner of conda's packages or of images (such as CONDA or DOCKER), or, if you know that one is, "
            f"configure {example}"
        )
    return PyPIRequirements(tuple(sorted(found)), python, tuple(sorted(used)))


def _specifier(package: Package, what: str) -> str:
    if package.constraint:
        return package.constraint
    if not package.version:
        return ""
    version = package.version.replace("_", ".")
    if not _PEP440.fullmatch(version):
        raise RunnerExecError(f"{what} requires {package}: PyPI has no versions such as {package.version!r}")
    # as conda has it, 1.22 is any 1.22.x
    return f"=={version}.*" if version.replace(".", "").isdigit() else f"=={version}"
