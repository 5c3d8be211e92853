"""Containers on their way to the server and back: an ``md_uri`` is the URL of the record there."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from bioimageit_core.containers import Container, Data, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError

__all__ = ["Records"]

_CLASSES: dict[str, type[Any]] = {
    "experiment": Experiment,
    "dataset": Dataset,
    "raw_dataset": Dataset,
    "raw": RawData,
    "processed": ProcessedData,
    "run": Run,
}


class Records:
    """Writes and reads containers.

    Parameters
    ----------
    api
        URL of the server's API.
    """

    def __init__(self, api: str) -> None:
        self._records = f"{api}/service/records/"
        self._files = f"{api}/data/"
        # what was read, so that a change that another made meanwhile is told from one made here
        self._bases: WeakKeyDictionary[Container, dict[str, Any]] = WeakKeyDictionary()

    def id_of(self, md_uri: str, what: str = "record") -> str:
        """Return the server's id of a record.

        Raises
        ------
        NotFoundError
            It is no record of this server.
        """
        id_ = md_uri.removeprefix(self._records) if md_uri.startswith(self._records) else ""
        if not id_ or not all(c.isascii() and (c.isalnum() or c in "-_") for c in id_):
            raise NotFoundError(what, md_uri)
        return id_

    def uri_of(self, id_: str) -> str:
        """Return the ``md_uri`` of an id."""
        return f"{self._records}{id_}" if id_ else ""

    def read(self, answer: dict[str, Any], wanted: type[Any], uri: str = "") -> Any:
        """Return the container that the server told.

        Raises
        ------
        NotFoundError
            It is of another kind than what is wanted.
        """
        class_ = _CLASSES.get(str(answer.get("kind")))
        if class_ is not wanted:
            raise NotFoundError(wanted.__name__, uri)
        try:
            container = msgspec.convert(answer["record"], class_)
        except (KeyError, msgspec.ValidationError) as error:
            raise DataServiceError(f"the server told a record that is none: {error}") from error
        self._bases[container] = answer["record"]
        self._translate(container, self.uri_of)
        if isinstance(container, Data):
            container.uri = f"{self._files}{answer['record']['md_uri']}/file"
        return container

    def write(self, container: Container) -> dict[str, Any]:
        """Return a container as the server takes it; where a data's file lies is not told."""
        document = msgspec.to_builtins(container)
        copy = msgspec.convert(document, type(container))
        self._translate(copy, lambda md_uri: self.id_of(md_uri) if md_uri else "")
        written: dict[str, Any] = msgspec.to_builtins(copy)
        if isinstance(container, Data):
            written["uri"] = ""
        return written

    def base_of(self, container: Container) -> dict[str, Any] | None:
        """Return the record that a container was read from, or last written as; None for one that was made here."""
        return self._bases.get(container)

    def remember(self, container: Container, written: dict[str, Any]) -> None:
        """Take what was written as what the container was read from."""
        self._bases[container] = written

    def _translate(self, container: Container, translate: Any) -> None:
        container.md_uri = translate(container.md_uri)
        if isinstance(container, Experiment):
            for info in [container.raw_dataset, *container.processed_datasets]:
                info.url = translate(info.url)
        elif isinstance(container, Dataset):
            for each in container.uris:
                each.md_uri = translate(each.md_uri)
        elif isinstance(container, Run):
            container.processed_dataset.md_uri = translate(container.processed_dataset.md_uri)
        elif isinstance(container, ProcessedData):
            container.run.md_uri = translate(container.run.md_uri)
            for given in container.inputs:
                given.uri = translate(given.uri)
