"""Records on their way into a new home: under names that it accepts, with their identities, and compared there."""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from bioimageit_core.containers import (
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    ProcessedDataInputContainer,
    RawData,
    Run,
)
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, InvalidNameError, NotFoundError
from bioimageit_core.core.paths import storable_name
from bioimageit_core.exchange.content import digest, stored_digest
from bioimageit_core.exchange.facts import REFERENCE
from bioimageit_core.exchange.kept import store_result
from bioimageit_core.exchange.loads import Fetched
from bioimageit_core.plugins.contracts import DataService, ReceivesData

__all__ = ["Arrival"]

D = TypeVar("D", bound=Data)
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Arrival:
    """Puts records of one experiment into a service.

    Attributes
    ----------
    places
        The ``md_uri`` in the new home of what is there, by uuid.
    receives
        Whether the new home takes in many data at once, and leaves their files as they are.
    """

    def __init__(self, service: DataService, vocabulary: list[str]) -> None:
        self._service = service
        self._vocabulary = set(vocabulary)
        self._takes_mode = "mode" in inspect.signature(service.import_data).parameters
        self.receives = isinstance(service, ReceivesData)
        self.places: dict[str, str] = {}

    def experiment(self, old: Experiment, destination: str) -> Experiment:
        """Find or make an experiment, and give it its identity."""
        found = self.find(old, destination)
        if found is None:
            found = self._create(old, destination)
        elif found.uuid == old.uuid:
            return found
        found.uuid = old.uuid  # at once, so that a transfer that is interrupted finds it again
        self._service.update_experiment(found)
        return self._service.get_experiment(found.md_uri)

    def find(self, old: Experiment, destination: str) -> Experiment | None:
        """Find an experiment by its identity, or what was made of it before it got one."""
        entries = self._service.get_workspace_experiments(destination)
        for entry in entries:
            if entry["info"].uuid == old.uuid:
                return self._service.get_experiment(entry["md_uri"])
        about = (storable_name(old.name), old.author, old.date)
        for entry in entries:
            info: Experiment = entry["info"]
            if (storable_name(info.name), info.author, info.date) == about and not info.processed_datasets:
                found = self._service.get_experiment(entry["md_uri"])
                if not self._service.get_dataset(found.raw_dataset.url).uris:
                    return found
        return None

    def _create(self, old: Experiment, destination: str) -> Experiment:
        def create(name: str, keys: list[str]) -> Experiment:
            made = self._service.create_experiment(name, old.author, old.date, keys, destination)
            return self._service.get_experiment(made.md_uri)

        try:
            return create(old.name, list(old.keys))
        except InvalidNameError:
            return create(storable_name(old.name), _storable_keys(old.keys))

    def describe(self, stored: Experiment, old: Experiment) -> None:
        """Let an experiment say what the old one says; its list of datasets is its own."""
        stored.name, stored.author, stored.date = old.name, old.author, old.date
        stored.keys, stored.extra = list(old.keys), dict(old.extra)
        try:
            self._service.update_experiment(stored)
        except InvalidNameError:
            stored.name, stored.keys = storable_name(old.name), _storable_keys(old.keys)
            self._service.update_experiment(stored)

    # datasets and runs

    def dataset(self, new: Experiment, name: str, uuid: str) -> DatasetInfo:
        """Make a processed dataset, under another name where the home refuses or has it."""
        plain = storable_name(name)
        for attempt in (name, plain, f"{plain[:100]}~{uuid[:8]}"):
            with contextlib.suppress(InvalidNameError, ConflictError):
                made = self._service.create_dataset(new, attempt)
                return DatasetInfo(attempt, made.md_uri, made.uuid)
        raise DataServiceError(f"the new home takes no dataset named {name!r}, nor {plain!r}")

    def identify(self, dataset: Dataset, old: Dataset, name: str) -> Dataset:
        """Give a dataset the identity, the order and the unknown keys of the one it is."""
        accepted = dataset.name
        dataset.uuid, dataset.name, dataset.extra = old.uuid, name, dict(old.extra)
        dataset.uris = [Container(self.places[i.uuid], i.uuid) for i in old.uris if i.uuid in self.places]
        try:
            self._service.update_dataset(dataset)
        except (InvalidNameError, ConflictError):
            dataset.name = accepted
            self._service.update_dataset(dataset)
        return self._service.get_dataset(dataset.md_uri)

    def run(self, dataset: Dataset, old: Run) -> Run:
        """Store a run."""
        run = Run("", old.uuid, old.process_name, old.process_uri, extra=dict(old.extra))
        run.parameters, run.inputs = list(old.parameters), list(old.inputs)
        made = self._service.create_run(dataset, run)
        self.places[old.uuid] = made.md_uri
        return self._service.get_run(made.md_uri)

    # data

    def put(
        self, load: Sequence[Fetched], dataset: Dataset, new: Experiment, references: Mapping[str, str]
    ) -> Iterator[tuple[Fetched, Data]]:
        """Store a load, and give what arrived; many at once where the home can.

        Parameters
        ----------
        references
            Where the files of data lay that were left where they lay, by uuid.
        """
        apart = list(load)
        if isinstance(self._service, ReceivesData):
            together = [each for each in load if not (self._takes_mode and references.get(each.data.uuid))]
            try:
                arrived = self._receive(self._service, together, dataset)
            except InvalidNameError:  # one by one it is told which, and that one gets another name
                pass
            else:
                yield from zip(together, arrived, strict=True)
                apart = [each for each in load if self._takes_mode and references.get(each.data.uuid)]
        for each in apart:
            with each.own() as own:  # services may move what they are given, or link to it
                if isinstance(each.data, RawData):
                    yield each, self._raw(own, each.data, new, references.get(each.data.uuid, ""))
                elif isinstance(each.data, ProcessedData):
                    yield each, self._processed(own, each.data, dataset)

    def _receive(self, service: ReceivesData, load: Sequence[Fetched], dataset: Dataset) -> list[Data]:
        sent = [self._as_here(each.data, each.path) for each in load]
        arrived = service.receive_data(Container(dataset.md_uri, dataset.uuid), sent) if sent else []
        for fetched, data in zip(load, arrived, strict=True):
            self._check(fetched, data, lies_at_uri=True)
        return arrived

    def _as_here(self, old: D, path: str) -> D:
        """Say of a data what it is to be in the new home."""
        data = copy.copy(old)
        data.md_uri, data.uri = "", path
        data.extra = {key: value for key, value in old.extra.items() if key != REFERENCE}
        if isinstance(data, RawData):
            data.key_value_pairs = self._said(data)
        if isinstance(data, ProcessedData):
            data.run = Container(self.places.get(data.run.uuid, ""), data.run.uuid)
            data.inputs = [
                ProcessedDataInputContainer(item.name, self.places.get(item.uuid, ""), item.uuid, item.type)
                for item in data.inputs
            ]
        return data

    def _said(self, data: RawData) -> dict[str, Any]:
        """Leave out the keys that reading filled in with ``''``."""
        return {k: v for k, v in data.key_value_pairs.items() if v != "" or k not in self._vocabulary}

    def _raw(self, fetched: Fetched, old: RawData, new: Experiment, lay_at: str) -> RawData:
        """Import a raw data; by reference where it lay, if it still lies there and the home can."""
        reference = lay_at if self._takes_mode and lay_at and _is_same(lay_at, fetched.path) else ""
        # under a name of its own first: two data of one name and content are two in the new home as well
        name = storable_name(f"{old.name[:100]}~{old.uuid}")
        mode = {"mode": "reference" if reference else "copy"} if self._takes_mode else {}
        about: tuple[Any, ...] = (name, old.author, old.format, old.date, {})
        data = self._service.import_data(new, reference or fetched.path, *about, **mode)
        data.uuid, data.name, data.metadata = old.uuid, old.name, dict(old.metadata)
        own = {REFERENCE: data.extra[REFERENCE]} if REFERENCE in data.extra else {}
        data.extra = {key: value for key, value in old.extra.items() if key != REFERENCE} | own
        data.key_value_pairs = self._said(old)
        try:
            self._service.update_raw_data(data)
        except InvalidNameError:
            data.name = storable_name(data.name)
            keys = _storable_keys(list(data.key_value_pairs))
            data.key_value_pairs = dict(zip(keys, data.key_value_pairs.values(), strict=True))
            self._service.update_raw_data(data)
        return self._check(fetched, self._service.get_raw_data(data.md_uri))

    def _processed(self, fetched: Fetched, old: ProcessedData, dataset: Dataset) -> ProcessedData:
        """Store a processed data; its run and inputs are those of the new home."""

        def store(name: str) -> str:
            data = self._as_here(old, fetched.path)
            data.name = name
            run = Run(self.places.get(old.run.uuid, ""), old.run.uuid)
            return store_result(self._service, dataset, run, data, fetched.path).md_uri

        try:
            md_uri = store(old.name)
        except InvalidNameError:
            md_uri = store(storable_name(old.name))
        return self._check(fetched, self._service.get_processed_data(md_uri))

    def _check(self, fetched: Fetched, arrived: D, *, lies_at_uri: bool = False) -> D:
        """Compare the content of a file that was stored with what was sent."""
        found = stored_digest(self._service, arrived, lies_at_uri=lies_at_uri)
        if found != fetched.sha256:
            about = f"SHA-256 {found}, was {fetched.sha256}"
            raise DataServiceError(f"{fetched.data.name!r} arrived with another content: {about}")
        self.places[fetched.data.uuid] = arrived.md_uri
        return arrived

    def read(self, uuid: str, *, is_raw: bool) -> Data:
        """Read a data that is there.

        Raises
        ------
        NotFoundError
            It is not.
        """
        if uuid not in self.places:
            raise NotFoundError("data", uuid)
        return (self._service.get_raw_data if is_raw else self._service.get_processed_data)(self.places[uuid])


def _is_same(uri: str, path: str) -> bool:
    return os.path.exists(uri) and digest(uri) == digest(path)


def _storable_keys(keys: list[str]) -> list[str]:
    stored: list[str] = []
    for key in keys:
        plain = _UNSTORABLE.sub("\ufffd", key)
        stored.append(plain if plain not in stored else f"{plain}~{len(stored)}")
    return stored
