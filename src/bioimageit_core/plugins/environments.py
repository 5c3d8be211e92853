"""Environments of tools: made once, locked, reused, recorded.

An environment is a directory that is named after what it is asked to consist of, and holds::

    lock.txt           exactly what it consists of; its SHA-256 is the environment's digest
    prefix/            the environment itself; it may be removed, and is then made again from the lock
    environment.json   written last: without it whatever is in ``prefix`` is half made, and never used

The prefix is made where it stays, because packages write its path into their files.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bioimageit_core.core.exceptions import RunnerExecError

__all__ = ["Environment", "Environments", "Maker", "Recipe", "default_env_dir", "sha256_of"]

_RECORD = "environment.json"
_LOCK = "lock.txt"
_PREFIX = "prefix"


def default_env_dir() -> str:
    """Say where environments are kept unless the configuration names another directory."""
    import platformdirs

    return os.path.join(platformdirs.user_cache_dir("bioimageit", appauthor=False), "environments")


def sha256_of(text: str) -> str:
    """Give the SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What an environment is asked to consist of.

    Attributes
    ----------
    kind
        Of environment: ``uv`` or ``conda``.
    requirements
        What is to be installed, in the installer's words.
    circumstances
        What else decides what gets installed: indexes, channels, the interpreter.
    """

    kind: str
    requirements: tuple[str, ...]
    circumstances: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the environment: of equal recipes on equal platforms the same."""
        said = [self.kind, sorted(self.requirements), self.circumstances, platform.system(), platform.machine()]
        return f"{self.kind}-{sha256_of(json.dumps(said))[:20]}"


@dataclass(frozen=True)
class Environment:
    """An environment that can be used.

    Attributes
    ----------
    prefix
        The directory that it is installed in.
    lock
        Exactly what it consists of.
    variables
        What its packages want in the environment of processes, the path aside.
    """

    prefix: Path
    lock: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the lock."""
        return sha256_of(self.lock)


class Maker(Protocol):
    """Knows how to make one environment."""

    def solve(self, scratch: Path) -> str:
        """Give a lock for the recipe; `scratch` is an empty directory that is removed afterwards."""
        ...

    def accepts(self, lock: str) -> bool:
        """Say whether an environment can be made here from a lock that was given before."""
        ...

    def install(self, lock: str, prefix: Path) -> Mapping[str, str]:
        """Install what a lock says into a new directory, and give the variables that its packages want."""
        ...

    def is_whole(self, prefix: Path) -> bool:
        """Say whether what an environment cannot be without is there."""
        ...


class Environments:
    """The environments of one directory; any number of processes may use it at once."""

    def __init__(self, root: str = "") -> None:
        self._given = root

    @property
    def root(self) -> Path:
        """Absolute path of the directory."""
        return Path(os.path.abspath(os.path.expanduser(self._given or default_env_dir())))

    def lock_of(self, recipe: Recipe) -> str | None:
        """Give the lock of an environment that was made, also if it was removed since; None if it never was."""
        try:
            return (self.root / recipe.name / _LOCK).read_text("utf-8")
        except OSError:
            return None

    def find(self, recipe: Recipe) -> Environment | None:
        """Give an environment that was made; None if it was not, or not to its end."""
        folder = self.root / recipe.name
        lock = self.lock_of(recipe)
        try:
            record = json.loads((folder / _RECORD).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if lock is None or not isinstance(record, dict) or record.get("lock_sha256") != sha256_of(lock):
            return None
        variables = {str(key): str(value) for key, value in record.get("variables", {}).items()}
        return Environment(folder / _PREFIX, lock, variables)

    def get(self, recipe: Recipe, maker: Maker) -> Environment:
        """Give an environment, made now if it is not there.

        Raises
        ------
        RunnerExecError
            It cannot be made; nothing is left of the attempt.
        """
        found = self._find_whole(recipe, maker)
        if found is not None:
            return found
        from filelock import FileLock

        folder = self.root / recipe.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{folder}.lock"):
                return self._find_whole(recipe, maker) or self._make(recipe, maker, folder)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunnerExecError(f"the environment {folder} cannot be made: {reason}") from error

    def _find_whole(self, recipe: Recipe, maker: Maker) -> Environment | None:
        found = self.find(recipe)
        return found if found is not None and maker.is_whole(found.prefix) else None

    def _make(self, recipe: Recipe, maker: Maker, folder: Path) -> Environment:
        started = time.monotonic()
        prefix = folder / _PREFIX
        (folder / _RECORD).unlink(missing_ok=True)
        shutil.rmtree(prefix, ignore_errors=True)
        lock = self.lock_of(recipe)
        if lock is None or not maker.accepts(lock):
            with tempfile.TemporaryDirectory(prefix="solve-", dir=folder) as scratch:
                lock = maker.solve(Path(scratch))
        try:
            variables = dict(maker.install(lock, prefix))
            if not maker.is_whole(prefix):
                raise RunnerExecError(f"the environment {prefix} was installed, but is not whole")
        except BaseException:
            shutil.rmtree(prefix, ignore_errors=True)
            raise
        _write(folder / _LOCK, lock)
        record = {
            "kind": recipe.kind,
            "requirements": list(recipe.requirements),
            "lock_sha256": sha256_of(lock),
            "variables": variables,
            "seconds": round(time.monotonic() - started, 3),
        }
        _write(folder / _RECORD, json.dumps(record, indent=4))
        return Environment(prefix, lock, variables)


def _write(path: Path, text: str) -> None:
    """Write a file all or nothing."""
    part = path.with_name(f"{path.name}.part")
    with open(part, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
