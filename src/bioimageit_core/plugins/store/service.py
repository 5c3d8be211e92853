"""The data service that keeps experiments as folders of documents."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import (
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    RawData,
    Run,
)
from bioimageit_core.core.collector import paused_collector
from bioimageit_core.core.exceptions import (
    ConflictError,
    DataServiceError,
    DocumentError,
    NotFoundError,
)
from bioimageit_core.core.json_text import encode
from bioimageit_core.core.paths import check_name, folded, is_within, join, name_of, parent, relative_path
from bioimageit_core.core.records import Document
from bioimageit_core.core.utils import format_date, generate_uuid
from bioimageit_core.plugins.contracts import DataService, Finding
from bioimageit_core.plugins.store.base import told
from bioimageit_core.plugins.store.deleting import DeletingStore
from bioimageit_core.plugins.store.documents import REFERENCE, guarded
from bioimageit_core.plugins.store.files import Stored
from bioimageit_core.plugins.store.layout import DATA, EXPERIMENT, OURS, PROCESSED_DATASET, Layout
from bioimageit_core.plugins.store.raw_data import RawDataStore

if TYPE_CHECKING:
    from bioimageit_core.plugins.changes import HistoryPage, Undone
    from bioimageit_core.plugins.store.history import History
    from bioimageit_core.plugins.store.recorded import Recorded
    from bioimageit_core.plugins.store.results import Results

__all__ = ["Store"]


@told
class Store(RawDataStore, DeletingStore, DataService):
    """Experiments on a filesystem, with all that the contract of a data service asks for."""

    _recorded: Recorded | None = None  # of the experiment that was asked about last

    # what only some commands need is loaded when it is used

    @functools.cached_property
    def _results(self) -> Results:
        from bioimageit_core.plugins.store.results import Results

        return Results(self.documents, self.listings, self.journal)

    @functools.cached_property
    def _history(self) -> History:
        from bioimageit_core.plugins.store.history import History

        return History(self.documents, self.journal)

    # Experiments

    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        check_name("experiment", name)
        folder = check_name("experiment", name.replace(" ", ""))
        workspace = self.files.absolute(destination or ".")
        layout = Layout(join(workspace, folder))
        self._check_free(workspace, folder, layout)
        experiment = Experiment(layout.experiment, generate_uuid(), name, author, format_date(date))
        for key in keys or []:
            experiment.set_key(key)
        experiment.raw_dataset = DatasetInfo(DATA, layout.raw_dataset, generate_uuid())
        dataset = Dataset(layout.raw_dataset, experiment.raw_dataset.uuid, DATA)
        try:
            self.files.make_dir(layout.temp)
            self.files.make_dir(parent(layout.raw_dataset))
        except OSError as error:
            raise guarded(error, f"create the experiment {name!r}") from error
        with self.files.lock(layout.ours):
            if self.files.exists(layout.raw_dataset):  # left by an interrupted creation
                dataset = self.documents.read(Dataset, layout.raw_dataset)
                experiment.raw_dataset.uuid = dataset.uuid
            else:
                self.documents.create(dataset)
            self.documents.create(experiment)  # last: with it the experiment is there
            self.journal.append(layout, [self.journal.line(layout, "create", layout.experiment, uuid=experiment.uuid)])
        return experiment

    def _check_free(self, workspace: str, folder: str, layout: Layout) -> None:
        try:
            taken = {folded(name): name for name in self.files.names(workspace)}
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError("workspace", workspace) from error
        except OSError as error:
            raise guarded(error, "read the workspace") from error
        other = taken.get(folded(folder))
        if other is None:
            return
        if other != folder or self.files.exists(layout.experiment):
            raise ConflictError(f"{workspace} already has an experiment {other!r}; choose another name")
        if set(self.files.names(layout.root)) - {DATA, OURS}:
            raise ConflictError(f"{layout.root} is there and is not an experiment; choose another name")

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        workspace = self.files.absolute(workspace_uri or ".")
        try:
            names = sorted(self.files.names(workspace))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError("workspace", workspace) from error
        except OSError as error:
            raise guarded(error, "read the workspace") from error
        found, below = [], join(workspace, "")
        read, parse = self.files.read, self.documents.parse
        with paused_collector():
            for name in names:
                md_uri = f"{below}{name}/{EXPERIMENT}"
                try:
                    found.append({"md_uri": md_uri, "info": parse(Experiment, read(md_uri), md_uri)})
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except (DataServiceError, OSError) as error:  # one that cannot be read hides no other
                    why = guarded(error, f"read {md_uri!r}") if isinstance(error, OSError) else error
                    found.append({"md_uri": md_uri, "info": Experiment(md_uri, name=name), "error": str(why)})
        return found

    # Processed data, datasets and runs

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        return self.documents.read(ProcessedData, self.files.absolute(md_uri))

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        self._update(Layout.of_record(processed_data.md_uri), processed_data)

    def get_dataset(self, md_uri: str) -> Dataset:
        return self.listings.read(self.files.absolute(md_uri))

    def update_dataset(self, dataset: Dataset) -> None:
        layout = Layout.of_record(dataset.md_uri)
        with self._held(layout):
            self.listings.flush(dataset.md_uri)
            self._update(layout, dataset)

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        check_name("dataset", dataset_name)
        layout = Layout.of_experiment(experiment.md_uri)
        md_uri = join(layout.root, dataset_name, PROCESSED_DATASET)
        with self._held(layout):
            _check_dataset_name(self.get_experiment(experiment.md_uri), dataset_name)
            try:
                self.files.make_dir(parent(md_uri))
            except OSError as error:
                raise guarded(error, f"create the dataset {dataset_name!r}") from error
            if self.files.exists(md_uri):  # left by an interrupted creation
                dataset = self.documents.read(Dataset, md_uri)
            else:
                dataset = Dataset(md_uri, generate_uuid(), dataset_name)
                self.documents.create(dataset)
            link = DatasetInfo(dataset_name, md_uri, dataset.uuid)

            def with_dataset(document: Document) -> Document:
                stored = self.documents.parse(Experiment, encode(document), layout.experiment)
                _check_dataset_name(stored, dataset_name)  # again: without locks another writer may have been faster
                url = relative_path(md_uri, layout.experiment)
                document.setdefault("processed_datasets", []).append(
                    {"name": dataset_name, "url": url, "uuid": dataset.uuid}
                )
                return document

            if changed := self.documents.edit(layout.experiment, with_dataset, layout.temp, "experiment"):
                self._log_change(layout, self.documents.read(Experiment, layout.experiment), *changed)
        experiment.processed_datasets.append(link)
        return dataset

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        return self._results.create_run(dataset, run_info)

    def update_run(self, run: Run) -> None:
        """Write what is known of a run now that it is over."""
        self._update(Layout.of_record(run.md_uri), run)

    def get_run(self, md_uri: str) -> Run:
        return self.documents.read(Run, self.files.absolute(md_uri))

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        return self._results.runs(dataset)

    def create_data_uri(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        return self._results.stage(dataset, processed_data, self.formats)

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        return self._results.create_data(dataset, run, [processed_data])[0]

    def create_many_data(
        self, dataset: Dataset, run: Run, processed_data: Sequence[ProcessedData]
    ) -> list[ProcessedData]:
        """Store several results, all or none; see `bioimageit_core.plugins.abilities.CreatesManyData`."""
        return self._results.create_data(dataset, run, processed_data) if processed_data else []

    def receive_data(self, dataset: Container, data: Sequence[Data]) -> list[Data]:
        """Store data of another home as they are; see `bioimageit_core.plugins.abilities.ReceivesData`."""
        from bioimageit_core.plugins.store.receiving import Receiver

        mine: list[Any] = [copy.copy(each) for each in data]
        for each in mine:
            self.formats.get(each.format)
            if isinstance(each, ProcessedData):
                check_name("data", each.name)
        layout = Layout.of_record(dataset.md_uri)
        with self._held(layout):
            Receiver(self.documents, self.listings, self.journal, layout, dataset.md_uri).receive(mine)
        read = {RawData: self.get_raw_data, ProcessedData: self.get_processed_data}
        return [read[type(each)](each.md_uri) for each in mine]

    # Reading data

    def get_data_uri(self, data: Data) -> str:
        """Return a local path where a tool can read the data; of a remote one, a copy of its own."""
        if not self.files.exists(data.uri):
            raise NotFoundError("file", data.uri)
        return self.files.local_copy(data.uri)

    def download_data(self, md_uri: str, destination: str) -> str:
        data = self._data(md_uri)
        if not self.files.exists(data.uri):
            raise NotFoundError("file", data.uri)
        is_ours = is_within(data.uri, Layout.of_record(data.md_uri).root)
        self._check_reference(data)
        if is_ours and (link := self.files.link_out_of(data.uri)):
            raise DocumentError(
                data.md_uri, f"{link!r} is a link that leads out of the data; remove it, or import anew"
            )
        target = os.path.join(destination, name_of(data.uri)) if os.path.isdir(destination) else destination
        try:
            self.files.fetch(data.uri, target)
        except OSError as error:
            raise guarded(error, f"download {data.name!r}") from error
        return target

    def _check_reference(self, data: Data) -> None:
        """Refuse to copy what a document says was imported by reference, and was not: anybody may have written that."""
        said = data.extra.get(REFERENCE) if isinstance(data, RawData) else None
        if not isinstance(said, dict) or self.documents.is_trusted(data.uri):
            return
        if self.files.digest(data.uri) != Stored(said.get("size", 0), said.get("sha256", "")):
            reason = (
                f"{data.uri!r} is not what was imported by reference: it was changed, or the document was;"
                " import it anew (or name its folder in 'trusted_dirs' of the configuration's 'metadata')"
            )
            raise DocumentError(data.md_uri, reason)

    def _data(self, md_uri: str) -> Data:
        uri = self.files.absolute(md_uri)
        return self.documents.parse_data(self.documents.content(uri, "data"), uri)

    def is_as_stored(self, data: Data, sha256: str) -> bool | None:
        """Say whether a content is what was written down of a data; see `abilities.RemembersContent`."""
        from bioimageit_core.plugins.store.recorded import Recorded

        said = data.extra.get(REFERENCE)
        if isinstance(said, dict):
            return bool(said.get("sha256") == sha256)
        layout = Layout.of_record(self.files.absolute(data.md_uri))
        if self._recorded is None or not self._recorded.is_of(layout):
            self._recorded = Recorded(self.files, self.journal, layout)
        return self._recorded.agrees(data.uri, sha256)

    def check_experiment(
        self,
        md_uri: str,
        content: bool = True,
        progress: Callable[[int, int], None] | None = None,
        *,
        full: bool = False,
        spared: Callable[[int, int], None] | None = None,
    ) -> Iterator[Finding]:
        from bioimageit_core.plugins.store.checking import Checker

        layout = Layout.of_experiment(self.files.absolute(md_uri))
        checker = Checker(self.documents, self.listings, self.journal, layout, full=full)
        yield from checker.check(content=content, progress=progress)
        if spared is not None:
            spared(*checker.spared)

    def repair_experiment(self, md_uri: str) -> Iterator[str]:
        from bioimageit_core.plugins.store.repairing import Repairer

        layout = self._layout(md_uri)
        with self._held(layout):
            yield from Repairer(self.documents, self.listings, self.journal, layout, self.formats).repair()

    def get_history(self, md_uri: str, data_md_uri: str = "", cursor: str = "", limit: int = 50) -> HistoryPage:
        layout = self._layout(md_uri)
        data = self.files.absolute(data_md_uri) if data_md_uri else ""
        return self._history.page(layout, data, cursor, max(limit, 1))

    def undo_change(self, md_uri: str, change: str = "") -> Undone:
        layout = self._layout(md_uri)
        with self._held(layout):
            try:
                return self._history.undo(layout, change)
            finally:
                self._sync(layout)

    def _layout(self, md_uri: str) -> Layout:
        """Return the layout of an experiment that is there."""
        layout = Layout.of_experiment(self.files.absolute(md_uri))
        if not self.files.exists(layout.experiment):
            raise NotFoundError("experiment", layout.experiment)
        return layout

    def needs_cleanning(self) -> bool:
        """Say whether copies for tools are to be removed after a run; local files are no copies."""
        return False


def _check_dataset_name(experiment: Experiment, name: str) -> None:
    taken = [experiment.raw_dataset.name, *(info.name for info in experiment.processed_datasets)]
    same = [known for known in taken if folded(known) == folded(name)]
    if same or name.startswith(".") or folded(name) in {DATA, folded(EXPERIMENT)}:
        raise ConflictError(f"{experiment.name} already has a dataset {(same or [name])[0]!r}")
