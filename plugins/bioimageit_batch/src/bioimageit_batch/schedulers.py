"""Slurm, PBS and LSF: what they are told, through PSI/J, and what they answer."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bioimageit_core.core.command import CommandState
from bioimageit_core.core.exceptions import RunnerExecError

__all__ = ["SCHEDULERS", "Fate", "Request", "Scheduler", "Submitted", "parse_lsf", "parse_pbs", "parse_slurm"]

_SECONDS = 120.0  # the longest that a program of a scheduler may take
_FOREVER = 10**8  # PSI/J's own looking after jobs, of which nobody here asks
_NOT_KNOWN = re.compile(r"unknown job|not found|invalid job|no (matching|such) job", re.IGNORECASE)
_NATIVE_ID = re.compile(r"[A-Za-z0-9][\w.\[\]@-]*")


@dataclass(frozen=True)
class Fate:
    """Where a batch job stands, as its scheduler says; `CommandState.ENDED` says nothing of its commands."""

    state: CommandState
    reason: str = ""


@dataclass(frozen=True)
class Request:
    """What a batch job asks for.

    Attributes
    ----------
    memory
        In bytes; None for the scheduler's default.
    walltime
        None for the queue's default.
    options
        More options of the scheduler, by their long names.
    """

    cpus: int = 1
    memory: int | None = None
    walltime: timedelta | None = None
    queue: str = ""
    account: str = ""
    reservation: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submitted:
    """A batch job that a scheduler took.

    Attributes
    ----------
    files
        What PSI/J keeps of it, to be removed when nobody asks for the batch job any more.
    """

    native_id: str
    files: tuple[str, ...] = ()


def parse_slurm(text: str) -> dict[str, Fate]:
    """Read ``squeue -O JobArrayID,StateCompact,Reason``; states as in squeue(1)."""
    known = {
        "CA": CommandState.CANCELLED,
        "TO": CommandState.TIMED_OUT,
        "DL": CommandState.TIMED_OUT,
        "OOM": CommandState.OUT_OF_MEMORY,
        "CD": CommandState.ENDED,
        "F": CommandState.ENDED,
        "NF": CommandState.LOST,
        "BF": CommandState.LOST,
        "PR": CommandState.LOST,
        "RV": CommandState.LOST,
        **dict.fromkeys(("PD", "CF", "RD", "RF", "RH", "RQ", "SE"), CommandState.QUEUED),
    }
    rows = [line.split() for line in text.splitlines()]
    return {
        row[0]: Fate(known.get(row[1], CommandState.RUNNING), "" if row[2:] in ([], ["None"]) else " ".join(row[2:]))
        for row in rows
        if len(row) > 1 and row[0][:1].isdigit()
    }


def parse_pbs(text: str) -> dict[str, Fate]:
    """Read ``qstat -f -F json -x`` of PBS Pro: exit statuses from 256 on are signals, negative ones the server's."""
    fates = {}
    for native_id, job in _records(text, "Jobs").items():
        state, status = str(job.get("job_state")), job.get("Exit_status")
        comment = str(job.get("comment") or "")
        if state in ("F", "X"):
            if status in (-28, -29) or "walltime" in comment:
                fate = CommandState.TIMED_OUT
            elif status in (-26, -27):
                fate = CommandState.OUT_OF_MEMORY
            elif status in (265, 271) or status is None:  # qdel: SIGKILL or SIGTERM; or before it began
                fate = CommandState.CANCELLED
            elif isinstance(status, int) and status < 0:
                fate = CommandState.LOST
            else:
                fate = CommandState.ENDED
        else:
            fate = CommandState.RUNNING if state in ("R", "E", "B") else CommandState.QUEUED
        fates[native_id] = Fate(fate, comment)
    return fates


def parse_lsf(text: str) -> dict[str, Fate]:
    """Read ``bjobs -o "JOBID STAT EXIT_REASON KILL_REASON SUSPEND_REASON" -json``; see bjobs(1)."""
    fates = {}
    for job in _records(text, "RECORDS", list):
        if "JOBID" not in job or "ERROR" in job:
            continue
        state = str(job.get("STAT"))
        reason = " ".join(str(job[key]) for key in ("EXIT_REASON", "KILL_REASON") if job.get(key))
        if state in ("DONE", "EXIT"):
            fate = CommandState.ENDED
            for word, meaning in _LSF_REASONS.items():
                if word in reason:
                    fate = meaning
        else:
            fate = CommandState.QUEUED if state in ("PEND", "PROV", "PSUSP", "WAIT") else CommandState.RUNNING
        fates[str(job["JOBID"])] = Fate(fate, reason)
    return fates


_LSF_REASONS = {
    "TERM_RUNLIMIT": CommandState.TIMED_OUT,
    "TERM_DEADLINE": CommandState.TIMED_OUT,
    "TERM_MEMLIMIT": CommandState.OUT_OF_MEMORY,
    "TERM_OWNER": CommandState.CANCELLED,
    "TERM_ADMIN": CommandState.CANCELLED,
    "TERM_FORCE": CommandState.CANCELLED,
    "TERM_PREEMPT": CommandState.LOST,
    "TERM_ZOMBIE": CommandState.LOST,
}
SCHEDULERS: dict[str, tuple[tuple[str, str, str], Callable[[str], dict[str, Fate]]]] = {
    "slurm": (("sbatch", "squeue", "scancel"), parse_slurm),
    "pbs": (("qsub", "qstat", "qdel"), parse_pbs),
    "lsf": (("bsub", "bjobs", "bkill"), parse_lsf),
}


class Scheduler:
    """One scheduler.

    Parameters
    ----------
    folder
        Where PSI/J writes its scripts; nodes must see it.
    """

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self._folder = folder
        self._programs, self._parse = SCHEDULERS[name]
        self._made: Any = None

    def check(self) -> None:
        """Check that its programs are here.

        Raises
        ------
        RunnerExecError
            They are not.
        """
        missing = [program for program in self._programs if shutil.which(program) is None]
        if missing:
            raise RunnerExecError(
                f"runner BATCH: {', '.join(missing)} of {self.name} is not on the path; run this on a machine that "
                f"submits to it, load its module, or choose another runner.scheduler ({', '.join(SCHEDULERS)})"
            )

    def submit(self, argv: Sequence[str], directory: str, request: Request) -> Submitted:
        """Submit a batch job.

        Raises
        ------
        RunnerExecError
            The scheduler refuses it; the message says what it said.
        """
        psij = _psij()
        # one process with many processors: PBS is told of processes alone
        shape = {"processes_per_node": request.cpus} if self.name == "pbs" else {"cpu_cores_per_process": request.cpus}
        attributes = psij.JobAttributes(
            queue_name=request.queue or None,
            account=request.account or None,
            reservation_id=request.reservation or None,
            custom_attributes={f"{self.name}.{key}": value for key, value in request.options.items()} or None,
        )
        attributes.duration = request.walltime  # None, which it understands, is refused by its constructor
        spec = psij.JobSpec(
            name="bioimageit",
            executable=argv[0],
            arguments=list(argv[1:]),
            directory=Path(directory),
            inherit_environment=True,
            stdout_path=Path(directory, "launcher.txt"),
            stderr_path=Path(directory, "launcher.txt"),
            resources=psij.ResourceSpecV1(node_count=1, memory=request.memory, **shape),
            attributes=attributes,
            launcher="single",
        )
        job = psij.Job(spec)
        try:
            self._executor().submit(job)
        except (psij.SubmitException, OSError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise RunnerExecError(f"{self.name} does not take the batch job: {said}") from error
        native_id = str(job.native_id or "")
        if not _NATIVE_ID.fullmatch(native_id):
            raise RunnerExecError(f"{self.name} gave the batch job the id {native_id!r}, which cannot be one")
        kept = Path(self._folder, self.name)
        names = (f"{job.id}.job", *(f"{native_id}.{what}" for what in ("nodefile", "out", "ec")))
        return Submitted(native_id, tuple(str(kept / name) for name in names))

    def fates(self, native_ids: Sequence[str]) -> dict[str, Fate]:
        """Ask where batch jobs stand; those that it does not know are left out.

        Raises
        ------
        RunnerExecError
            It does not answer.
        """
        asked = [each for each in native_ids if _NATIVE_ID.fullmatch(each)]
        if not asked:
            return {}
        text, status, said = self._run(self._executor().get_status_command(asked))
        try:
            found = self._parse(text)
        except ValueError:
            found = {}
            if status == 0:
                raise RunnerExecError(f"{self.name} answers what cannot be read: {text[:200]!r}") from None
        # that it does not know some is an answer; that it cannot be reached is none
        if status != 0 and not found and not _NOT_KNOWN.search(text + said):
            raise RunnerExecError(f"{self.name} does not answer: {said.strip() or f'exit status {status}'}")
        return {each: found[each] for each in asked if each in found}

    def cancel(self, native_id: str) -> None:
        """End a batch job; that it has ended is no error."""
        if _NATIVE_ID.fullmatch(native_id):
            self._run(self._executor().get_cancel_command(native_id))

    def _executor(self) -> Any:
        if self._made is None:
            psij = _psij()
            from psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutorConfig

            config = BatchSchedulerExecutorConfig(
                work_directory=Path(self._folder),
                queue_polling_interval=_FOREVER,
                initial_queue_polling_delay=_FOREVER,
                keep_files=True,
            )
            self._made = psij.JobExecutor.get_instance(self.name, config=config)
        return self._made

    def _run(self, argv: Sequence[str]) -> tuple[str, int, str]:
        try:
            # not by the core's way for tools, which keeps no more than the end of what a program writes
            done = subprocess.run(
                list(argv), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RunnerExecError(f"{argv[0]} of {self.name} does not answer: {error}", argv) from error
        return done.stdout.decode("utf-8", "replace"), done.returncode, done.stderr.decode("utf-8", "replace")


def _psij() -> Any:
    """Import PSI/J, which warns of threads for the sake of processes that it starts itself; here it starts none."""
    said = logging.getLogger("psij.executors.local")
    level = said.level
    said.setLevel(logging.ERROR)
    try:
        import psij
        import psij.executors.local
    finally:
        said.setLevel(level)
    return psij


def _records(text: str, key: str, kind: type = dict) -> Any:
    # PBS repeats keys and leaves control characters in what users wrote
    found = json.loads(text, strict=False)
    records = found.get(key, kind()) if isinstance(found, dict) else kind()
    if not isinstance(records, kind):
        raise ValueError(f"{key} is no {kind.__name__}")
    return records
