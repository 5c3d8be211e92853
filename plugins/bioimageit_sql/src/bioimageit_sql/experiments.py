"""Experiments, their datasets and their runs, as rows."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from bioimageit_core.containers import Container, Dataset, DatasetInfo, Experiment, Run
from bioimageit_core.core.exceptions import ConflictError, NotFoundError
from bioimageit_core.core.paths import check_name, simplify_path
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_sql import schema
from bioimageit_sql.records import Records

__all__ = ["RAW", "Experiments", "new_experiment", "workspace_of"]

RAW = "data"
_LAST_ENTRY = "_sql_last_entry"


def workspace_of(uri: str) -> str:
    """Give the name under which a workspace stands in the table: without what means nothing in a path."""
    return simplify_path(uri).rstrip("/") if uri else ""


class Experiments:
    """What is done to experiments, datasets and runs within a transaction."""

    def __init__(self, records: Records) -> None:
        self._records = records

    # experiments

    def create(self, connection: sa.Connection, experiment: Experiment, workspace: str) -> Experiment:
        """Store a new experiment and its raw dataset."""
        table = schema.experiment
        taken = sa.select(table.c.id).where(table.c.workspace == workspace, table.c.name == experiment.name)
        if connection.scalar(taken) is not None:
            raise ConflictError(f"the workspace {workspace!r} already has an experiment {experiment.name!r}")
        document = self._document(experiment)
        row = {"name": experiment.name, "uuid": experiment.uuid, "document": self._records.text(document)}
        id_ = _inserted(connection, table.insert().values(workspace=workspace, **row))
        self._insert_dataset(connection, id_, RAW, is_raw=True)
        return self.read(connection, id_)

    def read(self, connection: sa.Connection, id_: int) -> Experiment:
        """Read an experiment and the list of its datasets."""
        found = self._read(connection, schema.experiment.c.id == id_)
        if not found:
            raise NotFoundError("experiment", self._records.uri("experiment", id_))
        return found[0]

    def read_all(self, connection: sa.Connection, workspace: str) -> list[Experiment]:
        """Read the experiments of a workspace, oldest first."""
        return self._read(connection, schema.experiment.c.workspace == workspace)

    def _read(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Experiment]:
        table, datasets = schema.experiment, schema.dataset
        rows = connection.execute(sa.select(table.c.id, table.c.document).where(condition).order_by(table.c.id))
        found = {
            row.id: self._records.container(Experiment, self._records.uri("experiment", row.id), row.document)
            for row in rows
        }
        columns = (datasets.c.experiment_id, datasets.c.id, datasets.c.name, datasets.c.uuid, datasets.c.is_raw)
        query = sa.select(*columns).join(table, table.c.id == datasets.c.experiment_id).where(condition)
        for row in connection.execute(query.order_by(datasets.c.id)):
            info = DatasetInfo(row.name, self._records.uri("dataset", row.id), row.uuid)
            if row.is_raw:
                found[row.experiment_id].raw_dataset = info
            else:
                found[row.experiment_id].processed_datasets.append(info)
        return list(found.values())

    def update(self, connection: sa.Connection, experiment: Experiment) -> str:
        """Write what changed in an experiment; give its document. The list of its datasets is the table's own."""
        check_name("experiment", experiment.name)
        table = schema.experiment
        id_ = self._records.id_of("experiment", experiment.md_uri)
        stored = self.lock(connection, id_)
        document = self._records.changed(experiment, stored)
        document |= _NO_DATASETS
        text = self._records.text(document)
        values = {"name": document["information"]["name"], "uuid": document["uuid"], "document": text}
        connection.execute(table.update().where(table.c.id == id_).values(**values))
        return text

    def lock(self, connection: sa.Connection, id_: int) -> str:
        """Keep other writers from an experiment until the transaction ends; give its document."""
        table = schema.experiment
        found = connection.scalar(sa.select(table.c.document).where(table.c.id == id_).with_for_update())
        if found is None:
            raise NotFoundError("experiment", self._records.uri("experiment", id_))
        return str(found)

    def add_keys(self, connection: sa.Connection, id_: int, stored: str, keys: list[str]) -> None:
        """Add words to the vocabulary of an experiment that is locked."""
        experiment = self._records.container(Experiment, self._records.uri("experiment", id_), stored)
        known = len(experiment.keys)
        for key in keys:
            experiment.set_key(key)
        if len(experiment.keys) > known:
            text = self._records.text(self._document(experiment))
            table = schema.experiment
            connection.execute(table.update().where(table.c.id == id_).values(document=text))

    def _document(self, experiment: Experiment) -> dict[str, Any]:
        return self._records.document(experiment) | _NO_DATASETS

    # datasets

    def create_dataset(self, connection: sa.Connection, experiment_id: int, name: str) -> Dataset:
        """Store a new processed dataset."""
        self.lock(connection, experiment_id)
        table = schema.dataset
        taken = sa.select(table.c.id).where(table.c.experiment_id == experiment_id, table.c.name == name)
        if connection.scalar(taken) is not None:
            raise ConflictError(f"the experiment already has a dataset {name!r}")
        return self.read_dataset(connection, self._insert_dataset(connection, experiment_id, name, is_raw=False))

    def _insert_dataset(self, connection: sa.Connection, experiment_id: int, name: str, *, is_raw: bool) -> int:
        dataset = Dataset("", generate_uuid(), name)
        row = {"name": name, "uuid": dataset.uuid, "document": self._records.text(self._records.document(dataset))}
        return _inserted(connection, schema.dataset.insert().values(experiment_id=experiment_id, is_raw=is_raw, **row))

    def read_dataset(self, connection: sa.Connection, id_: int) -> Dataset:
        """Read a dataset and its list."""
        md_uri = self._records.uri("dataset", id_)
        text = connection.scalar(sa.select(schema.dataset.c.document).where(schema.dataset.c.id == id_))
        if text is None:
            raise NotFoundError("dataset", md_uri)
        dataset = self._records.container(Dataset, md_uri, text)
        rows = self._entries(connection, id_)
        dataset.uris = [Container(md_uri, uuid) for _, md_uri, uuid in rows]
        setattr(dataset, _LAST_ENTRY, rows[-1][0] if rows else 0)
        return dataset

    def _entries(self, connection: sa.Connection, dataset_id: int) -> list[tuple[int, str, str]]:
        entry, data = schema.entry, schema.data
        columns = (entry.c.id, entry.c.data_id, entry.c.md_uri, entry.c.uuid, data.c.uuid.label("data_uuid"))
        query = sa.select(*columns).join(data, data.c.id == entry.c.data_id, isouter=True)
        prefix = self._records.uri("data", "")  # once: a list may have a million
        rows = [
            (id_, md_uri, uuid) if data_id is None else (id_, f"{prefix}{data_id}", data_uuid)
            for id_, data_id, md_uri, uuid, data_uuid in connection.execute(
                query.where(entry.c.dataset_id == dataset_id)
            )
        ]
        rows.sort(key=itemgetter(0))  # they come nearly in order, which costs less here than in the database
        return rows

    def update_dataset(self, connection: sa.Connection, dataset: Dataset) -> str:
        """Write a dataset's name and list; what others added since it was read stays in it."""
        check_name("dataset", dataset.name)
        table, entry = schema.dataset, schema.entry
        id_ = self._records.id_of("dataset", dataset.md_uri)
        stored = connection.scalar(sa.select(table.c.document).where(table.c.id == id_).with_for_update())
        if stored is None:
            raise NotFoundError("dataset", dataset.md_uri)
        document = self._records.changed(dataset, stored) | {"urls": []}
        text = self._records.text(document)
        values = {"name": document["name"], "uuid": document["uuid"], "document": text}
        connection.execute(table.update().where(table.c.id == id_).values(**values))

        before = self._entries(connection, id_)
        last = getattr(dataset, _LAST_ENTRY, before[-1][0] if before else 0)
        wanted = {container.md_uri: container.uuid for container in dataset.uris}
        kept = [row for row in before if row[1] in wanted or row[0] > last]
        order = list(wanted) + [row[1] for row in kept if row[1] not in wanted]
        if order == [row[1] for row in kept]:
            gone = [row[0] for row in before if row[1] not in wanted and row[0] <= last]
            for start in range(0, len(gone), 500):
                connection.execute(entry.delete().where(entry.c.id.in_(gone[start : start + 500])))
        else:
            connection.execute(entry.delete().where(entry.c.dataset_id == id_))
            rows = [self._entry(id_, md_uri, wanted.get(md_uri, "")) for md_uri in order]
            connection.execute(entry.insert(), rows)
        return text

    def _entry(self, dataset_id: int, md_uri: str, uuid: str) -> dict[str, Any]:
        data_id = self._records.known_id("data", md_uri)
        if data_id is None:
            return {"dataset_id": dataset_id, "data_id": None, "md_uri": md_uri, "uuid": uuid}
        return {"dataset_id": dataset_id, "data_id": data_id, "md_uri": "", "uuid": ""}

    def dataset_row(self, connection: sa.Connection, md_uri: str) -> Any:
        """Read the row of a dataset."""
        id_ = self._records.id_of("dataset", md_uri)
        row = connection.execute(sa.select(schema.dataset).where(schema.dataset.c.id == id_)).one_or_none()
        if row is None:
            raise NotFoundError("dataset", md_uri)
        return row

    # runs

    def create_run(self, connection: sa.Connection, dataset: Dataset, run: Run) -> Run:
        """Store a run of a dataset."""
        row = self.dataset_row(connection, dataset.md_uri)
        run.processed_dataset = Container(self._records.uri("dataset", row.id), row.uuid)
        text = self._records.text(self._records.document(run))
        id_ = _inserted(connection, schema.run.insert().values(dataset_id=row.id, uuid=run.uuid, document=text))
        return self.read_run(connection, id_)

    def read_run(self, connection: sa.Connection, id_: int) -> Run:
        """Read a run."""
        text = connection.scalar(sa.select(schema.run.c.document).where(schema.run.c.id == id_))
        if text is None:
            raise NotFoundError("run", self._records.uri("run", id_))
        return self._records.container(Run, self._records.uri("run", id_), text)

    def read_runs(self, connection: sa.Connection, dataset: Dataset) -> list[Run]:
        """Read the runs of a dataset, oldest first."""
        id_ = self.dataset_row(connection, dataset.md_uri).id
        query = sa.select(schema.run.c.id, schema.run.c.document).where(schema.run.c.dataset_id == id_)
        rows = connection.execute(query.order_by(schema.run.c.id))
        return [self._records.container(Run, self._records.uri("run", row.id), row.document) for row in rows]

    def update_run(self, connection: sa.Connection, run: Run) -> str:
        """Write what changed in a run; give its document."""
        id_ = self._records.id_of("run", run.md_uri)
        stored = connection.scalar(sa.select(schema.run.c.document).where(schema.run.c.id == id_).with_for_update())
        if stored is None:
            raise NotFoundError("run", run.md_uri)
        document = self._records.changed(run, stored)
        text = self._records.text(document)
        connection.execute(
            schema.run.update().where(schema.run.c.id == id_).values(uuid=document["uuid"], document=text)
        )
        return text


_NO_DATASETS: dict[str, Any] = {"raw_dataset": {"name": "", "url": "", "uuid": ""}, "processed_datasets": []}


def new_experiment(name: str, author: str, date: str, keys: list[str] | None) -> Experiment:
    """Make the container of a new experiment."""
    check_name("experiment", name)
    experiment = Experiment("", generate_uuid(), name, author, format_date(date))
    for key in keys or []:
        experiment.set_key(key)
    return experiment


def _inserted(connection: sa.Connection, statement: Any) -> int:
    key = connection.execute(statement).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert of one row has one
    return int(key[0])
