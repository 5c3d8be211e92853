"""Commands that are submitted to a runner of this machine: threads wait for them, and who asks is told."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState, CommandStatus, Finished
from bioimageit_core.core.exceptions import BioImageITError

__all__ = ["SubmitsHere"]


@dataclass(eq=False)
class _Submitted:
    """One command, and what is known of it."""

    begun: Event = field(default_factory=Event)
    stop: Event = field(default_factory=Event)
    ended: Future[Finished] = field(default_factory=Future)


class SubmitsHere:
    """Gives a runner that executes commands on this machine `submit`, `status`, `cancel` and `logs` as well.

    As many run at a time as there are processors. Nothing here outlives the process: its tickets mean nothing to
    another one, and a job waits for each command itself instead.
    """

    def run_command(self, tool: Tool, command: Command, job_id: int = 0, stop: Event | None = None) -> Finished:
        """Execute a command and say what became of it; see `contracts.RunsCommands`."""
        raise NotImplementedError

    def submit(self, tool: Tool, commands: Sequence[Command], job_id: int = 0) -> list[str]:
        """Submit commands and return a ticket for each; see `contracts.SubmitsCommands`."""
        tickets = []
        for command in commands:
            ticket, one = uuid.uuid4().hex, _Submitted()
            self._submitted[ticket] = one
            self._threads.submit(self._wait_for, tool, command, job_id, one)
            tickets.append(ticket)
        return tickets

    def status(self, tickets: Sequence[str]) -> Mapping[str, CommandStatus]:
        """Say where each command stands; see `contracts.SubmitsCommands`."""
        return {ticket: _status(self._submitted.get(ticket)) for ticket in tickets}

    def cancel(self, tickets: Sequence[str]) -> None:
        """End commands, or keep them from starting; see `contracts.SubmitsCommands`."""
        for ticket in tickets:
            if ticket in self._submitted:
                self._submitted[ticket].stop.set()

    def logs(self, ticket: str, cursor: int = 0) -> tuple[str, int]:
        """Give the end of what a command wrote, once it has ended; see `contracts.SubmitsCommands`."""
        finished = self.status([ticket])[ticket].finished
        text = "" if finished is None else finished.stdout + finished.stderr
        return text[cursor:], max(cursor, len(text))

    @property
    def _submitted(self) -> dict[str, _Submitted]:
        found: dict[str, _Submitted] = self.__dict__.setdefault("_tickets", {})
        return found

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return ThreadPoolExecutor(processors or 1, thread_name_prefix="submitted")

    def _wait_for(self, tool: Tool, command: Command, job_id: int, one: _Submitted) -> None:
        one.begun.set()
        try:
            finished = self.run_command(tool, command, job_id, one.stop)
        except BioImageITError as error:
            finished = Finished(None, reason=f"could not be started: {error}")
        except Exception as error:  # noqa: BLE001 - whoever asks is to hear of it, and not to wait forever
            finished = Finished(None, reason=f"could not be executed: {type(error).__name__}: {error}")
        one.ended.set_result(finished)


def _status(one: _Submitted | None) -> CommandStatus:
    if one is None:
        lost = Finished(None, state=CommandState.LOST, reason="was lost: nothing is known of it in this process")
        return CommandStatus(CommandState.LOST, lost)
    if one.ended.done():
        finished = one.ended.result()
        return CommandStatus(finished.state, finished)
    return CommandStatus(CommandState.RUNNING if one.begun.is_set() else CommandState.QUEUED)
