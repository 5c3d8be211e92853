"""The data service of the tutorial."""

import os
import re
import shutil
from typing import Any

from bioimageit_core.containers import (
    Container,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    RawData,
    Run,
)
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.core.paths import check_name
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_onefile.book import Book, Pages, book_of, page_of


class OneFileService:
    """Keep experiments in one file. It inherits from nothing: the contract is the methods and their arguments."""

    # --8<-- [start:experiments]
    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        check_name("experiment", name)
        book, _ = book_of(destination or ".")
        with book.writing() as pages:
            if name in (found["information"]["name"] for found in pages.values() if "information" in found):
                raise ConflictError(f"{book.folder} already has an experiment {name!r}")
            uuid, dataset_uuid = generate_uuid(), generate_uuid()
            experiment = Experiment(book.uri(uuid), uuid, name, author, format_date(date), keys=list(keys or []))
            experiment.raw_dataset = DatasetInfo("data", book.uri(dataset_uuid), dataset_uuid)
            book.write(pages, Dataset(book.uri(dataset_uuid), dataset_uuid, "data"))
            book.write(pages, experiment)
        return experiment

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        book, _ = book_of(workspace_uri)
        pages = book.pages()
        found = [book.read(Experiment, "experiment", page, pages) for page in pages if "information" in pages[page]]
        return [{"md_uri": experiment.md_uri, "info": experiment} for experiment in found]

    def get_experiment(self, md_uri: str) -> Experiment:
        book, page = book_of(md_uri)
        experiment: Experiment = book.read(Experiment, "experiment", page)
        return experiment

    def update_experiment(self, experiment: Experiment) -> None:
        self._update("experiment", experiment)

    def _update(self, title: str, record: Any) -> None:
        book, page = book_of(record.md_uri)
        with book.writing(title, page) as pages:
            book.write(pages, record)

    # --8<-- [end:experiments]
    # --8<-- [start:import]
    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str,
        author: str,
        format_: str,
        date: str = "now",
        key_value_pairs: Any = None,
    ) -> RawData:
        check_name("data", name)
        book, page = book_of(experiment.md_uri)
        with book.writing("experiment", page) as pages:
            stored = book.read(Experiment, "experiment", page, pages)
            pairs = dict(key_value_pairs) if isinstance(key_value_pairs, dict) else {}
            data = self._same(book, pages, stored, data_path, name)
            if data is None:
                data = RawData("", generate_uuid(), name, author, format_date(date), format_)
                data.key_value_pairs = pairs
                data.uri = self._take_in(book, data.uuid, data_path)
                self._list(book, pages, page_of(stored.raw_dataset.url), data)
            for key in pairs:
                stored.set_key(key)
                experiment.set_key(key)
            book.write(pages, stored)
        return self.get_raw_data(data.md_uri)

    def _same(self, book: Book, pages: Pages, experiment: Experiment, path: str, name: str) -> RawData | None:
        """Find the data that a file already is: the same name and the same content."""
        for item in book.read(Dataset, "dataset", page_of(experiment.raw_dataset.url), pages).uris:
            data: RawData = book.read(RawData, "raw data", page_of(item.md_uri), pages)
            if data.name == name and _content(data.uri) == _content(path):
                return data
        return None

    def _take_in(self, book: Book, uuid: str, path: str) -> str:
        """Copy a file to the book's folder; it is not there for anybody before its document is."""
        target = os.path.join(book.folder, "files", uuid, os.path.basename(path.rstrip("/")))
        try:
            os.makedirs(os.path.dirname(target))
            (shutil.copytree if os.path.isdir(path) else shutil.copyfile)(path, target)
        except OSError as error:
            shutil.rmtree(os.path.dirname(target), ignore_errors=True)
            raise DataServiceError(f"cannot store {path!r}: {error.strerror}") from error
        return target

    def _list(self, book: Book, pages: Pages, dataset_page: str, data: RawData | ProcessedData) -> None:
        data.md_uri = book.uri(data.uuid)
        dataset = book.read(Dataset, "dataset", dataset_page, pages)
        dataset.uris.append(Container(data.md_uri, data.uuid))
        book.write(pages, data)
        book.write(pages, dataset)

    # --8<-- [end:import]
    # --8<-- [start:reading]
    def import_dir(
        self,
        experiment: Experiment,
        dir_uri: str,
        filter_: str,
        author: str,
        format_: str,
        date: str,
        directory_tag_key: str = "",
        observers: Any = None,
    ) -> None:
        try:
            names = sorted(name for name in os.listdir(dir_uri) if re.search(filter_, name))
        except (OSError, re.error) as error:
            raise DataServiceError(f"cannot import {dir_uri!r}: {error}") from error
        names = [name for name in names if os.path.isfile(os.path.join(dir_uri, name))]
        pairs = {directory_tag_key: os.path.basename(os.path.abspath(dir_uri))} if directory_tag_key else {}
        for number, name in enumerate(names, 1):
            self.import_data(experiment, os.path.join(dir_uri, name), name, author, format_, date, pairs)
            for observer in observers or []:
                observer.notify_progress(100 * number // len(names), f"import {name}")

    def get_raw_data(self, md_uri: str) -> RawData:
        book, page = book_of(md_uri)
        pages = book.pages()
        data: RawData = book.read(RawData, "raw data", page, pages)
        for document in pages.values():
            if "information" in document and _lists(pages, document["raw_dataset"]["url"], md_uri):
                for key in document["keys"]:
                    data.key_value_pairs.setdefault(key, "")
        return data

    def update_raw_data(self, raw_data: RawData) -> None:
        self._update("raw data", raw_data)

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        book, page = book_of(md_uri)
        data: ProcessedData = book.read(ProcessedData, "processed data", page)
        return data

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        self._update("processed data", processed_data)

    def get_dataset(self, md_uri: str) -> Dataset:
        book, page = book_of(md_uri)
        dataset: Dataset = book.read(Dataset, "dataset", page)
        return dataset

    def update_dataset(self, dataset: Dataset) -> None:
        self._update("dataset", dataset)

    # --8<-- [end:reading]
    # --8<-- [start:results]
    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        check_name("dataset", dataset_name)
        book, page = book_of(experiment.md_uri)
        with book.writing("experiment", page) as pages:
            stored = book.read(Experiment, "experiment", page, pages)
            if dataset_name in {stored.raw_dataset.name, *(info.name for info in stored.processed_datasets)}:
                raise ConflictError(f"{stored.name} already has a dataset {dataset_name!r}")
            dataset_uuid = generate_uuid()
            info = DatasetInfo(dataset_name, book.uri(dataset_uuid), dataset_uuid)
            stored.processed_datasets.append(info)
            dataset = Dataset(info.url, dataset_uuid, dataset_name)
            book.write(pages, dataset)
            book.write(pages, stored)
        experiment.processed_datasets.append(info)
        return dataset

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        book, page = book_of(dataset.md_uri)
        with book.writing("dataset", page) as pages:
            run_info.uuid = run_info.uuid or generate_uuid()
            run_info.md_uri = book.uri(run_info.uuid)
            run_info.set_dataset(dataset)
            book.write(pages, run_info)
        return run_info

    def get_run(self, md_uri: str) -> Run:
        book, page = book_of(md_uri)
        run: Run = book.read(Run, "run", page)
        return run

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        check_name("data", processed_data.name)
        book, page = book_of(dataset.md_uri)
        with book.writing("dataset", page) as pages:
            processed_data.uuid = processed_data.uuid or generate_uuid()
            processed_data.run = Container(run.md_uri, run.uuid)
            processed_data.uri = self._take_in(book, processed_data.uuid, processed_data.uri)
            self._list(book, pages, page, processed_data)
        return processed_data


def _content(path: str) -> Any:
    if os.path.isdir(path):
        return {name: _content(os.path.join(path, name)) for name in sorted(os.listdir(path))}
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DataServiceError(f"cannot read {path!r}: {error.strerror}") from error


def _lists(pages: Pages, dataset: str, md_uri: str) -> bool:
    return any(link["url"] == md_uri for link in pages.get(page_of(dataset), {}).get("urls", []))


# --8<-- [end:results]
