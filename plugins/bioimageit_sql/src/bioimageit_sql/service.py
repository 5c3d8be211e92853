"""The SQL data service."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from bioimageit_core.containers import Container, Data, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConfigError, DataServiceError, NotFoundError
from bioimageit_core.core.formats import FormatTable, load_formats
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.paths import check_name, storable_name
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_core.plugins.contracts import DataService, Finding
from bioimageit_core.plugins.store.sources import is_zarr, sources_in
from bioimageit_sql.checking import Checker
from bioimageit_sql.contents import Contents
from bioimageit_sql.data import DataTable, NewData
from bioimageit_sql.database import Database
from bioimageit_sql.experiments import Experiments, new_experiment, workspace_of
from bioimageit_sql.queries import query_data
from bioimageit_sql.records import Records
from bioimageit_sql.scanning import is_key, scan

__all__ = ["SqlMetadataService", "connect"]

_T = TypeVar("_T")
_BATCH = 200  # files to a transaction
_CACHE_SIZE = 20 * 1024**3


def connect(
    url: str,
    files: str = "",
    *,
    password: str = "",
    storage_options: dict[str, Any] | None = None,
    cache_dir: str = "",
    cache_size: int = _CACHE_SIZE,
    migrate: bool = True,
    **_ignored: Any,
) -> SqlMetadataService:
    """Make the service; nothing is opened before it is used.

    Parameters
    ----------
    url, files
        The database, and where the files are; see `bioimageit_sql.SqlMetadataServiceBuilder`.
    password
        Of the database; or in the environment as ``BIOIMAGEIT_SQL_PASSWORD``.
    storage_options
        What fsspec gets to reach `files`.
    cache_dir, cache_size
        Where copies of remote files are kept for tools, and how many bytes of them.
    migrate
        Bring the database of an older version up to date; else that is an error.
    """
    database = Database(url, password or os.environ.get("BIOIMAGEIT_SQL_PASSWORD", ""), migrate=migrate)
    if not files and database.is_sqlite:
        files = f"{database.path}.files"
    if not cache_dir:
        from platformdirs import user_cache_dir

        cache_dir = os.path.join(user_cache_dir("bioimageit"), "sql")
    return SqlMetadataService(database, Contents(files, storage_options or {}, cache_dir, cache_size))


class SqlMetadataService(DataService):
    """Experiments in a database; workspaces and destinations are names that you choose."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self.database = database
        self.contents = contents
        self._records = Records(database, contents)
        self._experiments = Experiments(self._records)
        self._data = DataTable(self._records, self._experiments)
        self._formats: FormatTable | None = None

    def use_formats(self, formats: FormatTable) -> None:
        """Take a format table other than the default one."""
        self._formats = formats

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        self.database.close()

    # experiments, datasets and runs

    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        experiment = new_experiment(name, author, date, keys)
        workspace = workspace_of(destination)
        return self._write(lambda connection: self._experiments.create(connection, experiment, workspace))

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        workspace = workspace_of(workspace_uri)
        found = self._read(lambda connection: self._experiments.read_all(connection, workspace))
        return [{"md_uri": experiment.md_uri, "info": experiment} for experiment in found]

    def get_experiment(self, md_uri: str) -> Experiment:
        id_ = self._records.id_of("experiment", md_uri)
        return self._read(lambda connection: self._experiments.read(connection, id_))

    def update_experiment(self, experiment: Experiment) -> None:
        text = self._write(lambda connection: self._experiments.update(connection, experiment))
        self._records.written(experiment, text)

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        check_name("dataset", dataset_name)
        id_ = self._records.id_of("experiment", experiment.md_uri)

        def create(connection: sa.Connection) -> tuple[Dataset, Experiment]:
            dataset = self._experiments.create_dataset(connection, id_, dataset_name)
            return dataset, self._experiments.read(connection, id_)

        dataset, stored = self._write(create)
        experiment.processed_datasets = stored.processed_datasets
        return dataset

    def get_dataset(self, md_uri: str) -> Dataset:
        id_ = self._records.id_of("dataset", md_uri)
        return self._read(lambda connection: self._experiments.read_dataset(connection, id_))

    def update_dataset(self, dataset: Dataset) -> None:
        text = self._write(lambda connection: self._experiments.update_dataset(connection, dataset))
        self._records.written(dataset, text)

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        run = copy.deepcopy(run_info)
        run.uuid = run.uuid or generate_uuid()
        return self._write(lambda connection: self._experiments.create_run(connection, dataset, run))

    def get_run(self, md_uri: str) -> Run:
        id_ = self._records.id_of("run", md_uri)
        return self._read(lambda connection: self._experiments.read_run(connection, id_))

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset, oldest first."""
        return self._read(lambda connection: self._experiments.read_runs(connection, dataset))

    def update_run(self, run: Run) -> None:
        """Write a run that `create_run` stored."""
        self._records.written(run, self._write(lambda connection: self._experiments.update_run(connection, run)))

    # raw data

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = dict,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> RawData:
        pairs = {} if key_value_pairs is None or isinstance(key_value_pairs, type) else dict(key_value_pairs)
        path = os.path.abspath(os.path.expanduser(data_path))
        if os.path.isdir(path) and not is_zarr(path):
            raise DataServiceError(f"{path} is a directory and not a Zarr store; import_dir imports what is in it")
        id_ = self._records.id_of("experiment", experiment.md_uri)
        new = self._take_in(path, name, author, format_, date, pairs, metadata)

        def store(connection: sa.Connection) -> RawData:
            (md_uri,) = self._data.import_raw(connection, id_, [new])
            return self._data.read(connection, md_uri, RawData)

        data = self._write(store)
        self._make_sure([new])
        for key in pairs:
            experiment.set_key(key)
        return data

    def import_dir(
        self,
        experiment: Experiment,
        dir_uri: str,
        filter_: str,
        author: str,
        format_: str,
        date: str,
        directory_tag_key: str = "",
        observers: list[Observer] | None = None,
        *,
        recursive: bool = False,
        describe: Callable[[str], Mapping[str, Any]] | None = None,
    ) -> None:
        paths = list(sources_in(os.path.abspath(os.path.expanduser(dir_uri)), filter_, recursive))
        id_ = self._records.id_of("experiment", experiment.md_uri)
        for start in range(0, len(paths), _BATCH):
            batch = []
            for number, path in enumerate(paths[start : start + _BATCH], start):
                name, folder = os.path.basename(path), os.path.basename(os.path.dirname(path))
                for observer in observers or []:
                    observer.notify_progress(100 * number // len(paths), name)
                tags = {directory_tag_key: folder} if directory_tag_key else {}
                said = describe(path) if describe else None
                batch.append(self._take_in(path, name, author, format_, date, tags, said))
            self._write(lambda connection, batch=batch: self._data.import_raw(connection, id_, batch))  # type: ignore[misc]
            self._make_sure(batch)
        if directory_tag_key and paths:
            experiment.set_key(directory_tag_key)
        for observer in observers or []:
            observer.notify_progress(100, "")

    def _take_in(
        self,
        path: str,
        name: str,
        author: str,
        format_: str,
        date: str,
        pairs: dict[str, Any],
        metadata: Mapping[str, Any] | None,
    ) -> NewData:
        check_name("data", name)
        self._check_format(format_)
        scanned = scan(path)
        data = RawData("", generate_uuid(), name, author, format_date(date), format_)
        data.key_value_pairs, data.metadata = pairs, dict(metadata or {})
        self._records.text(self._records.document(data))  # what cannot be stored is refused before its file is
        self.contents.put(scanned)
        return NewData(data, scanned.key, scanned)

    def _make_sure(self, stored: Sequence[NewData]) -> None:
        """Look whether the files are still there, now that their records are: a repair may have been faster."""
        for new in stored:
            if new.source is not None:
                self.contents.put(new.source)

    def get_raw_data(self, md_uri: str) -> RawData:
        return self._read(lambda connection: self._data.read(connection, md_uri, RawData))

    def update_raw_data(self, raw_data: RawData) -> None:
        self._records.written(raw_data, self._write(lambda connection: self._data.update(connection, raw_data)))

    def annotate_data(self, dataset: Container, pairs: Mapping[str, Mapping[str, Any]]) -> None:
        """Set key-value pairs of many raw data of a dataset, all or none; None removes a pair."""
        self._records.id_of("dataset", dataset.md_uri)

        def annotate(connection: sa.Connection) -> None:
            for md_uri, changes in pairs.items():
                data = self._data.read(connection, md_uri, RawData)
                merged = {**data.key_value_pairs, **changes}
                data.key_value_pairs = {key: value for key, value in merged.items() if value is not None}
                self._data.update(connection, data)

        self._write(annotate)

    # processed data

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        return self._read(lambda connection: self._data.read(connection, md_uri, ProcessedData))

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        text = self._write(lambda connection: self._data.update(connection, processed_data))
        self._records.written(processed_data, text)

    def create_data_uri(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Set ``processed_data.uri`` to a path of its own in a staging directory, and return `processed_data`."""
        check_name("data", processed_data.name)
        extension = self._check_format(processed_data.format)
        name = storable_name(f"{processed_data.name}.{extension}" if extension else processed_data.name)
        processed_data.uri = os.path.join(self.contents.staging(), name)
        return processed_data

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        check_name("data", processed_data.name)
        data = copy.deepcopy(processed_data)
        data.uuid, data.date = data.uuid or generate_uuid(), format_date(data.date)
        data.run = Container(run.md_uri, run.uuid)
        self._records.text(self._records.document(data))
        scanned = scan(processed_data.uri)
        self.contents.put(scanned)

        def store(connection: sa.Connection) -> ProcessedData:
            md_uri = self._data.create(connection, dataset.md_uri, run, new)
            return self._data.read(connection, md_uri, ProcessedData)

        new = NewData(data, scanned.key, scanned)
        stored = self._write(store)
        self._make_sure([new])
        self.contents.discard_staging(processed_data.uri)
        return stored

    def receive_data(self, dataset: Container, data: Sequence[Data]) -> list[Data]:
        """Store data of another home as they are; see `bioimageit_core.plugins.abilities.ReceivesData`."""
        for each in data:
            check_name("data", each.name)
            self._check_format(each.format)
        scanned = self.contents.put_all([each.uri for each in data])
        new = [NewData(each, found.key, found) for each, found in zip(data, scanned, strict=True)]  # type: ignore[arg-type]
        ids = self._write(lambda connection: self._data.receive(connection, dataset.md_uri, new))
        self._make_sure(new)
        return self._read(lambda connection: self._data.read_again(connection, ids))

    def _check_format(self, name: str) -> str:
        if self._formats is None:
            self._formats = load_formats()
        try:
            return self._formats.get(name).extension
        except ConfigError as error:
            raise DataServiceError(str(error)) from error

    # files and queries

    def get_data_uri(self, data: Data) -> str:
        """Give a local path of the data: where it is, or a copy in the cache; it is not to be changed."""
        return self.contents.local_path(self._content(data.md_uri).content)

    def download_data(self, md_uri: str, destination: str) -> str:
        """Write the data into the file `destination`, or into the directory under its own name; return its path."""
        row = self._content(md_uri)
        if os.path.isdir(destination):
            name = storable_name(row.name)
            suffix = os.path.splitext(row.content)[1]
            destination = os.path.join(destination, name if name.lower().endswith(suffix) else f"{name}{suffix}")
        self.contents.get(row.content, destination)
        return destination

    def view_data(self, md_uri: str) -> Any:
        """Read the data: an array with axes TCZYX (those that it has), or a table."""
        from bioimageit_core.api.reading import read_data

        try:
            data: Data = self.get_raw_data(md_uri)
        except NotFoundError:
            data = self.get_processed_data(md_uri)
        self._check_format(data.format)
        return read_data(self.get_data_uri(data), (self._formats or load_formats()).get(data.format))

    def needs_cleanning(self) -> bool:
        """Local copies are in a cache of limited size, and not to be removed."""
        return False

    def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
        """Give the data of a dataset that `query` selects, in the dataset's order."""
        return query_data(self.database, self._experiments, self._data, dataset.md_uri, query, origin_output_name)

    # checks

    def check_experiment(
        self, md_uri: str, content: bool = True, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Finding]:
        """Give the files that are missing or damaged, and those of the whole store that no record speaks of."""
        return self._checker().check(md_uri, content=content, progress=progress)

    def repair_experiment(self, md_uri: str) -> Iterator[str]:
        """Remove the files that no record speaks of and that are older than a day."""
        return self._checker().repair(md_uri)

    def _checker(self) -> Checker:
        return Checker(self.database, self.contents, self._records)

    def is_as_stored(self, data: Data, sha256: str) -> bool | None:
        """Say whether a content is the one that its key names; of a directory only that it is, or nothing."""
        key = str(self._content(data.md_uri).content)
        if not is_key(key):
            return None
        if key.rpartition("/")[2].partition(".")[0] == sha256:
            return True
        return None if self.contents.has(key, is_directory=True) else False

    def _content(self, md_uri: str) -> Any:
        return self._read(lambda connection: self._data.content_of(connection, md_uri))

    def _read(self, work: Callable[[sa.Connection], _T]) -> _T:
        return self.database.read(work)

    def _write(self, work: Callable[[sa.Connection], _T]) -> _T:
        return self.database.write(work)
