"""The tables of the data service in memory, and their transactions."""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bioimageit_core.containers import Container, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.testing.content import Content

__all__ = ["MemoryStore", "Tables", "read_record"]

AnyContainer = TypeVar("AnyContainer", bound=Container)


@dataclass
class Tables:
    """All records of a store. Records are replaced, never changed, so that a shallow copy is a snapshot."""

    experiments: dict[str, Experiment] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    data: dict[str, RawData | ProcessedData] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    files: dict[str, Content] = field(default_factory=dict)
    workspaces: dict[str, str] = field(default_factory=dict)
    experiment_of: dict[str, str] = field(default_factory=dict)

    def snapshot(self) -> Tables:
        """Copy the tables, not the records."""
        return Tables(**{name: dict(table) for name, table in vars(self).items()})


class MemoryStore:
    """What the sessions of `MemoryMetadataService` share.

    Attributes
    ----------
    before_write
        Called before each record is written; what it raises makes the whole operation fail.
    """

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:8]
        self.tables = Tables()
        self.before_write: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)

    def new_uri(self, kind: str) -> str:
        """Make an ``md_uri`` that no other record of any store has."""
        return f"mem:{self.id}/{kind}/{next(self._numbers)}"

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Tables]:
        """Give tables to change; the changes are seen by others when the block ends, all or none."""
        with self._lock:
            draft = self.tables.snapshot()
            try:
                yield draft
            except OSError as error:
                raise DataServiceError(f"nothing was written: {error}") from error
            self.tables = draft

    def put(self, table: dict[str, Any], uri: str, record: Any) -> None:
        """Write one record into a table of a transaction."""
        self.before_write()
        table[uri] = copy.deepcopy(record)


def read_record(kind: str, table: dict[str, AnyContainer], md_uri: str) -> AnyContainer:
    """Copy a record out of a table.

    Raises
    ------
    NotFoundError
        It is not there.
    """
    if md_uri not in table:
        raise NotFoundError(kind, md_uri)
    return copy.deepcopy(table[md_uri])
