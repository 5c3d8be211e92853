"""Execute one item: inputs to local files, the command, its outputs into the dataset; all of them or none."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bioimageit_core.containers import ProcessedData
from bioimageit_core.core.command import Command, CommandState, Finished, failure_of
from bioimageit_core.core.exceptions import DataServiceError, RunnerExecError
from bioimageit_core.core.utils import format_date
from bioimageit_core.core.wrappers import collect_outputs, judge, output_specs, prepare_call, wrapper_directories
from bioimageit_core.core.wrappers.call import Call, OutputFile
from bioimageit_core.jobs.digests import Digests
from bioimageit_core.jobs.job_dir import remove_empty_place, remove_staged, write_job_dir
from bioimageit_core.jobs.naming import unique_name
from bioimageit_core.jobs.pickup import Pending, load_pending, save_pending, stable_name
from bioimageit_core.jobs.plan import Plan, PlannedItem
from bioimageit_core.jobs.pool import Stop
from bioimageit_core.jobs.record import FileRecord, ItemRecord, content_key
from bioimageit_core.jobs.reuse import take_over
from bioimageit_core.jobs.runners import Engine
from bioimageit_core.jobs.staging import Staging, remove

if TYPE_CHECKING:
    from bioimageit_core.jobs.far_items import FarItems

__all__ = ["Executor", "Limits", "inputs_of"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What one item may take.

    Attributes
    ----------
    seconds
        Wall-clock time; None for no limit.
    memory
        Resident memory of all its processes, in bytes; None for no limit.
    retries
        How often an item that failed is tried again.
    cpus
        How many processors one item uses: as many fewer items run at a time.
    """

    seconds: float | None = None
    memory: int | None = None
    retries: int = 0
    cpus: int = 1


class Executor:
    """Executes the items of a plan; called from several threads at once.

    At most `workers` commands run at a time; other threads meanwhile fetch inputs and store results, which is waiting
    for disks and networks more than work.
    """

    def __init__(
        self, plan: Plan, engine: Engine, staging: Staging, folder: str, limits: Limits, stop: Stop, workers: int
    ) -> None:
        self.plan = plan
        self.engine = engine
        self.staging = staging
        self.limits = limits
        self.stop = stop
        self.user = ""
        self.env: Mapping[str, str] = {}
        self.far: FarItems | None = None
        self.started: Callable[[int, str], None] = lambda _number, _name: None
        self.errors: dict[int, Exception] = {}
        self._folder = folder
        self._digests = Digests()
        self._tool_directories = wrapper_directories(plan.tool)
        self._names = set(plan.earlier.names)
        self._turn = threading.Lock()
        self._under_way = 0
        self._slots = threading.Semaphore(max(1, workers))
        self._date = format_date("now")

    def __call__(self, task: tuple[int, PlannedItem]) -> tuple[int, ItemRecord]:
        """Do an item; whatever goes wrong with it is in its record, and in `errors`."""
        number, item = task
        record = ItemRecord(item.name, inputs=inputs_of(item))
        started = time.monotonic()
        try:
            if item.action == "skip" and item.result is not None:
                record.state, record.reason = "skipped", item.reason
                record.outputs, record.key = list(item.result.outputs), item.result.key
            else:
                self.started(number, item.name)
                with self._counted():
                    self._do(number, item, record)
        except Exception as error:  # noqa: BLE001 - of services and runners; it is kept and shown
            self._failed(number, record, error)
        finally:
            if item.action != "skip":
                self.staging.release(item.inputs)
                record.seconds = round(time.monotonic() - started, 4)
        return number, record

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._turn:
            self._under_way += 1
        try:
            yield
        finally:
            with self._turn:
                self._under_way -= 1

    def _do(self, number: int, item: PlannedItem, record: ItemRecord) -> None:
        if self.far is not None and self.far.takes(item):
            self.far.do(item, record)
            return
        paths = {name: [self.staging.fetch(data) for data in several] for name, several in item.inputs.items()}
        self._digest_inputs(item, paths, record)
        if self._reuse(item, record):
            return
        while True:
            record.attempts += 1
            try:
                self._attempt(number, item, paths, record)
            except Exception:
                if record.state == "cancelled":
                    return
                if record.attempts > self.limits.retries or self.stop.starting.is_set():
                    raise
                logger.info("%s failed; attempt %d follows", item.name, record.attempts + 1)
            else:
                record.state = "done"
                return

    def _failed(self, number: int, record: ItemRecord, error: Exception) -> None:
        if not isinstance(error, (RunnerExecError, DataServiceError)):
            logger.debug("item %s failed", record.name, exc_info=error)
        record.state = "failed"
        record.error = str(error) or type(error).__name__
        record.stderr = getattr(error, "stderr", "")[-4096:]
        if isinstance(error, RunnerExecError):
            record.exit_status = error.exit_status
        self.errors[number] = error

    def _digest_inputs(self, item: PlannedItem, paths: Mapping[str, Sequence[str]], record: ItemRecord) -> None:
        facts = []
        files = iter(record.inputs)
        for name, several in item.inputs.items():
            for data, path in zip(several, paths[name], strict=True):
                file, digest = next(files), self._digests.of(path)
                file.sha256, file.size, file.mtime_ns = digest.sha256, digest.size, digest.mtime_ns
                facts.append((name, data.name, data.format, digest.sha256))
        work = self.plan.work
        record.key = content_key(work.tool_sha256, work.environment, work.parameters, facts)

    def _reuse(self, item: PlannedItem, record: ItemRecord) -> bool:
        found = item.result if item.action == "reuse" else None
        for other in () if found is not None else self.plan.elsewhere:
            found = found or other.by_key.get(record.key)
        if found is None or (found.key and found.key != record.key):
            return False
        found = replace(found, outputs=[file for file in found.outputs if file.name not in self.plan.discard])
        new = [self._new_data(item, file.name, "", "") for file in found.outputs]
        stored = take_over(self.staging, found, new, self._folder, self._digests)
        if stored is None:
            self._forget(new)
            return False
        record.state, record.reason = "reused", f"dataset {found.dataset!r} has the result"
        record.outputs = [
            FileRecord(then.name, data.name, data.uuid, then.sha256, then.size, then.mtime_ns)
            for then, data in zip(found.outputs, stored, strict=True)
        ]
        return True

    def _attempt(self, number: int, item: PlannedItem, paths: Mapping[str, Sequence[str]], record: ItemRecord) -> None:
        dispatcher = self.engine.dispatcher
        stem = stable_name(item) if dispatcher is not None else str(number)
        job_dir = os.path.join(self._folder, f"{stem}-{record.attempts}")
        pending = self._picked_up(job_dir)
        tool, values = self.plan.tool, self.plan.job.parameters
        files = self.plan.files_of(item.inputs, paths)
        staged: dict[str, ProcessedData] = {}
        outputs: list[ProcessedData] = []
        try:
            os.makedirs(job_dir, exist_ok=True)
            for spec in output_specs(tool, values, files):
                if spec.has_file:
                    staged[spec.name] = self._new_data(item, spec.name, spec.label, spec.format)
                    if pending is not None and spec.name in pending.places:
                        staged[spec.name].uri = pending.places[spec.name]
                    else:
                        self.staging.place(staged[spec.name], job_dir)
            places = {name: data.uri for name, data in staged.items()}
            call = pending.call if pending is not None else prepare_call(tool, values, files, places, job_dir)
            record.argv = list(call.argv)
            if pending is None:
                write_job_dir(call)
            reads = [*self._tool_directories, *(path for several in paths.values() for path in several)]
            command = self._command(call, reads, item.name)
            if dispatcher is not None:
                finished = self._dispatch(command, pending, call, places, record)
            else:
                finished = self._execute(command, record)
            self._judge(command, finished, record)
            found = self._kept(collect_outputs(tool, call, values, files), record)
            outputs.extend(self._output(item, file, staged, job_dir) for file in found)
            if not outputs:
                raise RunnerExecError(f"the tool wrote nothing for {item.name}", call.argv, record.exit_status)
            digests = [self._digests.of(data.uri) for data in outputs]
            left = [data.uri for data in outputs]
            stored = self.staging.store(outputs, more_to_come=self._under_way > 1)
        except BaseException:
            self._forget([*staged.values(), *outputs])
            raise
        finally:
            shutil.rmtree(job_dir, ignore_errors=True)
        for place in left:
            remove_empty_place(place)
        record.outputs = [
            FileRecord(data.output["name"], data.name, data.uuid, digest.sha256, digest.size, digest.mtime_ns)
            for data, digest in zip(stored, digests, strict=True)
        ]

    def _command(self, call: Call, reads: Sequence[str], name: str) -> Command:
        writes = sorted({os.path.dirname(path) for path in call.outputs.values()} - {call.job_dir})
        return Command(
            list(call.argv),
            call.job_dir,
            {**self.env, **call.env},
            tuple(dict.fromkeys(path for path in reads if path)),
            tuple(path for path in writes if not path.startswith(call.job_dir + os.sep)),
            self.limits.seconds,
            self.limits.memory,
            self.limits.cpus,
            name=name,
        )

    def _picked_up(self, job_dir: str) -> Pending | None:
        """Give the command that an earlier process submitted for this item, if its scheduler still knows it."""
        dispatcher = self.engine.dispatcher
        pending = load_pending(job_dir) if dispatcher is not None else None
        if dispatcher is not None and pending is not None and dispatcher.is_known(pending.ticket):
            return pending
        remove(job_dir)
        return None

    def _dispatch(
        self,
        command: Command,
        pending: Pending | None,
        call: Call,
        places: Mapping[str, str],
        record: ItemRecord,
    ) -> Finished:
        """Submit a command so that another process could wait for it in our place, and wait for it."""
        dispatcher = self.engine.dispatcher
        assert dispatcher is not None  # noqa: S101 - for the type checker
        if pending is not None:
            record.reason = "submitted by an earlier process"
            return dispatcher.wait(pending.ticket)
        if self.stop.starting.is_set():
            return Finished(None, state=CommandState.CANCELLED, reason="not begun")
        ticket = dispatcher.submit(command)
        save_pending(Pending(ticket, call, dict(places)))
        return dispatcher.wait(ticket)

    def _execute(self, command: Command, record: ItemRecord) -> Finished:
        with self._slots:
            if record.attempts == 1 and self.stop.starting.is_set():
                return Finished(None, state=CommandState.CANCELLED, reason="not begun")
            return self.engine.execute(command)

    def _judge(self, command: Command, finished: Finished, record: ItemRecord) -> None:
        record.exit_status, record.host = finished.exit_status, finished.host
        if finished.state is CommandState.CANCELLED:
            record.state, record.reason = "cancelled", finished.reason
            raise failure_of(command, finished)
        status = finished.exit_status
        if finished.state is not CommandState.ENDED or status is None or status < 0:
            raise failure_of(command, finished)
        reason = judge(self.plan.tool, status, finished.stdout, finished.stderr)
        if reason is not None:
            raise failure_of(command, finished, "" if reason == f"exit status {status}" else f"failed: {reason}")

    def _kept(self, found: Sequence[OutputFile], record: ItemRecord) -> list[OutputFile]:
        """Give what is to be stored; of the rest only the digests are recorded."""
        record.dropped = []
        for file in found:
            if file.name in self.plan.discard:
                digest = self._digests.of(file.path)
                record.dropped.append(
                    FileRecord(file.name, file.designation, "", digest.sha256, digest.size, digest.mtime_ns)
                )
                remove_staged(file.path)
        return [file for file in found if file.name not in self.plan.discard]

    def _output(
        self, item: PlannedItem, file: OutputFile, staged: Mapping[str, ProcessedData], job_dir: str
    ) -> ProcessedData:
        """Give the data of a file that the tool left, at the place where the service wants it."""
        data = None if file.designation else staged.get(file.name)
        if data is None:
            data = self._new_data(item, file.name, file.label, file.format, file.designation)
            self.staging.place(data, job_dir)
        elif data.format != _known(file.format):  # what it is shows only now, and so does its extension
            remove_staged("" if data.uri == file.path else data.uri)
            data.format = _known(file.format)
            self.staging.place(data, job_dir)
        if file.label:
            data.set_output(file.name, file.label)  # some tools say only now what they call it
        if os.path.abspath(file.path) != os.path.abspath(data.uri):
            os.makedirs(os.path.dirname(data.uri), exist_ok=True)
            shutil.move(file.path, data.uri)
        return data

    def _new_data(
        self, item: PlannedItem, output: str, label: str, format_: str, designation: str = ""
    ) -> ProcessedData:
        stem = f"{output}_{item.stem}"
        if designation:
            stem = f"{stem}_{designation}"
        with self._turn:
            name = unique_name(stem.replace("/", "_"), self._names)
            self._names.add(name.lower())
        data = ProcessedData()
        data.set_info(name, self.user, self._date, _known(format_), "")
        for input_name, several in item.inputs.items():
            for one in several:
                data.add_input(input_name, one)
        data.set_output(output, label or output)
        return data

    def _forget(self, outputs: Sequence[ProcessedData]) -> None:
        """Remove what was written for data that will not be, and let others have their names."""
        for data in outputs:
            remove_staged(data.uri)
        with self._turn:
            self._names.difference_update(data.name.lower() for data in outputs)


def _known(format_: str) -> str:
    from bioimageit_core.core.wrappers.datatypes import format_of

    return format_of(format_)


def inputs_of(item: PlannedItem) -> list[FileRecord]:
    """Give what a record says of the inputs of an item that has not been begun."""
    return [FileRecord(name, data.name, data.uuid) for name, several in item.inputs.items() for data in several]
