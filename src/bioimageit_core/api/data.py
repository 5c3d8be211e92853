"""What one can ask about datasets, data and runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.containers import Data, Dataset, Experiment, ProcessedData, RawData, Run
    from bioimageit_core.plugins.abilities import Finding

__all__ = ["DataRequests"]

logger = logging.getLogger(__name__)


class DataRequests(Services):
    """The part of `Request` about datasets, data and runs."""

    def get_raw_data(self, md_uri: str) -> RawData:
        """Read a raw data."""
        return self.data_service.get_raw_data(md_uri)

    def update_raw_data(self, raw_data: RawData) -> None:
        """Write a raw data's metadata."""
        self.data_service.update_raw_data(raw_data)

    def get_processed_data(self, md_uri: str) -> ProcessedData:
        """Read a processed data."""
        return self.data_service.get_processed_data(md_uri)

    def update_processed_data(self, processed_data: ProcessedData) -> None:
        """Write a processed data's metadata."""
        self.data_service.update_processed_data(processed_data)

    def get_dataset_from_uri(self, md_uri: str) -> Dataset:
        """Read the dataset that is kept at `md_uri`."""
        return self.data_service.get_dataset(md_uri)

    def update_dataset(self, dataset: Dataset) -> None:
        """Write a dataset's name and list."""
        self.data_service.update_dataset(dataset)

    def get_raw_dataset(self, experiment: Experiment) -> Dataset:
        """Read the raw dataset of an experiment."""
        return self.data_service.get_dataset(experiment.raw_dataset.url)

    def get_dataset(self, experiment: Experiment, name: str) -> Dataset:
        """Read the dataset of a name; ``data`` is the raw one.

        Raises
        ------
        NotFoundError
            The experiment has none of that name; the message lists those it has.
        """
        from bioimageit_core.jobs.selection import dataset_of

        return dataset_of(self.data_service, self._latest(experiment, name), name)

    def is_dataset(self, experiment: Experiment, name: str) -> bool:
        """Say whether the experiment has a dataset of that name."""
        return _has_dataset(self._latest(experiment, name), name)

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        """Create an empty processed dataset."""
        return self.data_service.create_dataset(experiment, dataset_name)

    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        """Store a run of a processed dataset."""
        return self.data_service.create_run(dataset, run_info)

    def get_run(self, md_uri: str) -> Run:
        """Read a run."""
        return self.data_service.get_run(md_uri)

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset; where the service does not know them, those that made what is in it."""
        listed = getattr(self.data_service, "get_dataset_runs", None)
        if listed is not None:
            return list(listed(dataset))
        made = (getattr(data, "run", None) for data in self.get_data(dataset))
        return [
            self.get_run(md_uri) for md_uri in dict.fromkeys(run.md_uri for run in made if run is not None) if md_uri
        ]

    def update_run(self, run: Run) -> None:
        """Write a run again.

        Raises
        ------
        UnsupportedError
            The service writes a run once only.
        """
        function, _ = self._find("update_run")
        function(run)

    def store_result(self, dataset: Dataset, run: Run, processed_data: ProcessedData, path: str) -> ProcessedData:
        """Store a processed data whose file, or Zarr directory, is at `path`; it is moved away from there."""
        import shutil

        stage = getattr(self.data_service, "create_data_uri", None)
        processed_data.uri = path
        if stage is not None:
            processed_data = stage(dataset, run, processed_data)
            shutil.move(path, processed_data.uri)
        return self.data_service.create_data(dataset, run, processed_data)

    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Store a processed data and list it in its dataset."""
        return self.data_service.create_data(dataset, run, processed_data)

    def get_parent(self, processed_data: ProcessedData) -> Data | None:
        """Read what a data was made from: its first input; None where it has none."""
        from bioimageit_core.jobs.selection import get_parent

        return get_parent(self.data_service, processed_data)

    def get_origin(self, processed_data: ProcessedData) -> RawData | None:
        """Read the raw data that a data comes from; None where there is none."""
        from bioimageit_core.jobs.selection import get_origin

        return get_origin(self.data_service, processed_data)

    def query(
        self, experiment: Experiment, dataset_name: str, query: str = "", origin_output_name: str = ""
    ) -> list[Data]:
        """Read the data of the dataset of a name that a query selects; all for ``''``."""
        from bioimageit_core.jobs.selection import dataset_to_query

        dataset = dataset_to_query(self.data_service, self._latest(experiment, dataset_name), dataset_name)
        return self.get_data(dataset, query, origin_output_name)

    def get_data(self, dataset: Dataset, query: str = "", origin_output_name: str = "") -> list[Data]:
        """Read the data of a dataset that a query selects; all for ``''``.

        Parameters
        ----------
        query
            Such as ``population=p1 AND number>3``; on a processed dataset the keys are those of the raw data.
        origin_output_name
            Only data that are this output of their tool; all for ``''``.

        Raises
        ------
        DataQueryError
            The query cannot be understood; the message points at the place.
        """
        from bioimageit_core.jobs.selection import select_data

        return select_data(self.data_service, dataset, query, origin_output_name)

    def display_experiment(self, experiment: Experiment) -> str:
        """Describe an experiment and what is in it, as text for a terminal; it also goes to the log."""
        from bioimageit_core.api.display import describe_experiment

        text = describe_experiment(self, experiment)
        logger.info("%s", text)
        return text

    def download_data(self, md_uri: str | Data, destination: str) -> str:
        """Write a data into the file `destination`, or into the directory under its own name, and return the path.

        Raises
        ------
        UnsupportedError
            The service cannot, and the data is no local file.
        """
        from bioimageit_core.api.reading import copy_data

        download = getattr(self.data_service, "download_data", None)
        if download is None:
            return copy_data(self._read_data(md_uri), destination, self._name_of_service("metadata"))
        path = download(_md_uri_of(md_uri), destination)
        return str(path or destination)  # published plugins return nothing

    def view_data(self, md_uri: str | Data) -> Any:
        """Read a data: an array with axes TCZYX (those that it has), or a table.

        Raises
        ------
        UnsupportedError
            Neither the service nor this machine can read it.
        """
        from bioimageit_core.api.reading import read_data

        view = getattr(self.data_service, "view_data", None)
        if view is not None:
            return view(_md_uri_of(md_uri))
        data = self._read_data(md_uri)
        locate = getattr(self.data_service, "get_data_uri", None)
        return read_data(str(locate(data)) if locate else data.uri, self.formats.get(data.format))

    def check_experiment(
        self,
        experiment: Experiment,
        content: bool = True,
        progress: Callable[[int, int], None] | None = None,
        *,
        full: bool | None = None,
        spared: Callable[[int, int], None] | None = None,
    ) -> Iterator[Finding]:
        """Give what in an experiment does not hold.

        Parameters
        ----------
        content
            Whether to read every file and compare its checksum.
        progress
            Called with how many are done, and of how many.
        full
            Whether to read the files too that did not change since a check read them last, by time and size: what a
            failing disk does to a file does not show there.
        spared
            Called in the end with how many files were not read for that, and how many could not be compared because
            nothing says what they were when they were stored; never by a service that reads and compares them all.

        Raises
        ------
        UnsupportedError
            The service cannot check, or not so.
        """
        from bioimageit_core.plugins.structure import accepts

        function, given = self._find("check_experiment", full=full)
        if accepts(function, "spared"):
            given["spared"] = spared
        findings: Iterator[Finding] = function(experiment.md_uri, content, progress, **given)
        return findings

    def repair_experiment(self, experiment: Experiment) -> Iterator[str]:
        """Mend what can be mended in an experiment, and say what was done.

        Raises
        ------
        UnsupportedError
            The service cannot repair.
        """
        function, _ = self._find("repair_experiment")
        done: Iterator[str] = function(experiment.md_uri)
        return done

    def _read_data(self, md_uri: str | Data) -> Data:
        from bioimageit_core.core.exceptions import DataServiceError

        if not isinstance(md_uri, str):
            return md_uri
        try:
            data: Data = self.data_service.get_raw_data(md_uri)
        except DataServiceError as error:
            try:
                return self.data_service.get_processed_data(md_uri)
            except DataServiceError:
                raise error from None
        return data if data.type != "processed" else self.data_service.get_processed_data(md_uri)

    def _latest(self, experiment: Experiment, name: str) -> Experiment:
        # a run may have added the dataset since the caller read the experiment
        if _has_dataset(experiment, name):
            return experiment
        return self.data_service.get_experiment(experiment.md_uri)


def _has_dataset(experiment: Experiment, name: str) -> bool:
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    return name == "data" or any(info.name == name for info in infos)


def _md_uri_of(data: str | Data) -> str:
    return data if isinstance(data, str) else data.md_uri
