"""What another process needs to go on with commands that a scheduler holds: kept in each item's directory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.wrappers.call import Call

if TYPE_CHECKING:
    from bioimageit_core.jobs.plan import Plan, PlannedItem

__all__ = ["Pending", "job_folder", "load_pending", "load_ticket", "save_pending", "save_ticket", "stable_name"]

_FILE = "pending.json"


@dataclass(frozen=True)
class Pending:
    """A command that was submitted.

    Attributes
    ----------
    places
        Where each output will lie, by its name.
    """

    ticket: str
    call: Call
    places: Mapping[str, str]


def stable_name(item: PlannedItem) -> str:
    """Name an item's directory so that another process finds it: by the data that it reads."""
    inputs = sorted((name, data.uuid) for name, several in item.inputs.items() for data in several)
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:24]


def save_pending(pending: Pending) -> None:
    """Keep a pending command in its directory, all or nothing."""
    kept = {"ticket": pending.ticket, "call": asdict(pending.call), "places": dict(pending.places)}
    _save(pending.call.job_dir, kept)


def load_pending(job_dir: str) -> Pending | None:
    """Give the pending command of a directory; None if there is none, or it cannot be read."""
    try:
        with open(os.path.join(job_dir, _FILE), encoding="utf-8") as file:
            kept = json.load(file)
        call = Call(**kept["call"])
        return Pending(kept["ticket"], call, kept["places"]) if call.job_dir == job_dir else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_ticket(job_dir: str, ticket: str) -> None:
    """Keep the ticket of an item that is done elsewhere as a whole, all or nothing."""
    _save(job_dir, {"ticket": ticket})


def load_ticket(job_dir: str) -> str:
    """Give the ticket of a directory; empty if there is none, or it cannot be read."""
    try:
        with open(os.path.join(job_dir, _FILE), encoding="utf-8") as file:
            return str(json.load(file)["ticket"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _save(job_dir: str, kept: Mapping[str, Any]) -> None:
    path = os.path.join(job_dir, _FILE)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


@contextlib.contextmanager
def job_folder(plan: Plan, root: str, is_kept: bool) -> Iterator[str]:
    """Give a directory for a job's items, removed at the end.

    Parameters
    ----------
    is_kept
        Whether another process is to find it if this one dies: then its name follows from the work. While one process
        uses it, another that does the same work gets a directory of its own.
    """
    import shutil

    if root:
        os.makedirs(root, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = _locked(plan, root, stack) if is_kept else ""
        folder = folder or tempfile.mkdtemp(prefix="bioimageit-", dir=root or None)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _locked(plan: Plan, root: str, stack: contextlib.ExitStack) -> str:
    from filelock import FileLock, Timeout

    work = plan.work
    facts = [plan.experiment.uuid, plan.dataset_name, work.tool_sha256, work.environment, dict(work.parameters)]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:24]
    folder = os.path.join(os.path.abspath(root or tempfile.gettempdir()), f"bioimageit-{key}")
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return ""
    stack.callback(lock.release)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder
