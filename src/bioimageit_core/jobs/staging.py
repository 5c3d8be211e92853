"""Between a data service and the files that tools read and write."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bioimageit_core.containers import Data, Dataset, ProcessedData, Run
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.wrappers.datatypes import extension_of
from bioimageit_core.jobs.plan import Inputs, local_path
from bioimageit_core.plugins.contracts import CleansUp, CreatesDataUri, DeletesData, DownloadsData, GetsDataUri

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["Staging", "remove"]

logger = logging.getLogger(__name__)


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
        self._service_turn = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._copies: dict[str, str] = {}
        self._to_come: Counter[str] = Counter()
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
        with self._service_turn:
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
                with self._service_turn:
                    self._to_come[data.md_uri] -= 1
                    copy = self._copies.pop(data.md_uri, "") if self._to_come[data.md_uri] <= 0 else ""
                if copy and (self._removes or copy.startswith(self._folder)):
                    remove(copy)

    def place(self, data: ProcessedData, folder: str) -> str:
        """Say where a tool is to write a data: where the service wants it, else in `folder`."""
        if isinstance(self._service, CreatesDataUri):
            with self._service_turn:
                placed = self._service.create_data_uri(self._dataset, self._run, data)
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

    def store(self, outputs: Sequence[ProcessedData]) -> list[ProcessedData]:
        """Create all data of an item, or none of them."""
        stored: list[ProcessedData] = []
        try:
            for data in outputs:
                with self._service_turn:
                    created = self._service.create_data(self._dataset, self._run, data)
                stored.append(created or data)
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
