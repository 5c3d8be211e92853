"""What a run's document says of its execution, beyond the published fields: ``extra['execution']``.

The shape is JSON through and through; a field that says nothing is left out and an unknown one passed over, so that
newer and older versions read each other's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bioimageit_core.containers import Run

__all__ = [
    "EXECUTION",
    "FileRecord",
    "ItemRecord",
    "RunRecord",
    "ToolRecord",
    "content_key",
    "read_record",
    "write_record",
]

EXECUTION = "execution"


class FileRecord(msgspec.Struct, omit_defaults=True):
    """A data that an item was made from, or that it made.

    Attributes
    ----------
    name
        Of the tool's input or output.
    data, uuid
        Name and identity of the data.
    sha256, size, mtime_ns
        Its content when the item ran; see `digests.Digest`.
    """

    name: str = ""
    data: str = ""
    uuid: str = ""
    sha256: str = ""
    size: int = -1
    mtime_ns: int = 0


class ItemRecord(msgspec.Struct, omit_defaults=True):
    """One execution of the tool.

    Attributes
    ----------
    state
        ``done``, ``failed``, ``skipped`` (an earlier run of this dataset did it), ``reused`` (the result of an earlier
        run of another dataset) or ``cancelled``.
    reason
        Why it was skipped or reused.
    key
        Identity of its work; see `content_key`.
    stderr
        The end of it, where the item failed.
    dropped
        What the tool made that was not kept, with its content's digest.
    """

    name: str = ""
    state: str = ""
    reason: str = ""
    key: str = ""
    inputs: list[FileRecord] = msgspec.field(default_factory=list)
    outputs: list[FileRecord] = msgspec.field(default_factory=list)
    dropped: list[FileRecord] = msgspec.field(default_factory=list)
    argv: list[str] = msgspec.field(default_factory=list)
    exit_status: int | None = None
    seconds: float = 0.0
    attempts: int = 0
    host: str = ""
    error: str = ""
    stderr: str = ""


class ToolRecord(msgspec.Struct, omit_defaults=True):
    """The tool as it was; `files` holds the SHA-256 of its wrapper and what lay beside it, by name."""

    id: str = ""
    version: str = ""
    sha256: str = ""
    files: dict[str, str] = msgspec.field(default_factory=dict)


class RunRecord(msgspec.Struct, omit_defaults=True):
    """Who executed what, when, where and with which outcome.

    Attributes
    ----------
    state
        ``running``, ``done``, ``failed`` (at least one item) or ``cancelled``. A run that still says ``running`` though
        nobody runs it was cut off. Empty where the home keeps a run as it was begun (`contracts.UpdatesRun`): then
        the data alone tell what was made.
    started, ended
        UTC, ISO 8601.
    environment
        Digest of the lock of the tool's environment; None where it is not locked.
    parameters
        As they were given, by name.
    broadcast
        Inputs whose one data went with all.
    pipeline
        Of a pipeline's step: ``{'uuid', 'name', 'step'}``.
    """

    schema: int = 1
    state: str = ""
    user: str = ""
    host: str = ""
    core_version: str = ""
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    runner: str = ""
    tool: ToolRecord = msgspec.field(default_factory=ToolRecord)
    environment: str | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    broadcast: list[str] = msgspec.field(default_factory=list)
    pipeline: dict[str, str] = msgspec.field(default_factory=dict)
    items: list[ItemRecord] = msgspec.field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Count the items of each state."""
        counts: dict[str, int] = {}
        for item in self.items:
            counts[item.state] = counts.get(item.state, 0) + 1
        return counts


def write_record(run: Run, record: RunRecord) -> None:
    """Put a record into a run's container."""
    run.extra[EXECUTION] = msgspec.to_builtins(record)


def read_record(run: Run) -> RunRecord | None:
    """Give the record of a run; None where there is none that can be read: other software made the run."""
    written = run.extra.get(EXECUTION)
    if not isinstance(written, dict):
        return None
    try:
        return msgspec.convert(written, RunRecord)
    except msgspec.ValidationError:
        return None


def content_key(
    tool: str,
    environment: str | None,
    parameters: Mapping[str, Any],
    inputs: Sequence[tuple[str, str, str, str]],
) -> str:
    """Give the identity of an item's work: the same for the same tool, environment, parameters and input contents.

    Parameters
    ----------
    inputs
        For each data its input's name, its own name and format, which tools see, and its SHA-256.
    """
    facts = [tool, environment, dict(sorted(parameters.items())), list(inputs)]
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
