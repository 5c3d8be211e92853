"""The request: what scripts, the command line and the web page speak to."""

from __future__ import annotations

from typing import ClassVar

from bioimageit_core.api.annotating import AnnotationRequests
from bioimageit_core.api.data import DataRequests
from bioimageit_core.api.deleting import DeletingRequests
from bioimageit_core.api.exchanging import ExchangeRequests
from bioimageit_core.api.experiments import ExperimentRequests
from bioimageit_core.api.images import ImageRequests
from bioimageit_core.api.importing import ImportRequests
from bioimageit_core.api.keeping import KeepingRequests
from bioimageit_core.api.moving import MovingRequests
from bioimageit_core.api.paging import PagingRequests
from bioimageit_core.api.tools import ToolRequests

__all__ = ["APIAccess", "Request"]


class Request(
    ExperimentRequests,
    ImportRequests,
    AnnotationRequests,
    DataRequests,
    PagingRequests,
    KeepingRequests,
    DeletingRequests,
    MovingRequests,
    ExchangeRequests,
    ImageRequests,
    ToolRequests,
):
    """Ask for anything to be done with data, tools and runs.

    Every method hands the question to the service that the configuration chooses. Services are made when they are
    first used, with or without `connect`.

    Parameters
    ----------
    config_file
        A JSON file; see `bioimageit_core.core.config.Config` for what serves without one.
    debug
        Log messages of progress too, not only warnings and errors.
    log
        Write a log file in the configuration's ``log_dir``.

    Raises
    ------
    ConfigError
        The configuration cannot be used.
    """

    def __enter__(self) -> Request:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class APIAccess:
    """The request that a whole process shares."""

    _current: ClassVar[Request | None] = None

    @classmethod
    def instance(cls, config_file: str = "") -> Request:
        """Return the shared request, connected: made at the first call, and anew whenever a file is given."""
        if config_file or cls._current is None:
            request = Request(config_file)
            request.connect()
            cls._current = request
        return cls._current
