"""Containers on their way between a server and the HTTP home: every ``md_uri`` is an id there."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from bioimageit_core.containers import Container, Data, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.web.ids import Ids, Kind
from bioimageit_core.web.problems import ProblemError

__all__ = ["CLASSES", "Wire"]

Record = TypeVar("Record", Experiment, Dataset, RawData, ProcessedData, Run)
CLASSES: dict[str, type[Any]] = {
    "experiment": Experiment,
    "dataset": Dataset,
    "raw_dataset": Dataset,
    "raw": RawData,
    "processed": ProcessedData,
    "run": Run,
}


class Wire:
    """Writes and reads containers of one experiment.

    Parameters
    ----------
    experiment
        Its ``md_uri``.
    """

    def __init__(self, ids: Ids, experiment: str) -> None:
        self._ids = ids
        self._experiment = experiment

    def write(self, container: Container) -> dict[str, Any]:
        """Return a container as JSON; where a data's file lies is not told."""
        document: dict[str, Any] = msgspec.to_builtins(container)
        kind = self._kind(container)
        document["md_uri"] = self._id(kind, container.md_uri)
        if isinstance(container, Experiment):
            document["raw_dataset"]["url"] = self._id("raw_dataset", container.raw_dataset.url)
            for info in document["processed_datasets"]:
                info["url"] = self._id("dataset", info["url"])
        elif isinstance(container, Run):
            place = document["processed_dataset"]
            place["md_uri"] = self._id("dataset", place["md_uri"])
        elif isinstance(container, Data):
            document["uri"] = ""
        if isinstance(container, ProcessedData):
            document["run"]["md_uri"] = self._id("run", container.run.md_uri)
            for given in document["inputs"]:
                given["uri"] = self._id("raw" if given["type_"] == "raw" else "processed", given["uri"])
        return {"kind": kind, "record": document}

    def write_dataset(self, dataset: Dataset, *, is_raw: bool) -> dict[str, Any]:
        """Return a dataset and the list of its data as JSON."""
        document: dict[str, Any] = msgspec.to_builtins(dataset)
        kind: Kind = "raw_dataset" if is_raw else "dataset"
        document["md_uri"] = self._id(kind, dataset.md_uri)
        of: Kind = "raw" if is_raw else "processed"
        document["uris"] = [{"md_uri": self._id(of, each.md_uri), "uuid": each.uuid} for each in dataset.uris]
        return {"kind": kind, "record": document}

    def read(self, document: dict[str, Any], class_: type[Record]) -> Record:
        """Return the container that a client sent.

        Raises
        ------
        ProblemError
            It is none of that class.
        NotFoundError
            It refers to what the server did not show.
        """
        try:
            container: Record = msgspec.convert(document, class_)
        except (msgspec.ValidationError, RecursionError) as error:
            raise ProblemError(422, f"this is no {class_.__name__}: {error}") from error
        container.md_uri = self._md_uri(container.md_uri)
        if isinstance(container, Experiment):
            for info in [container.raw_dataset, *container.processed_datasets]:
                info.url = self._md_uri(info.url)
        elif isinstance(container, Dataset):
            for each in container.uris:
                each.md_uri = self._md_uri(each.md_uri)
        elif isinstance(container, Run):
            place = container.processed_dataset
            place.md_uri = self._md_uri(place.md_uri)
        if isinstance(container, ProcessedData):
            container.run.md_uri = self._md_uri(container.run.md_uri)
            for given in container.inputs:
                given.uri = self._md_uri(given.uri)
        return container

    def _kind(self, container: Container) -> Kind:
        kinds: tuple[tuple[type[Container], Kind], ...] = (
            (Experiment, "experiment"),
            (RawData, "raw"),
            (ProcessedData, "processed"),
            (Run, "run"),
        )
        return next(kind for class_, kind in kinds if isinstance(container, class_))

    def _id(self, kind: Kind, md_uri: str) -> str:
        return self._ids.make(kind, md_uri, self._experiment) if md_uri else ""

    def _md_uri(self, id_: str) -> str:
        if not id_:
            return ""
        reference = self._ids.read(id_)
        if reference.experiment != self._experiment:
            raise NotFoundError("record of this experiment", id_[:80])
        return reference.md_uri
