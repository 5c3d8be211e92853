"""Whole items on the machines of a scheduler, which stage through a remote home: what they are told, and do there."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec

from bioimageit_core.containers import Data, Experiment, Job, ProcessedData, Run, Tool
from bioimageit_core.core.command import Command, CommandState, Finished, failure_of
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.jobs.digests import digest_tool
from bioimageit_core.jobs.earlier import Earlier, Work
from bioimageit_core.jobs.image_facts import asks_for_facts
from bioimageit_core.jobs.naming import unique_name
from bioimageit_core.jobs.pickup import load_ticket, save_ticket, stable_name
from bioimageit_core.jobs.plan import Plan, PlannedItem, local_path
from bioimageit_core.jobs.pool import Stop
from bioimageit_core.jobs.record import ItemRecord
from bioimageit_core.jobs.runners import Engine
from bioimageit_core.jobs.staging import Staging, remove

if TYPE_CHECKING:
    from bioimageit_core.jobs.dispatch import Dispatcher
    from bioimageit_core.jobs.execute import Limits
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["FarItem", "FarItems", "do_item"]


class FarItem(msgspec.Struct, omit_defaults=True):
    """All that another machine needs to know to do an item.

    Attributes
    ----------
    home
        The data service: its name as ``service``, and its configuration as it was written.
    tool, tool_uri, tool_sha256
        Full name of the tool, where its wrapper was, and its digest: it must be the same one there.
    inputs
        For each input whether its data are raw, and their ``md_uri``.
    dataset, run, run_uuid
        What the results are stored in.
    taken
        Names that results must not get.
    limits
        Seconds, bytes, retries and processors.
    """

    home: dict[str, Any]
    user: str
    tool: str
    tool_uri: str
    tool_sha256: str
    environment: str | None
    given: dict[str, Any]
    parameters: dict[str, Any]
    name: str
    stem: str
    inputs: dict[str, list[tuple[bool, str]]]
    dataset: str
    run: str
    run_uuid: str
    taken: list[str] = []
    discard: list[str] = []
    limits: tuple[float | None, int | None, int, int] = (None, None, 0, 1)


class FarItems:
    """Has items done on other machines, each as one command of a scheduler; called from several threads at once."""

    def __init__(
        self,
        plan: Plan,
        dispatcher: Dispatcher,
        home: Mapping[str, Any],
        user: str,
        limits: Limits,
        stop: Stop,
        folder: str,
        dataset: str,
        run: Run,
    ) -> None:
        self._plan = plan
        self._dispatcher = dispatcher
        self._home = dict(home)
        self._user = user
        self._limits = limits
        self._stop = stop
        self._folder = folder
        self._dataset = dataset
        self._run = run

    def takes(self, item: PlannedItem) -> bool:
        """Say whether an item is to be done there: where its data are here, or a result may be reused, it is not."""
        if item.action != "run" or self._plan.elsewhere:
            return False
        return not any(local_path(data.uri) for several in item.inputs.values() for data in several)

    def do(self, item: PlannedItem, record: ItemRecord) -> None:
        """Have an item done, and take over its record.

        Raises
        ------
        RunnerExecError
            It failed, or was lost.
        """
        job_dir = os.path.join(self._folder, stable_name(item))
        command = self._command(item)
        ticket = load_ticket(job_dir)
        is_picked_up = bool(ticket) and self._dispatcher.is_known(ticket)
        if not is_picked_up:
            if self._stop.starting.is_set():
                record.state, record.reason = "cancelled", "not begun"
                return
            os.makedirs(job_dir, exist_ok=True)
            ticket = self._dispatcher.submit(command)
            save_ticket(job_dir, ticket)
        finished = self._dispatcher.wait(ticket)
        remove(job_dir)
        if not finished.item:
            record.state, record.reason, record.host = "failed", finished.reason, finished.host
            if finished.state is CommandState.CANCELLED:
                record.state = "cancelled"
                return
            raise failure_of(command, finished)
        done = msgspec.convert(finished.item, ItemRecord)
        for field in ItemRecord.__struct_fields__:
            setattr(record, field, getattr(done, field))
        if is_picked_up and not record.reason:
            record.reason = "submitted by an earlier process"
        if record.state == "failed":
            raise RunnerExecError(record.error, record.argv, record.exit_status, record.stderr)

    def _command(self, item: PlannedItem) -> Command:
        plan, limits, work = self._plan, self._limits, self._plan.work
        far = FarItem(
            self._home,
            self._user,
            plan.tool.fullname(),
            plan.tool.uri,
            work.tool_sha256,
            work.environment,
            dict(work.given),
            dict(work.parameters),
            item.name,
            item.stem,
            {
                name: [(not isinstance(data, ProcessedData), data.md_uri) for data in several]
                for name, several in item.inputs.items()
            },
            self._dataset,
            self._run.md_uri,
            self._run.uuid,
            self._taken(item),
            sorted(plan.discard),
            (limits.seconds, limits.memory, limits.retries, limits.cpus),
        )
        argv = [plan.tool.id, item.name]
        plain = msgspec.to_builtins(far)
        return Command(argv, "", memory=limits.memory, cpus=limits.cpus, name=item.name, item=plain)

    def _taken(self, item: PlannedItem) -> list[str]:
        """Give those names of the dataset that a result of the item would get."""
        taken: set[str] = set()
        for output in self._plan.outputs:
            name = f"{output.name}_{item.stem}"
            while (one := unique_name(name, taken).lower()) in self._plan.earlier.names:
                taken.add(one)
        return sorted(taken)


def do_item(
    far: FarItem,
    service: DataService,
    tool: Tool,
    inner: Any,
    stop: Event | None = None,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Do an item on this machine: fetch its inputs from the service, execute it, store its results there.

    Parameters
    ----------
    inner
        The runner, set up for the tool.
    stop
        When set, its command is ended.
    env
        Environment variables that its command gets.
    """
    from bioimageit_core.jobs.execute import Executor, Limits

    host = platform.node()
    digest = digest_tool(tool)
    if digest.sha256 != far.tool_sha256:
        return Finished(None, reason=f"cannot be done on {host}: tool {far.tool} is another one there", host=host)
    item = PlannedItem(far.name, far.stem, {name: _read(service, places) for name, places in far.inputs.items()})
    job = Job()
    job.set_tool(tool)
    job.parameters = dict(far.given)
    dataset = service.get_dataset(far.dataset)
    work = Work(tool, far.tool_sha256, far.environment, far.parameters, far.given)
    earlier = Earlier(names=set(far.taken))
    plan = Plan(job, Experiment(), tool, work, digest, dataset.name, dataset, [], [item], earlier)
    plan.with_facts, plan.discard = asks_for_facts(tool), frozenset(far.discard)
    halt = Stop()
    halt.running = stop or halt.running
    limits = Limits(*far.limits)
    with tempfile.TemporaryDirectory(prefix="bioimageit-", ignore_cleanup_errors=True) as folder:
        staging = Staging(service, dataset, Run(md_uri=far.run, uuid=far.run_uuid), folder)
        staging.expect([item.inputs])
        executor = Executor(plan, Engine(inner, tool, 0, halt.running), staging, folder, limits, halt, 1)
        executor.user, executor.env = far.user, dict(env or {})
        _, record = executor((0, item))
    record.host = record.host or host
    return Finished(
        record.exit_status,
        stderr=record.stderr,
        seconds=record.seconds,
        state=CommandState.CANCELLED if record.state == "cancelled" else CommandState.ENDED,
        reason=record.error or record.reason,
        host=host,
        item=msgspec.to_builtins(record),
    )


def _read(service: DataService, places: list[tuple[bool, str]]) -> tuple[Data, ...]:
    return tuple(
        service.get_raw_data(md_uri) if is_raw else service.get_processed_data(md_uri) for is_raw, md_uri in places
    )
