"""What passes between a wrapper and whoever executes it: files in, one command, files out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Call", "InputFile", "OutputFile"]


@dataclass(frozen=True)
class InputFile:
    """A data that a tool reads.

    Attributes
    ----------
    path
        Local path of the file or directory.
    name
        Name of the data: what Galaxy calls its element identifier.
    format
        Name of its format in the format table, or a Galaxy datatype.
    metadata
        What wrappers may ask of it as ``$input.metadata.<key>``.
    parts
        Of data that are several files: what each is called among its extra files, with its absolute path.
    """

    path: str
    name: str
    format: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One execution of a tool, ready to run.

    Attributes
    ----------
    argv
        The command; no value in it was ever seen by a shell.
    job_dir
        Absolute path of a directory that belongs to this execution alone; the command runs in it.
    files
        Text files to write before it runs: path relative to `job_dir`, and content.
    links
        Inputs to stage before it runs: path relative to `job_dir`, and absolute path of the source.
    env
        Environment variables beside those of the caller.
    outputs
        Absolute path that each output is written to, by the output's name, where the wrapper lets the caller say.
    """

    argv: Sequence[str]
    job_dir: str
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputFile:
    """A file or directory that an execution left.

    Attributes
    ----------
    name
        Name of the tool's output.
    path
        Absolute path.
    format
        Name of its format in the format table, or a Galaxy datatype.
    label
        What the wrapper calls it, for people.
    designation
        For outputs that are discovered: which of them it is; else empty.
    """

    name: str
    path: str
    format: str
    label: str = ""
    designation: str = ""
