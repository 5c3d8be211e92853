"""Queries of a dataset, answered by the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from bioimageit_core.containers import Data
from bioimageit_core.core.query import Query, parse_query
from bioimageit_sql import schema
from bioimageit_sql.annotations import index_text
from bioimageit_sql.data import DataTable
from bioimageit_sql.database import Database
from bioimageit_sql.experiments import Experiments
from bioimageit_sql.translate import translate

__all__ = ["query_data"]

_BATCH = 500


def query_data(
    database: Database, experiments: Experiments, table: DataTable, dataset_uri: str, query: str, output_name: str
) -> Iterator[Data]:
    """Give the data of a dataset that `query` selects, in the dataset's order; parsed at once, read as you go.

    Raises
    ------
    DataQueryError
        The query cannot be understood.
    """
    parsed = parse_query(query)

    def select(connection: sa.Connection) -> tuple[list[int], bool, list[str]]:
        dataset = experiments.dataset_row(connection, dataset_uri)
        terms = table.terms(connection, dataset.experiment_id, [index_text(key) for key in sorted(parsed.keys())])
        translated = translate(parsed, terms, is_sqlite=database.is_sqlite)
        found = sa.select(schema.data.c.id).join(schema.entry, schema.entry.c.data_id == schema.data.c.id)
        found = found.where(schema.entry.c.dataset_id == dataset.id, translated.clause).order_by(schema.entry.c.id)
        if output_name:
            found = found.where(schema.data.c.output_name == index_text(output_name))
        keys = table.keys_of(connection, dataset.experiment_id)
        return list(connection.scalars(found)), translated.is_exact, keys

    ids, is_exact, keys = database.read(select)
    return _batches(database, table, ids, keys, None if is_exact else parsed)


def _batches(
    database: Database, table: DataTable, ids: Sequence[int], keys: Sequence[str], refine: Query | None
) -> Iterator[Data]:
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]

        def read(connection: sa.Connection, batch: Sequence[int] = batch) -> list[Data]:
            if refine is not None:
                batch = [id_ for id_, fields in table.read_fields(connection, batch) if refine.matches(fields)]
            return table.read_many(connection, batch, keys)

        yield from database.read(read)
