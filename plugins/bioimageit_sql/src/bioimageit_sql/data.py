"""Raw and processed data, their annotations and their places in datasets, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from bioimageit_core.containers import Container, Data, Experiment, ProcessedData, RawData
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.paths import check_name
from bioimageit_core.core.query import fields_of
from bioimageit_sql import schema
from bioimageit_sql.annotations import index_text, rows_of
from bioimageit_sql.experiments import Experiments
from bioimageit_sql.records import Records
from bioimageit_sql.scanning import Scanned

__all__ = ["DataTable", "NewData"]

_Kind = TypeVar("_Kind", RawData, ProcessedData)
_OF_A_VALUE = ("kind", "text", "number", "is_exact")


@dataclass
class NewData:
    """A data to store, the key of its content, and where that came from."""

    data: RawData | ProcessedData
    content: str
    source: Scanned | None = None


class DataTable:
    """What is done to data within a transaction."""

    def __init__(self, records: Records, experiments: Experiments) -> None:
        self._records = records
        self._experiments = experiments

    # reading

    def read(self, connection: sa.Connection, md_uri: str, kind: type[_Kind]) -> _Kind:
        """Read a data; if it is raw, with every key of its experiment."""
        is_raw = kind is RawData
        what = "raw data" if is_raw else "processed data"
        id_ = self._records.id_of("data", md_uri, what)
        table = schema.data
        query = sa.select(table.c.document, table.c.experiment_id).where(table.c.id == id_, table.c.is_raw == is_raw)
        row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(what, md_uri)
        data = self._records.container(kind, md_uri, row.document)
        if isinstance(data, RawData):
            _fill_in(data, self.keys_of(connection, row.experiment_id))
        return data

    def read_many(self, connection: sa.Connection, ids: Sequence[int], keys: Sequence[str]) -> list[Data]:
        """Read data of one experiment, in the order of their ids here."""
        table = schema.data
        rows = connection.execute(sa.select(table.c.id, table.c.is_raw, table.c.document).where(table.c.id.in_(ids)))
        found: dict[int, Data] = {}
        for id_, is_raw, document in rows:
            md_uri = self._records.uri("data", id_)
            data: Data
            if is_raw:
                data = _fill_in(self._records.container(RawData, md_uri, document), keys)
            else:
                data = self._records.container(ProcessedData, md_uri, document)
            found[id_] = data
        return [found[id_] for id_ in ids if id_ in found]

    def read_again(self, connection: sa.Connection, ids: Sequence[int]) -> list[Data]:
        """Read data of one experiment that were just stored."""
        table = schema.data
        owner = connection.scalar(sa.select(table.c.experiment_id).where(table.c.id.in_(ids[:1])))
        return [] if owner is None else self.read_many(connection, ids, self.keys_of(connection, owner))

    def read_fields(self, connection: sa.Connection, ids: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
        """Read what queries ask of data (see `fields_of`), and no more of them than that takes."""
        table, source = schema.data, schema.data.alias()
        columns = (table.c.id, table.c.document, source.c.document.label("origin"))
        query = sa.select(*columns).join(source, source.c.id == table.c.source_id, isouter=True)
        found = {row.id: row for row in connection.execute(query.where(table.c.id.in_(ids)))}
        return [(id_, self._fields(found[id_])) for id_ in ids if id_ in found]

    def _fields(self, row: Any) -> dict[str, Any]:
        common = self._records.loads(row.document)["common"]
        pairs = self._records.loads(row.origin)["key_value_pairs"] if row.origin else {}
        data = Data("", "", common["name"], common["author"], common["date"], common["format"])
        return fields_of(data, RawData(key_value_pairs=pairs))

    def keys_of(self, connection: sa.Connection, experiment_id: int) -> list[str]:
        """Read the vocabulary of an experiment."""
        table = schema.experiment
        text = connection.scalar(sa.select(table.c.document).where(table.c.id == experiment_id))
        return self._records.container(Experiment, "", str(text)).keys

    def content_of(self, connection: sa.Connection, md_uri: str) -> Any:
        """Read the row of a data whose content is asked for."""
        table = schema.data
        id_ = self._records.id_of("data", md_uri)
        row = connection.execute(sa.select(table.c.name, table.c.content).where(table.c.id == id_)).one_or_none()
        if row is None:
            raise NotFoundError("data", md_uri)
        return row

    # storing

    def import_raw(self, connection: sa.Connection, experiment_id: int, sources: Sequence[NewData]) -> list[str]:
        """Store raw data, or find those that are there with the same name and content; give their URIs."""
        stored = self._experiments.lock(connection, experiment_id)
        dataset = schema.dataset
        dataset_id = connection.scalar(
            sa.select(dataset.c.id).where(dataset.c.experiment_id == experiment_id, dataset.c.is_raw)
        )
        known = self._known(connection, experiment_id, int(dataset_id or 0), sources)
        new: list[NewData] = []
        for source in sources:
            if (source.data.name, source.content) not in known:
                known[source.data.name, source.content] = 0
                new.append(source)
        for source, id_ in zip(new, self._allocate(connection, len(new)), strict=True):
            known[source.data.name, source.content] = id_
        rows = [self._row(known[s.data.name, s.content], experiment_id, s) for s in new]
        if rows:
            connection.execute(schema.data.insert(), rows)
            connection.execute(schema.entry.insert(), [_entry(int(dataset_id or 0), row["id"]) for row in rows])
            pairs = {row["id"]: s.data.key_value_pairs for row, s in zip(rows, new, strict=True)}  # type: ignore[union-attr]
            self._insert_annotations(connection, experiment_id, pairs)
            keys = dict.fromkeys(key for of_one in pairs.values() for key in of_one)
            self._experiments.add_keys(connection, experiment_id, stored, list(keys))
        return [self._records.uri("data", known[s.data.name, s.content]) for s in sources]

    def _known(
        self, connection: sa.Connection, experiment_id: int, dataset_id: int, sources: Sequence[NewData]
    ) -> dict[tuple[str, str], int]:
        table, entry = schema.data, schema.entry
        query = (
            sa.select(table.c.name, table.c.content, table.c.id)
            .join(entry, entry.c.data_id == table.c.id)
            .where(
                table.c.experiment_id == experiment_id,
                table.c.content.in_({source.content for source in sources}),
                table.c.is_raw,
                entry.c.dataset_id == dataset_id,
            )
        )
        return {(name, content): id_ for name, content, id_ in connection.execute(query.order_by(table.c.id.desc()))}

    def create(self, connection: sa.Connection, dataset_uri: str, run: Container, new: NewData) -> str:
        """Store a processed data and list it; give its URI."""
        dataset = self._experiments.dataset_row(connection, dataset_uri)
        self._check_run(connection, run.md_uri)
        (id_,) = self._allocate(connection, 1)
        row = self._row(id_, dataset.experiment_id, new)
        row["parent_id"], row["source_id"] = self._origin(connection, new.data, dataset.experiment_id)
        connection.execute(schema.data.insert().values(**row))
        connection.execute(schema.entry.insert().values(**_entry(dataset.id, id_)))
        return self._records.uri("data", id_)

    def receive(self, connection: sa.Connection, dataset_uri: str, sources: Sequence[NewData]) -> list[int]:
        """Store data, all raw or all processed, as they say that they are, and list them; give their ids."""
        dataset = self._experiments.dataset_row(connection, dataset_uri)
        self._experiments.lock(connection, dataset.experiment_id)
        if any(isinstance(source.data, RawData) != dataset.is_raw for source in sources):
            raise DataServiceError(f"{dataset.name!r} takes {'raw' if dataset.is_raw else 'processed'} data only")
        self._check_runs(connection, sources)
        ids = self._allocate(connection, len(sources))
        rows = [self._row(id_, dataset.experiment_id, source) for id_, source in zip(ids, sources, strict=True)]
        if not dataset.is_raw:
            origins = self._origins(connection, [source.data for source in sources], dataset.experiment_id)
            for row, origin in zip(rows, origins, strict=True):
                row["parent_id"], row["source_id"] = origin
        if rows:
            connection.execute(schema.data.insert(), rows)
            connection.execute(schema.entry.insert(), [_entry(dataset.id, id_) for id_ in ids])
        new = {id_: source.data for id_, source in zip(ids, sources, strict=True)}
        pairs = {id_: data.key_value_pairs for id_, data in new.items() if isinstance(data, RawData)}
        self._insert_annotations(connection, dataset.experiment_id, pairs)
        return ids

    def _check_runs(self, connection: sa.Connection, sources: Sequence[NewData]) -> None:
        uris = {new.data.run.md_uri for new in sources if isinstance(new.data, ProcessedData)}
        for md_uri in sorted(uris):
            self._check_run(connection, md_uri)

    def _check_run(self, connection: sa.Connection, md_uri: str) -> None:
        run_id = self._records.id_of("run", md_uri)
        if connection.scalar(sa.select(schema.run.c.id).where(schema.run.c.id == run_id)) is None:
            raise NotFoundError("run", md_uri)

    def update(self, connection: sa.Connection, data: RawData | ProcessedData) -> str:
        """Write what changed in a data; give its document."""
        check_name("data", data.name)
        table = schema.data
        is_raw = isinstance(data, RawData)
        what = "raw data" if is_raw else "processed data"
        id_ = self._records.id_of("data", data.md_uri, what)
        query = sa.select(table).where(table.c.id == id_, table.c.is_raw == is_raw).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(what, data.md_uri)
        if isinstance(data, RawData):
            data = self._without_filled_in(connection, row, data)
        document = self._records.changed(data, row.document)
        document["common"]["url"] = row.content
        text = self._records.text(document)
        merged = self._records.container(type(data), data.md_uri, text)
        values = self._columns(merged) | {"document": text}
        if isinstance(merged, ProcessedData):
            values["parent_id"], values["source_id"] = self._origin(connection, merged, row.experiment_id, {id_})
        connection.execute(table.update().where(table.c.id == id_).values(**values))
        if isinstance(merged, RawData):
            before = self._records.container(RawData, data.md_uri, row.document).key_value_pairs
            if before != merged.key_value_pairs:
                connection.execute(schema.annotation.delete().where(schema.annotation.c.data_id == id_))
                self._insert_annotations(connection, row.experiment_id, {id_: merged.key_value_pairs})
        elif values["source_id"] != row.source_id:
            self._hand_down(connection, id_, values["source_id"])
        return text

    def _without_filled_in(self, connection: sa.Connection, row: Any, data: RawData) -> RawData:
        """Leave out the keys that reading filled in with ``''``."""
        read = self._records.loads(self._records.last_read(data, row.document))["key_value_pairs"]
        vocabulary = set(self.keys_of(connection, row.experiment_id))
        said = {
            key: value
            for key, value in data.key_value_pairs.items()
            if value != "" or key in read or key not in vocabulary
        }
        copy = RawData(
            **{name: getattr(data, name) for name in RawData.__dataclass_fields__} | {"key_value_pairs": said}
        )
        self._records.copy_memory(data, copy)
        return copy

    # rows

    def _row(self, id_: int, experiment_id: int, new: NewData) -> dict[str, Any]:
        document = self._records.document(new.data)
        document["common"]["url"] = new.content
        return self._columns(new.data) | {
            "id": id_,
            "experiment_id": experiment_id,
            "is_raw": isinstance(new.data, RawData),
            "content": new.content,
            "parent_id": None,
            "source_id": id_ if isinstance(new.data, RawData) else 0,
            "document": self._records.text(document),
        }

    def _columns(self, data: RawData | ProcessedData) -> dict[str, Any]:
        return {
            "uuid": data.uuid,
            "name": data.name,
            "author": index_text(data.author.strip()),
            "date": index_text(data.date.strip()),
            "format": index_text(data.format.strip()),
            "output_name": index_text(data.output.get("name", "")) if isinstance(data, ProcessedData) else "",
        }

    def _allocate(self, connection: sa.Connection, count: int) -> list[int]:
        """Give ids that no data has; a raw data's row says its own id twice, so that it is known before."""
        if not count:
            return []
        if connection.dialect.name == "sqlite":  # nobody else writes meanwhile
            first = int(connection.scalar(sa.select(sa.func.coalesce(sa.func.max(schema.data.c.id), 0))) or 0) + 1
            return list(range(first, first + count))
        series = sa.func.generate_series(1, count)
        return list(connection.scalars(sa.select(schema.data_ids.next_value()).select_from(series)))

    def _origin(
        self, connection: sa.Connection, data: Data, experiment_id: int, descendants: set[int] | None = None
    ) -> tuple[int | None, int]:
        """Find the data that a data was made from first, and the raw data that this goes back to; 0 for none."""
        ((parent_id, source_id),) = self._origins(connection, [data], experiment_id)
        above = parent_id
        while descendants and above is not None:
            if above in descendants:
                raise DataServiceError(f"the inputs of {data.name!r} lead back to itself")
            above = connection.scalar(sa.select(schema.data.c.parent_id).where(schema.data.c.id == above))
        return parent_id, source_id

    def _origins(
        self, connection: sa.Connection, data: Sequence[Data], experiment_id: int
    ) -> list[tuple[int | None, int]]:
        """Do what `_origin` does for many data, in as few statements as can be."""
        table = schema.data
        firsts = [each.inputs[0] if isinstance(each, ProcessedData) and each.inputs else None for each in data]
        parents = [None if first is None else self._records.known_id("data", first.uri) for first in firsts]
        wanted = sorted({parent for parent in parents if parent is not None})
        rows: dict[int, tuple[int, int]] = {}
        for start in range(0, len(wanted), 500):
            query = sa.select(table.c.id, table.c.experiment_id, table.c.source_id)
            found = connection.execute(query.where(table.c.id.in_(wanted[start : start + 500])))
            rows.update((id_, (owner, source)) for id_, owner, source in found)
        for each, parent in zip(data, parents, strict=True):
            if parent in rows and rows[parent][0] != experiment_id:
                message = f"{each.name!r} cannot be made from a data of another experiment ({each.md_uri})"
                raise DataServiceError(message)
        return [(parent, rows[parent][1]) if parent in rows else (None, 0) for parent in parents]

    def _hand_down(self, connection: sa.Connection, id_: int, source_id: int) -> None:
        table = schema.data
        ids = [id_]
        while ids:
            children = list(connection.scalars(sa.select(table.c.id).where(table.c.parent_id.in_(ids))))
            if children:
                connection.execute(table.update().where(table.c.id.in_(children)).values(source_id=source_id))
            ids = children

    def _insert_annotations(
        self, connection: sa.Connection, experiment_id: int, pairs: dict[int, dict[str, Any]]
    ) -> None:
        rows = [row | {"data_id": id_} for id_, of_one in pairs.items() for row in rows_of(of_one)]
        if not rows:
            return
        terms = self._terms(connection, experiment_id, {row["key"] for row in rows})
        values = [(row["data_id"], terms[row["key"]], *(row[column] for column in _OF_A_VALUE)) for row in rows]
        # five rows a data: compiling each of them takes longer than storing it
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        columns = ("data_id", "term_id", *_OF_A_VALUE)
        statement = f"INSERT INTO annotation ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608
        connection.exec_driver_sql(statement, values)

    def terms(self, connection: sa.Connection, experiment_id: int, keys: Sequence[str]) -> dict[str, int]:
        """Find the ids of keys (as `index_text` makes them) that data of an experiment have values of."""
        table = schema.term
        found: dict[str, int] = {}
        for start in range(0, len(keys), 500):
            query = sa.select(table.c.key, table.c.id).where(
                table.c.experiment_id == experiment_id, table.c.key.in_(keys[start : start + 500])
            )
            found.update((key, id_) for key, id_ in connection.execute(query))
        return found

    def _terms(self, connection: sa.Connection, experiment_id: int, keys: set[str]) -> dict[str, int]:
        found = self.terms(connection, experiment_id, sorted(keys))
        # in one order, so that two writers do not wait for each other
        new = [{"experiment_id": experiment_id, "key": key} for key in sorted(keys - set(found))]
        if new:
            from sqlalchemy.dialects import postgresql, sqlite

            insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(schema.term)
            connection.execute(insert.on_conflict_do_nothing(), new)
            found = self.terms(connection, experiment_id, sorted(keys))
        return found


def _fill_in(data: RawData, keys: Sequence[str]) -> RawData:
    for key in keys:
        data.key_value_pairs.setdefault(key, "")
    return data


def _entry(dataset_id: int, data_id: int) -> dict[str, Any]:
    return {"dataset_id": dataset_id, "data_id": data_id, "md_uri": "", "uuid": ""}
