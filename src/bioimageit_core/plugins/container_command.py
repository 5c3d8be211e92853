"""What a container gets to see of this machine: a job's directories, and nothing else."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.plugins.tool_requirements import images_of

__all__ = ["Images", "Mount", "command_of_paths", "mounts_of", "variables_of"]


@dataclass(frozen=True)
class Mount:
    """A file or directory that a container sees where it is on this machine."""

    path: str
    is_writable: bool

    def option(self, read_only: str) -> str:
        """Write it as the value of an option ``--mount``; it is a line of CSV, so any path can stand in it.

        Examples
        --------
        >>> Mount("/data/a, b", False).option("readonly")
        'type=bind,"source=/data/a, b","target=/data/a, b",readonly'
        """
        fields = ["type=bind", f"source={self.path}", f"target={self.path}", *([] if self.is_writable else [read_only])]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(fields)
        return line.getvalue()


def mounts_of(command: Command) -> list[Mount]:
    """List what a command's container sees: outer directories before those in them, none of them twice.

    Raises
    ------
    RunnerExecError
        A path has a line break, which no option of a container can have.
    """
    found = {os.path.abspath(path): False for path in command.reads if os.path.exists(path)}
    found |= {os.path.abspath(path): True for path in (*command.writes, command.cwd)}
    for path in found:
        if "\n" in path or "\r" in path:
            raise RunnerExecError(f"{path!r} cannot be seen in a container: its name has a line break", command.argv)
    return [Mount(path, found[path]) for path in sorted(found)]


def variables_of(command: Command, env: Mapping[str, str]) -> dict[str, str]:
    """Give the environment variables of a command in a container; of this process's there are none."""
    # the caller may have no home in the image, and many programs want one
    return {"HOME": command.cwd, "TMPDIR": command.cwd, **env, **command.env}


def command_of_paths(args: Sequence[str]) -> Command:
    """Make the command of an argv that is to run in the current directory.

    Absolute paths among its arguments are seen in the container: read-only where they exist; of those that do not
    exist yet, the directories, to write into. So the three published methods of runners suffice.
    """
    paths = [part for part in list(args)[1:] if os.path.isabs(part)]
    reads = tuple(path for path in paths if os.path.exists(path))
    parents = {os.path.dirname(path) for path in paths if not os.path.exists(path)} - {os.sep}
    return Command(list(args), os.getcwd(), reads=reads, writes=tuple(sorted(filter(os.path.isdir, parents))))


class Images:
    """Which image a tool runs in.

    Parameters
    ----------
    image
        For tools that name none.
    images
        Image of a tool, by its id or full name; goes before what its wrapper says.
    kinds
        Of images that the runner can use, the best first.
    """

    def __init__(self, runner: str, image: Any = "", images: Any = None, kinds: Sequence[str] = ("docker",)) -> None:
        named = dict(images or {}) if isinstance(images or {}, Mapping) else {"": None}
        for name, value in {"image": image or "none", **named}.items():
            if not isinstance(value, str) or not value.strip() or value.startswith("-"):
                raise ConfigError(
                    f"runner {runner}: {name or 'images'}: expected the name of an image, or an object such as "
                    f'{{"TOOL-ID": "IMAGE"}} under images'
                )
        self._runner = runner
        self._image = image
        self._images = named
        self._kinds = tuple(kinds)

    def find(self, tool: Tool) -> tuple[str, bool]:
        """Give the name of a tool's image, empty where there is none, and whether its wrapper names it."""
        configured = self._images.get(tool.fullname()) or self._images.get(tool.id)
        if configured:
            return str(configured), False
        named = images_of(tool, *self._kinds)
        return (named[0], True) if named else (str(self._image or ""), False)

    def of(self, tool: Tool) -> str:
        """Give the name of a tool's image.

        Raises
        ------
        RunnerExecError
            Nobody says which, or what its wrapper says is none.
        """
        image, _ = self.find(tool)
        if not image:
            raise RunnerExecError(
                f"tool {tool.fullname()!r} names no container image: choose another runner (such as UV or CONDA), or "
                f'configure {{"runner": {{"service": "{self._runner}", "images": {{"{tool.id}": "IMAGE"}}}}}}'
            )
        if image.startswith("-") or any(character.isspace() for character in image):
            raise RunnerExecError(f"tool {tool.fullname()!r} names {image!r}, which cannot be a container image")
        return image
