"""A bundle: the directory by which the submitting machine and the node that executes its commands talk.

``bundle.json`` says what to execute; ``job.json`` which batch job does it; ``begun-N``, ``result-N.json`` and
``cancel-N`` say where each command stands. Each file is written once, all or nothing, by one side.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, Finished
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.far_end import Inner, command_from, finished_from, to_plain

__all__ = ["Bundle", "write_json"]


@dataclass(frozen=True)
class Bundle:
    """Commands of one tool that one batch job executes."""

    path: str

    @classmethod
    def create(
        cls, folder: str, tool: Tool, commands: Sequence[Command], inner: Inner, parallel: int, walltime: float | None
    ) -> Bundle:
        """Write a new one.

        Raises
        ------
        OSError
            It cannot be written.
        """
        bundle = cls(os.path.join(folder, uuid.uuid4().hex))
        os.makedirs(bundle.path, mode=0o700)
        plain: dict[str, Any] = {
            "tool": {"id": tool.id, "name": tool.name, "version": tool.version, "uri": tool.uri},
            "inner": {"name": inner.name, "options": dict(inner.options)},
            "parallel": parallel,
            "walltime": walltime,
            "commands": [to_plain(command) for command in commands],
        }
        write_json(bundle._file("bundle.json"), plain)
        return bundle

    @cached_property
    def plain(self) -> Mapping[str, Any]:
        """What ``bundle.json`` says.

        Raises
        ------
        OSError, ValueError
            It is not there, or is no bundle.
        """
        found = _read_json(self._file("bundle.json"))
        if not isinstance(found.get("commands"), list):
            raise ValueError(f"{self.path} is no bundle of commands")
        return found

    @property
    def size(self) -> int:
        """How many commands it has."""
        return len(self.plain["commands"])

    def commands(self) -> list[Command]:
        """Give the commands."""
        return [command_from(each) for each in self.plain["commands"]]

    def set_job(self, native_id: str, attempt: int) -> None:
        """Say which batch job executes it."""
        write_json(self._file("job.json"), {"native_id": native_id, "attempt": attempt})

    def job(self) -> tuple[str, int]:
        """Give the batch job's id, and the how manieth it is for this bundle; ``''`` where there is none yet."""
        try:
            found = _read_json(self._file("job.json"))
            return str(found["native_id"]), int(found["attempt"])
        except (OSError, ValueError, KeyError, TypeError):
            return "", 0

    def names(self) -> set[str]:
        """List its files, as the filesystem has them now; nothing if it is gone."""
        try:
            return set(os.listdir(self.path))
        except OSError:
            return set()

    def mark(self, what: str, number: int) -> None:
        """Say that a command has ``begun``, or that it is to be ended (``cancel``)."""
        with contextlib.suppress(OSError), open(self._file(f"{what}-{number}"), "x", encoding="utf-8"):
            pass

    def set_result(self, number: int, finished: Finished) -> None:
        """Say what became of a command."""
        write_json(self._file(f"result-{number}.json"), to_plain(finished))

    def result(self, number: int) -> Finished | None:
        """Give what became of a command; None if that is not known yet."""
        try:
            return finished_from(_read_json(self._file(f"result-{number}.json")))
        except (OSError, ValueError, RunnerExecError):
            return None

    def said(self, limit: int = 2000) -> str:
        """Give the end of what the batch job itself wrote: why it could not execute anything."""
        try:
            with open(self._file("launcher.txt"), "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - limit))
                return file.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def add_files(self, paths: Sequence[str]) -> None:
        """Note files in the folder ``submitted`` beside it that go with it."""
        write_json(self._file("files.json"), {"paths": [*self._files(), *paths]})

    def _files(self) -> list[str]:
        try:
            beside = os.path.join(os.path.dirname(self.path), "submitted", "")
            found = [os.path.abspath(path) for path in _read_json(self._file("files.json"))["paths"]]
            return [path for path in found if path.startswith(beside)]  # whatever somebody else wrote into it
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def remove(self) -> None:
        """Remove it, and the files that go with it."""
        for path in self._files():
            with contextlib.suppress(OSError):
                os.unlink(path)
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def write_json(path: str, plain: Mapping[str, Any]) -> None:
    """Write a document, all or nothing."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(plain, file, default=str)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def _read_json(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no JSON object")
    return found
