"""What the commands share: the request, and how a user names things."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from bioimageit_core.cli.status import printable
from bioimageit_core.core.exceptions import ConflictError, UnknownNameError

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.containers import Container, Data, DatasetInfo, Experiment

__all__ = ["EXPERIMENT_HELP", "Session", "folder_of", "session_of"]

EXPERIMENT_HELP = "Its name in the workspace; or a path or URI, which has a '/' in it or is a folder here."


_STORE = "bioimageit_core.plugins.store"  # warns of what somebody at a terminal has to know: for whom it waits


class _Warnings(logging.Handler):
    """Shows warnings on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(printable(f"warning: {record.getMessage()}"), err=True)


class Session:
    """One call of the command: its configuration, and the request made from it when it is first used."""

    def __init__(
        self, config_file: str = "", is_debug: bool = False, make_request: Callable[..., Any] | None = None
    ) -> None:
        self.config_file = config_file
        self.is_debug = is_debug
        self._make_request = make_request
        self._warnings = _Warnings(logging.WARNING)

    @cached_property
    def request(self) -> Request:
        """The connected request."""
        make = self._make_request
        if make is None:
            from bioimageit_core.api import Request

            make = Request
        logging.getLogger(_STORE).addHandler(self._warnings)
        request: Request = make(self.config_file, debug=self.is_debug, log=True)
        request.connect()
        return request

    def close(self) -> None:
        """End the log, if a request was made."""
        logging.getLogger(_STORE).removeHandler(self._warnings)
        if "request" in self.__dict__:
            self.request.close()

    def mask(self, text: str) -> str:
        """Take the secrets of the configuration, and those in URLs, out of a text."""
        if "request" in self.__dict__:
            return self.request.config.mask(text)
        from bioimageit_core.core.secrets import mask

        return mask(text, ())

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Any]:
        """Show a progress bar on a terminal while the request works."""
        from bioimageit_core.cli.progress import ProgressObserver

        with ProgressObserver(title) as observer:
            self.request.add_observer(observer)
            try:
                yield observer
            finally:
                self.request.remove_observer(observer)

    def experiment(self, name: str) -> Experiment:
        """Find the experiment that the user named: a path or URI, or a name in the workspace.

        Raises
        ------
        NotFoundError
            There is none of that name; the error names those that are like it.
        ConflictError
            Several are called so.
        """
        if _is_uri(name):
            return self.request.get_experiment(name)
        found = self.request.get_workspace_experiments()
        named = [entry for entry in found if name in (entry["info"].name, folder_of(entry["md_uri"]))]
        exact = [entry for entry in named if entry["info"].name == name] or named
        if not exact:
            raise UnknownNameError("experiment", name, "the workspace", [entry["info"].name for entry in found])
        if len(exact) > 1:
            where = ", ".join(entry["md_uri"] for entry in exact)
            raise ConflictError(f"several experiments are named {name!r}; give the path of one: {where}")
        experiment: Experiment = self.request.get_experiment(exact[0]["md_uri"])
        return experiment

    def dataset_info(self, experiment: Experiment, name: str) -> DatasetInfo:
        """Find a dataset of an experiment by its name.

        Raises
        ------
        NotFoundError
            The experiment has none of that name.
        """
        infos = [experiment.raw_dataset, *experiment.processed_datasets]
        for info in infos:
            if info.name == name:
                return info
        raise UnknownNameError("dataset", name, f"experiment {experiment.name!r}", [info.name for info in infos])

    def listed(self, experiment: Experiment, dataset: str, name: str) -> Container | None:
        """Find a data, also one that cannot be read, by its URI, the last part of that, or its uuid."""
        info = self.dataset_info(experiment, dataset)
        for item in self.request.data_service.get_dataset(info.url).uris:
            if name in (item.md_uri, item.uuid, item.md_uri.rpartition("/")[2]):
                return item
        return None

    def data(self, experiment: Experiment, dataset: str, name: str) -> Data:
        """Read a data of a dataset, named by its name, its name without extension, its URI or its uuid.

        Raises
        ------
        NotFoundError
            The dataset has no such data.
        ConflictError
            Several are called so.
        """
        from bioimageit_core.core.annotate import stem_of

        if item := self.listed(experiment, dataset, name):
            is_raw = self.dataset_info(experiment, dataset) is experiment.raw_dataset
            read = self.request.get_raw_data if is_raw else self.request.get_processed_data
            return read(item.md_uri)
        # asked for a part of the name, a home that has an index reads no more than it must
        quoted = json.dumps(stem_of(name) or name, ensure_ascii=False)
        found: list[Data] = list(self.request.query(experiment, dataset, f"name={quoted}"))
        for named in ([data for data in found if data.name == name], [d for d in found if stem_of(d.name) == name]):
            if len(named) > 1:
                which = ", ".join(data.uuid or data.md_uri for data in named)
                raise ConflictError(f"several data of {dataset!r} are named {name!r}; give the uuid of one: {which}")
            if named:
                return named[0]
        raise UnknownNameError("data", name, f"dataset {dataset!r}", self._names(experiment, dataset))

    def _names(self, experiment: Experiment, dataset: str) -> list[str]:
        """Return the names of the data of a dataset, to choose from; none where one of them cannot be read."""
        from bioimageit_core.core.exceptions import DataServiceError

        try:
            return [data.name for data in self.request.query(experiment, dataset, "")]
        except DataServiceError:
            return []


def session_of(ctx: typer.Context) -> Session:
    """Return the session of a call."""
    root = ctx.find_root()
    if not isinstance(root.obj, Session):
        root.obj = Session(root.params.get("config") or "")
    return root.obj


def _is_uri(name: str) -> bool:
    return (
        "/" in name or os.sep in name or name in (".", "..") or os.path.exists(os.path.join(name, "experiment.md.json"))
    )


def folder_of(md_uri: str) -> str:
    """Return the name of the folder that an experiment is kept in."""
    path = md_uri.replace("\\", "/").rstrip("/")
    return os.path.basename(path.removesuffix("/experiment.md.json"))
