"""The data service that asks a server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Container, Data, Dataset, DatasetInfo, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConfigError, NotFoundError
from bioimageit_core.core.formats import FormatTable, load_formats
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.paths import check_name, storable_name
from bioimageit_core.plugins.changes import HistoryEntry, HistoryPage, Kept, Undone
from bioimageit_core.plugins.contracts import DataService
from bioimageit_core.plugins.pages import DataPage
from bioimageit_http.connection import API, Connection
from bioimageit_http.files import download, upload
from bioimageit_http.places import Places
from bioimageit_http.records import Records

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpMetadataService", "connect"]

_PAGE = 500


def connect(
    url: str, token: str = "", timeout: float = 60.0, transport: httpx.BaseTransport | None = None
) -> HttpMetadataService:
    """Return the service of a server; it is not asked yet.

    Parameters
    ----------
    token
        Who asks; by default what the variable ``BIOIMAGEIT_HTTP_TOKEN`` holds.
    transport
        What carries requests in place of the network.

    Raises
    ------
    ConfigError
        `url` is none of HTTP.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"the HTTP service needs the url of a server (https://…), not {url!r}")
    token = token or os.environ.get("BIOIMAGEIT_HTTP_TOKEN", "")
    return HttpMetadataService(Connection(url, token, timeout, transport))


class HttpMetadataService(DataService):
    """Experiments that a server keeps, in whatever home it has."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._records = Records(f"{connection.url}{API}")
        self._formats: FormatTable | None = None
        self._places = Places()

    def close(self) -> None:
        """Let the connections go."""
        self._connection.close()
        self._places.close()

    def use_formats(self, formats: FormatTable) -> None:
        """Take the extensions of results from this table."""
        self._formats = formats

    # Experiments

    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        self._check_workspace(destination)
        body = {"name": name, "author": author, "date": date, "keys": list(keys or [])}
        return self._made("POST", "/service/experiments", body, Experiment)  # type: ignore[no-any-return]

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        self._check_workspace(workspace_uri)
        found = [self._records.read(each, Experiment) for each in self._connection.get("/service/experiments")]
        return [{"md_uri": experiment.md_uri, "info": experiment} for experiment in found]

    def get_experiment(self, md_uri: str) -> Experiment:
        return self._read(md_uri, Experiment)  # type: ignore[no-any-return]

    def update_experiment(self, experiment: Experiment) -> None:
        self._write(experiment)

    def _check_workspace(self, uri: str) -> None:
        if uri.rstrip("/") not in ("", self._connection.url):
            raise NotFoundError("workspace", f"{uri} (a server has one: leave it empty)")

    # Raw data

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = dict,
    ) -> RawData:
        id_ = self._id(experiment, "experiment")
        file, is_zip = upload(self._connection, data_path)
        body = {
            "experiment": id_,
            "file": file,
            "name": name,
            "author": author,
            "format": format_,
            "date": date,
            "key_values": dict(key_value_pairs) if isinstance(key_value_pairs, Mapping) else {},
        }
        data: RawData = self._made("POST", "/service/imports", body, RawData, zip="true" if is_zip else "false")
        for key in data.key_value_pairs:
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
    ) -> None:
        from bioimageit_core.plugins.store.sources import sources_in

        paths = list(sources_in(dir_uri, filter_, False))
        pairs = {directory_tag_key: os.path.basename(os.path.normpath(dir_uri))} if directory_tag_key else {}
        if directory_tag_key and directory_tag_key not in experiment.keys:
            experiment.set_key(directory_tag_key)
            self.update_experiment(experiment)
        for number, path in enumerate(paths):
            _tell(observers, 100 * number // len(paths), f"import {os.path.basename(path)}")
            name = os.path.basename(path).encode("utf-8", "replace").decode()
            self.import_data(experiment, path, name, author, format_, date, pairs)
        _tell(observers, 100, "import done")

    def get_raw_data(self, md_uri: str) -> RawData:
        return self._read(md_uri, RawData)  # type: ignore[no-any-return]

    def update_raw_data(self, raw_data: RawData) -> None:
        self._write(raw_data)

    # Datasets, runs and results

    def get_dataset(self, md_uri: str) -> Dataset:
        return self._read(md_uri, Dataset)  # type: ignore[no-any-return]

    def update_dataset(self, dataset: Dataset) -> None:
        self._write(dataset)

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        body = {"experiment": self._id(experiment, "experiment"), "name": dataset_name}
        made: Dataset = self._made("POST", "/service/datasets", body, Dataset)
        experiment.processed_datasets.append(DatasetInfo(made.name, made.md_uri, made.uuid))
        return made

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        body = {"dataset": self._id(dataset, "dataset"), "run": self._records.write(run_info)}
        return self._made("POST", "/service/runs", body, Run)  # type: ignore[no-any-return]

    def update_run(self, run: Run) -> None:
        """Write a run that `create_run` stored."""
        self._write(run)

    def get_run(self, md_uri: str) -> Run:
        return self._read(md_uri, Run)  # type: ignore[no-any-return]

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset, oldest first."""
        found = self._connection.get("/service/runs", dataset=self._id(dataset, "dataset"))
        return [self._records.read(each, Run) for each in found]

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        return self._read(md_uri, ProcessedData)  # type: ignore[no-any-return]

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        self._write(processed_data)

    def create_data_uri(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Set ``processed_data.uri`` to a path here that a tool can write to, and return `processed_data`."""
        name = check_name("data", processed_data.name)
        self._formats = self._formats or load_formats()
        extension = self._formats.get(processed_data.format).extension
        file = storable_name(f"{name}.{extension}" if extension else name)
        processed_data.uri = os.path.join(self._places.new(), file)
        return processed_data

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        path = processed_data.uri.removeprefix("file://")
        record = self._records.write(processed_data)
        body = {"dataset": self._id(dataset, "dataset"), "run": self._id(run, "run"), "data": record}
        file, is_zip = upload(self._connection, path)
        zipped = "true" if is_zip else "false"
        made = self._made("POST", "/service/results", {**body, "file": file}, ProcessedData, zip=zipped)
        self._places.remove(os.path.dirname(path))
        return made  # type: ignore[no-any-return]

    # Files

    def get_data_uri(self, data: Data) -> str:
        """Give a local copy of the data; it is removed after a run."""
        return self._places.copy(lambda folder: self.download_data(data.md_uri, folder))

    def download_data(self, md_uri: str, destination: str) -> str:
        """Write the data into the file `destination`, or into the directory under its own name; return its path."""
        return download(self._connection, self._records.id_of(md_uri, "data"), md_uri, destination)

    def needs_cleanning(self) -> bool:
        """Say that local copies are to be removed after a run."""
        return True

    # Queries, annotations and their history

    def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
        """Give the data of a dataset that `query` selects, in the dataset's order."""
        cursor = ""
        while True:
            page = self.query_page(dataset, query, origin_output_name, cursor, _PAGE)
            yield from page.data
            cursor = page.cursor
            if not cursor:
                return

    def query_page(
        self,
        dataset: Container,
        query: str,
        origin_output_name: str = "",
        cursor: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> DataPage:
        """Give at most `limit` data of a dataset that `query` selects, after `cursor` and `offset` more."""
        from bioimageit_core.core.query import parse_query

        parse_query(query)  # what is wrong with it is told with its place, without asking
        id_ = self._id(dataset, "dataset")
        found = self._connection.get(
            "/service/data",
            "dataset",
            dataset.md_uri,
            dataset=id_,
            query=query,
            output=origin_output_name,
            cursor=cursor,
            limit=min(limit, 1000),
            offset=offset,
        )
        classes = {"raw": RawData, "processed": ProcessedData}
        data = [self._records.read(each, classes[each["kind"]]) for each in found["items"]]
        return DataPage(data, found["next"] or "", found["total"])

    def annotate_data(self, dataset: Container, pairs: Mapping[str, Mapping[str, Any]]) -> str:
        """Set key-value pairs of raw data of one dataset; None removes one. Return the name of the change."""
        by_id = {self._records.id_of(md_uri, "data"): dict(values) for md_uri, values in pairs.items()}
        body = {"dataset": self._id(dataset, "dataset"), "pairs": by_id}
        return str(self._connection.send("POST", "/service/annotations", body)["change"])

    def get_history(self, md_uri: str, data_md_uri: str = "", cursor: str = "", limit: int = 50) -> HistoryPage:
        """Give changes of an experiment, newest first, those of one data where that is given."""
        asked = {"experiment": self._records.id_of(md_uri, "experiment"), "cursor": cursor, "limit": min(limit, 1000)}
        if data_md_uri:
            asked["data"] = self._records.id_of(data_md_uri, "data")
        page = self._connection.get("/service/history", "experiment", md_uri, **asked)
        entries = []
        for entry in page["entries"]:
            uris = tuple(self._records.uri_of(id_) for id_ in entry.pop("md_uris"))
            entries.append(HistoryEntry(**{**entry, "keys": tuple(entry["keys"]), "md_uris": uris}))
        return HistoryPage(tuple(entries), page["cursor"])

    def undo_change(self, md_uri: str, change: str = "") -> Undone:
        """Take an annotation back, the last that was not yet if `change` is empty; what was changed since stays."""
        id_ = self._records.id_of(md_uri, "experiment")
        told = self._connection.send("POST", "/service/undo", None, "change", change, experiment=id_, change=change)
        kept = tuple(Kept(**{**each, "md_uri": self._records.uri_of(each["md_uri"])}) for each in told["kept"])
        return Undone(told["change"], told["count"], kept)

    # Records

    def _id(self, container: Container, what: str) -> str:
        return self._records.id_of(container.md_uri, what)

    def _read(self, md_uri: str, class_: type[Any]) -> Any:
        what = class_.__name__.lower()
        found = self._connection.get(f"/service/records/{self._records.id_of(md_uri, what)}", what, md_uri)
        return self._records.read(found, class_, md_uri)

    def _write(self, container: Container) -> None:
        what = type(container).__name__.lower()
        path = f"/service/records/{self._id(container, what)}"
        record = self._records.write(container)
        body = {"record": record, "base": self._records.base_of(container)}
        self._connection.send("PUT", path, body, what, container.md_uri)
        self._records.remember(container, record)

    def _made(self, method: str, path: str, body: dict[str, Any], class_: type[Any], **parameters: str) -> Any:
        told = self._connection.send(method, path, body, class_.__name__.lower(), path, **parameters)
        return self._records.read(told, class_)


def _tell(observers: list[Observer] | None, percent: int, message: str) -> None:
    for observer in observers or []:
        observer.notify_progress(percent, message)
