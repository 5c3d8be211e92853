"""Between a data service and the files that tools read and write."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from bioimageit_core.containers import Data, Dataset, ProcessedData, Run
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.wrappers.datatypes import extension_of
from bioimageit_core.jobs.plan import Inputs, local_path
from bioimageit_core.plugins.contracts import (
    CleansUp,
    CreatesDataUri,
    CreatesManyData,
    DeletesData,
    DownloadsData,
    GetsDataUri,
)

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["Staging", "remove"]

logger = logging.getLogger(__name__)

_GATHER = 0.06  # seconds that results wait for others to be stored with


@dataclass
class _Delivery:
    """The outputs of one item on their way, and what became of them."""

    outputs: Sequence[ProcessedData]
    stored: list[ProcessedData] = field(default_factory=list)
    error: BaseException | None = None
    is_over: threading.Event = field(default_factory=threading.Event)


class Staging:
    """Local copies of inputs, and places for outputs; the service is called by one thread at a time.

    A data that several items read is copied once, and the copy removed after the last of them, where the service says
    that copies are to be removed.
    """

    def __init__(
        self, data_service: DataService, dataset: Dataset, run: Run, folder: str, experiment: str = ""
    ) -> None:
        self._service = data_service
        self._experiment = experiment
        self._before = {entry.uuid for entry in dataset.uris}
        self._dataset = dataset
        self._run = run
        self._folder = os.path.join(folder, "inputs")
        self._service_turn = threading.RLock()
        self._bookkeeping = threading.Lock()  # of what follows; never waits for the service
        self._deliveries: list[_Delivery] = []
        self._turns: dict[str, threading.Lock] = {}
        self._copies: dict[str, str] = {}
        self._to_come: Counter[str] = Counter()
        # asked for once: that takes a while, and items are many
        self._places = data_service if isinstance(data_service, CreatesDataUri) else None
        self._creates_many = data_service if isinstance(data_service, CreatesManyData) else None
        self._removes = isinstance(data_service, CleansUp) and bool(data_service.needs_cleanning())

    def expect(self, items: Iterable[Inputs]) -> None:
        """Count how often each data will be read."""
        for inputs in items:
            self._to_come.update(data.md_uri for several in inputs.values() for data in several)

    def fetch(self, data: Data) -> str:
        """Give a local path of a data.

        Raises
        ------
        DataServiceError
            There is none, and the service cannot make one.
        """
        if path := local_path(data.uri):
            return path
        with self._bookkeeping:
            turn = self._turns.setdefault(data.md_uri, threading.Lock())
        with turn:
            if data.md_uri not in self._copies:
                self._copies[data.md_uri] = self._copy(data)
            return self._copies[data.md_uri]

    def read(self, md_uri: str) -> ProcessedData:
        """Read a processed data."""
        with self._service_turn:
            return self._service.get_processed_data(md_uri)

    def release(self, inputs: Inputs) -> None:
        """Say that an item has read its inputs: remove the copies that nobody else will read."""
        for several in inputs.values():
            for data in several:
                with self._bookkeeping:
                    self._to_come[data.md_uri] -= 1
                    copy = self._copies.pop(data.md_uri, "") if self._to_come[data.md_uri] <= 0 else ""
                if copy and (self._removes or copy.startswith(self._folder)):
                    remove(copy)

    def place(self, data: ProcessedData, folder: str) -> str:
        """Say where a tool is to write a data: where the service wants it, else in `folder`."""
        if self._places is not None:
            with self._service_turn:
                placed = self._places.create_data_uri(self._dataset, self._run, data)
            if isinstance(placed, str):
                data.uri = placed
            elif placed is not None:
                data.uri = placed.uri
            if data.uri:
                return data.uri.removeprefix("file://")
        extension = extension_of(data.format)
        os.makedirs(os.path.join(folder, "results"), exist_ok=True)
        name = data.name.replace("/", "_").replace("\0", "_")[:200]
        data.uri = os.path.join(folder, "results", f"{name}.{extension}" if extension else name)
        return data.uri

    def store(self, outputs: Sequence[ProcessedData], more_to_come: bool = False) -> list[ProcessedData]:
        """Create all data of an item, or none of them.

        Where the service can store many at once and other items are under way (`more_to_come`), the first to come
        waits a moment, and stores what the others have by then, too: one wait for the disk is enough for all of them.
        """
        mine = _Delivery(outputs)
        with self._bookkeeping:
            self._deliveries.append(mine)
            is_first = len(self._deliveries) == 1
        if not is_first:
            mine.is_over.wait()
        else:
            if more_to_come and self._creates_many is not None:
                time.sleep(_GATHER)
            with self._service_turn:
                with self._bookkeeping:
                    group, self._deliveries = self._deliveries, []
                self._deliver(group)
        if mine.error is not None:
            raise mine.error
        return mine.stored

    def _deliver(self, group: Sequence[_Delivery]) -> None:
        """Store the data of several items; to be called with the service's turn."""
        if len(group) > 1 and self._creates_many is not None:
            try:
                several = [data for one in group for data in one.outputs]
                stored = iter(self._creates_many.create_many_data(self._dataset, self._run, several))
            except Exception as error:  # whose it is shows when each is stored by itself
                logger.debug("results of %d items cannot be stored at once", len(group), exc_info=error)
            else:
                for one in group:
                    one.stored = list(islice(stored, len(one.outputs)))
                    one.is_over.set()
                return
        for one in group:
            try:
                one.stored = self._create(one.outputs)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that it concerns
                one.error = error
            one.is_over.set()

    def _create(self, outputs: Sequence[ProcessedData]) -> list[ProcessedData]:
        if self._creates_many is not None:
            return self._creates_many.create_many_data(self._dataset, self._run, outputs)
        stored: list[ProcessedData] = []
        try:
            for data in outputs:  # one after the other: what is stored must be known when the next one fails
                stored.append(self._service.create_data(self._dataset, self._run, data) or data)  # noqa: PERF401
        except BaseException:
            self._take_back(stored)
            raise
        return stored

    def drop_unrecorded(self, recorded: Iterable[str]) -> None:
        """Take out what this run stored and nobody recorded: by a machine that was lost before it could say so.

        Parameters
        ----------
        recorded
            The uuid of each result.
        """
        known = {*self._before, *recorded}
        with self._service_turn:
            entries = self._service.get_dataset(self._dataset.md_uri).uris
            others = [self._service.get_processed_data(one.md_uri) for one in entries if one.uuid not in known]
        self._take_back(
            [data for data in others if (data.run.uuid or data.run.md_uri) in (self._run.uuid, self._run.md_uri)]
        )

    def _take_back(self, stored: Sequence[ProcessedData]) -> None:
        """Take data that are not to be out of the dataset again."""
        if not stored:
            return
        try:
            with self._service_turn:
                if isinstance(self._service, DeletesData) and self._experiment:
                    gone = [data.md_uri for data in stored]
                    entry = self._service.delete_data(self._experiment, gone, what="results of a failed item")
                    self._service.purge_trash(self._experiment, entry.id)
                else:
                    self._unlist({data.uuid for data in stored})
        except Exception:
            logger.warning("results of a failed item could not be taken out of their dataset", exc_info=True)

    def _unlist(self, gone: set[str]) -> None:
        dataset = self._service.get_dataset(self._dataset.md_uri)
        dataset.uris = [entry for entry in dataset.uris if entry.uuid not in gone]
        self._service.update_dataset(dataset)

    def _copy(self, data: Data) -> str:
        os.makedirs(self._folder, exist_ok=True)
        with self._service_turn:
            if isinstance(self._service, GetsDataUri):
                path = self._service.get_data_uri(data)
                if found := local_path(str(path or "")):
                    return found
            if isinstance(self._service, DownloadsData):
                folder = os.path.join(self._folder, data.uuid or str(len(self._copies)))
                os.makedirs(folder, exist_ok=True)
                return local_path(str(self._service.download_data(data.md_uri, folder) or "")) or _only_in(folder)
        raise DataServiceError(
            f"{data.name}: no local file can be had of it: nothing is at {data.uri or 'its empty URI'!r}"
        )


def remove(path: str) -> None:
    """Remove a file or directory, if it is there."""
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def _only_in(folder: str) -> str:
    names = os.listdir(folder)
    if len(names) != 1:
        raise DataServiceError(f"the data service downloaded {len(names)} files where one was expected")
    return os.path.join(folder, names[0])
