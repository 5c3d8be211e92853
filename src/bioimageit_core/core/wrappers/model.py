"""What a wrapper says, read and typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.wrappers.output_actions import OutputAction
from bioimageit_core.core.wrappers.sanitizer import Sanitizer

__all__ = [
    "Case",
    "Conditional",
    "ConfigFile",
    "Definition",
    "Discovery",
    "EnvironmentVariable",
    "ExitCode",
    "FormatChange",
    "Group",
    "Member",
    "Option",
    "Output",
    "Param",
    "Repeat",
    "Section",
    "StdioRegex",
    "Validator",
    "walk_params",
]

DATA_TYPES = ("data", "data_collection")


@dataclass(frozen=True)
class Option:
    """A choice of a select parameter."""

    value: str
    label: str
    is_selected: bool = False


@dataclass(frozen=True)
class Validator:
    """A check of a value before anything runs."""

    type: str
    message: str = ""
    negate: bool = False
    options: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Param:
    """A parameter or an input.

    Attributes
    ----------
    type
        As the wrapper says it (``integer``, ``select``, ``data``, ...).
    default
        The text of ``value``, None where it has none.
    formats
        Of an input: what it accepts, as the wrapper names it.
    is_rgb
        Of a colour: whether the command gets ``(255, 0, 0)`` instead of ``#ff0000``.
    is_open
        Of a select: whether its choices are what Galaxy finds in data, so that here any text is one.
    unsupported
        Why it cannot be given a value here; empty where it can.
    """

    name: str
    type: str
    label: str = ""
    help: str = ""
    argument: str = ""
    optional: bool = False
    default: str | None = None
    multiple: bool = False
    separator: str = ","
    formats: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    true_value: str = "true"
    false_value: str = "false"
    minimum: str = ""
    maximum: str = ""
    validators: tuple[Validator, ...] = ()
    sanitizer: Sanitizer | None = None
    collection_types: tuple[str, ...] = ()
    load_contents: int = 0
    is_rgb: bool = False
    is_open: bool = False
    unsupported: str = ""
    place: str = ""

    @property
    def is_data(self) -> bool:
        """Whether files are given to it, not values."""
        return self.type in DATA_TYPES

    @property
    def takes_many(self) -> bool:
        """Whether several files are given to it."""
        return self.type == "data_collection" or (self.type == "data" and self.multiple)


@dataclass(frozen=True)
class Case:
    """What a conditional has where its test parameter has one of some values."""

    value: str
    members: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Conditional:
    """Parameters that depend on the value of another."""

    name: str
    test: Param
    cases: tuple[Case, ...] = ()
    place: str = ""


@dataclass(frozen=True)
class Section:
    """Parameters under a title."""

    name: str
    members: tuple[Member, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Repeat:
    """Parameters that are given any number of times."""

    name: str
    members: tuple[Member, ...] = ()
    label: str = ""
    minimum: int = 0
    maximum: int | None = None
    default: int = 0


Group = Conditional | Section | Repeat
Member = Param | Conditional | Section | Repeat


@dataclass(frozen=True)
class FormatChange:
    """``<when input="x" value="y" format="z"/>``."""

    input: str
    value: str
    format: str
    input_dataset: str = ""
    attribute: str = ""


@dataclass(frozen=True)
class Discovery:
    """How datasets that a tool writes are found after it ran.

    Attributes
    ----------
    is_provided
        Whether the tool lists them itself, instead of a pattern that finds them.
    """

    pattern: str
    directory: str = "."
    format: str = ""
    sort_by: str = "filename"
    recurse: bool = False
    match_relative_path: bool = False
    assign_primary: bool = False
    visible: bool = True
    is_provided: bool = False


@dataclass(frozen=True)
class Output:
    """An output, or a collection of outputs."""

    name: str
    format: str = "data"
    format_source: str = ""
    label: str = ""
    from_work_dir: str = ""
    filters: tuple[str, ...] = ()
    changes: tuple[FormatChange, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    is_hidden: bool = False
    auto_format: bool = False
    collection_type: str = ""
    elements: tuple[Output, ...] = ()
    structured_like: str = ""
    type_source: str = ""
    inherit_format: bool = False
    actions: tuple[OutputAction, ...] = ()
    unsupported: str = ""

    @property
    def is_collection(self) -> bool:
        """Whether it is a collection."""
        return bool(self.collection_type or self.structured_like)


@dataclass(frozen=True)
class ExitCode:
    """What a range of exit statuses means."""

    low: float
    high: float
    level: str = "fatal"
    description: str = ""


@dataclass(frozen=True)
class StdioRegex:
    """What a text in the tool's output means."""

    pattern: str
    in_stdout: bool = True
    in_stderr: bool = True
    level: str = "fatal"
    description: str = ""


@dataclass(frozen=True)
class ConfigFile:
    """A file that is written before the command runs: a template's text, or the parameters as JSON."""

    name: str
    text: str = ""
    filename: str = ""
    is_inputs: bool = False
    data_style: str = ""
    place: str = ""


@dataclass(frozen=True)
class EnvironmentVariable:
    """A variable that the command sees."""

    name: str
    text: str
    strip: bool = False
    place: str = ""


@dataclass(frozen=True)
class Definition:
    """A wrapper, read.

    Attributes
    ----------
    dialect
        ``'galaxy'``: the command is a template for a shell script; ``'plain'``: values are put into argv.
    has_old_templates
        Whether its templates may be of Python 2.
    provided_file
        Where, in its working directory, the tool may say itself what it wrote.
    sources
        The wrapper and the files of macros it imports.
    detect_errors
        ``'exit_code'``, ``'aggressive'``, ``'stdio'`` (only what `exit_codes` and `regexes` say) or ``'default'`` (of a
        profile before 16.04 that says nothing: by the exit status).
    test_nodes
        The ``<test>`` elements, for `bioimageit_core.core.wrappers.cases`.
    """

    path: str
    id: str
    name: str
    version: str
    dialect: str
    profile: tuple[int, int]
    tool_type: str = "sequential"
    description: str = ""
    help: str = ""
    command: str = ""
    command_place: str = ""
    interpreter: str = ""
    strict: bool = False
    has_old_templates: bool = False
    requirements: tuple[dict[str, str], ...] = ()
    members: tuple[Member, ...] = ()
    outputs: tuple[Output, ...] = ()
    provided_file: str = "galaxy.json"
    config_files: tuple[ConfigFile, ...] = ()
    environment: tuple[EnvironmentVariable, ...] = ()
    detect_errors: str = "exit_code"
    exit_codes: tuple[ExitCode, ...] = ()
    regexes: tuple[StdioRegex, ...] = ()
    oom_exit_code: int | None = None
    version_command: str = ""
    templates: dict[str, str] = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    test_nodes: tuple[Any, ...] = ()

    @property
    def directory(self) -> str:
        """The wrapper's directory: ``$__tool_directory__``."""
        import os

        return os.path.dirname(os.path.abspath(self.path)) if self.path else ""


def walk_params(members: tuple[Member, ...], prefix: str = "") -> Iterator[tuple[str, Param]]:
    """Give every parameter with its flat name (``cond|x``, ``rep_0|y``), in the wrapper's order."""
    for member in members:
        name = f"{prefix}{member.name}"
        if isinstance(member, Param):
            yield name, member
        elif isinstance(member, Conditional):
            yield f"{name}|{member.test.name}", member.test
            for case in member.cases:
                yield from walk_params(case.members, f"{name}|")
        elif isinstance(member, Section):
            yield from walk_params(member.members, f"{name}|")
        else:
            yield from walk_params(member.members, f"{name}_0|")
