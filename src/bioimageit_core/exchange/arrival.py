"""Records on their way into a new home: under names that it accepts, with their identities, and compared there."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

from bioimageit_core.containers import (
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    RawData,
    Run,
)
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, InvalidNameError, NotFoundError
from bioimageit_core.core.paths import storable_name
from bioimageit_core.exchange.content import digest, fetch
from bioimageit_core.exchange.facts import REFERENCE
from bioimageit_core.exchange.kept import store_result
from bioimageit_core.plugins.contracts import DataService

__all__ = ["Arrival"]

R = TypeVar("R")
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Arrival:
    """Puts records of one experiment into a service.

    Attributes
    ----------
    places
        The ``md_uri`` in the new home of what is there, by uuid.
    """

    def __init__(self, service: DataService, vocabulary: list[str]) -> None:
        self._service = service
        self._vocabulary = set(vocabulary)
        self._takes_mode = "mode" in inspect.signature(service.import_data).parameters
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

    def raw(self, old: RawData, new: Experiment, path: str, lay_at: str) -> RawData:
        """Import a raw data; by reference where it lay, if it still lies there and the home can."""
        reference = lay_at if self._takes_mode and lay_at and _is_same(lay_at, path) else ""
        # under a name of its own first: two data of one name and content are two in the new home as well
        name = storable_name(f"{old.name[:100]}~{old.uuid}")
        mode = {"mode": "reference"} if reference else {}
        about: tuple[Any, ...] = (name, old.author, old.format, old.date, {})
        data = self._service.import_data(new, reference or path, *about, **mode)
        data.uuid, data.name, data.metadata = old.uuid, old.name, dict(old.metadata)
        own = {REFERENCE: data.extra[REFERENCE]} if REFERENCE in data.extra else {}
        data.extra = {key: value for key, value in old.extra.items() if key != REFERENCE} | own
        pairs = old.key_value_pairs.items()
        data.key_value_pairs = {k: v for k, v in pairs if v != "" or k not in self._vocabulary}
        try:
            self._service.update_raw_data(data)
        except InvalidNameError:
            data.name = storable_name(data.name)
            keys = _storable_keys(list(data.key_value_pairs))
            data.key_value_pairs = dict(zip(keys, data.key_value_pairs.values(), strict=True))
            self._service.update_raw_data(data)
        return self._arrived(self._service.get_raw_data, data.md_uri, old, path)

    def processed(self, old: ProcessedData, dataset: Dataset, path: str) -> ProcessedData:
        """Store a processed data; its run and inputs are those of the new home."""
        run = Run(self.places.get(old.run.uuid, ""), old.run.uuid)

        def store(name: str) -> str:
            data = ProcessedData("", old.uuid, extra=dict(old.extra))
            data.set_info(name, old.author, old.date, old.format, path)
            data.set_output(old.output.get("name", ""), old.output.get("label", ""))
            data.run = Container(run.md_uri, run.uuid)
            for item in old.inputs:
                data.add_input_(item.name, self.places.get(item.uuid, ""), item.uuid, item.type)
            return store_result(self._service, dataset, run, data, path).md_uri

        expected = digest(path)[0]  # before the file is where the service wants it
        try:
            md_uri = store(old.name)
        except InvalidNameError:
            md_uri = store(storable_name(old.name))
        return self._arrived(self._service.get_processed_data, md_uri, old, "", expected)

    def _arrived(self, read: Callable[[str], R], md_uri: str, old: Data, path: str, expected: str = "") -> R:
        """Read back what was written, and compare the content of its file."""
        arrived = read(md_uri)
        with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
            found = digest(fetch(self._service, arrived, room))[0]  # type: ignore[arg-type]
        expected = expected or digest(path)[0]
        if found != expected:
            raise DataServiceError(f"{old.name!r} arrived with another content: SHA-256 {found}, was {expected}")
        self.places[old.uuid] = md_uri
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
