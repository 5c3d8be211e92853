"""What in an experiment, or in the store of files, does not hold; and files that no record speaks of, taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.plugins.contracts import Finding
from bioimageit_sql import schema
from bioimageit_sql.contents import Contents
from bioimageit_sql.database import Database
from bioimageit_sql.records import Records

__all__ = ["Checker"]

_OLD = 24 * 3600.0  # seconds after which a file without a record is not one that is about to get one
_BATCH = 500


class Checker:
    """Checks a store."""

    def __init__(self, database: Database, contents: Contents, records: Records) -> None:
        self._database = database
        self._contents = contents
        self._records = records

    def check(
        self, md_uri: str, *, content: bool, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Finding]:
        """Give the files of an experiment that are missing or damaged, and those of the store that nobody speaks of."""
        files = self._files_of(md_uri)
        for number, (id_, name, key) in enumerate(files, 1):
            uri = self._records.uri("data", id_)
            try:
                if content:
                    self._contents.verify(key)
                elif not self._contents.is_there(key):
                    raise NotFoundError("file", self._contents.uri(key))
            except NotFoundError:
                yield Finding("missing file", uri, f"the file of {name!r} is gone: {self._contents.uri(key)}")
            except DataServiceError as error:
                yield Finding("checksum", uri, f"{name!r}: {error}")
            if progress:
                progress(number, len(files))
        for key in self._orphans():
            yield Finding("orphan file", self._contents.uri(key), "no record speaks of it", repairable=True)

    def repair(self, md_uri: str) -> Iterator[str]:
        """Remove the files that nobody speaks of, and say which.

        A file is set aside first, and put back if by then a record speaks of it; who imports looks, after the record is
        there, whether the file still is. So none is lost, however the two meet.
        """
        self._records.id_of("experiment", md_uri)
        self._contents.put_all_back()
        for key in list(self._orphans()):
            aside = self._contents.set_aside(key)
            if self._unknown([key]):
                self._contents.remove(aside)
                yield f"removed {self._contents.uri(key)}, of which no record speaks"
            else:
                self._contents.put_back(aside)

    def _files_of(self, md_uri: str) -> list[tuple[int, str, str]]:
        table, id_ = schema.data, self._records.id_of("experiment", md_uri)

        def read(connection: sa.Connection) -> list[tuple[int, str, str]]:
            if connection.scalar(sa.select(schema.experiment.c.id).where(schema.experiment.c.id == id_)) is None:
                raise NotFoundError("experiment", md_uri)
            query = sa.select(table.c.id, table.c.name, table.c.content).where(table.c.experiment_id == id_)
            return [(row.id, row.name, row.content) for row in connection.execute(query.order_by(table.c.id))]

        return self._database.read(read)

    def _orphans(self) -> Iterator[str]:
        batch: list[str] = []
        for key in self._contents.keys(before=time.time() - _OLD):
            batch.append(key)
            if len(batch) == _BATCH:
                yield from self._unknown(batch)
                batch = []
        yield from self._unknown(batch)

    def _unknown(self, keys: list[str]) -> list[str]:
        # the index begins with the experiment; few are as cheap to ask as all of them
        table, experiment = schema.data, schema.experiment
        query = sa.select(table.c.content).where(
            table.c.experiment_id.in_(sa.select(experiment.c.id)), table.c.content.in_(keys)
        )
        known = set(self._database.read(lambda connection: list(connection.scalars(query)))) if keys else set()
        return [key for key in keys if key not in known]
