"""What a data service, a runner service and a tools service are.

A plugin need not inherit from these classes: it is checked against their signatures when it is chosen, and its methods
are called positionally in the order given here. What services may be able to do beyond that is in `abilities`, and
looked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.plugins.abilities import (
    AnnotatesData,
    ChecksExperiments,
    CleansUp,
    CreatesDataUri,
    CreatesManyData,
    DeletesData,
    DownloadsData,
    Finding,
    GetsDataUri,
    ListsRuns,
    LocksEnvironment,
    QueriesData,
    ReceivesData,
    RemembersContent,
    RunsCommands,
    SharesDirectory,
    StagesItems,
    SubmitsCommands,
    UpdatesRun,
    ViewsData,
)

if TYPE_CHECKING:
    from bioimageit_core.containers import (
        Dataset,
        Experiment,
        Pipeline,
        ProcessedData,
        RawData,
        Run,
        Tool,
        ToolIndexContainer,
        ToolsCategoryContainer,
    )
    from bioimageit_core.core.observer import Observer

__all__ = [
    "AnnotatesData",
    "ChecksExperiments",
    "CleansUp",
    "CreatesDataUri",
    "CreatesManyData",
    "DataService",
    "DeletesData",
    "DownloadsData",
    "Finding",
    "GetsDataUri",
    "ListsRuns",
    "LocksEnvironment",
    "QueriesData",
    "ReceivesData",
    "RemembersContent",
    "RunnerService",
    "RunsCommands",
    "SharesDirectory",
    "StagesItems",
    "SubmitsCommands",
    "ToolsService",
    "UpdatesRun",
    "ViewsData",
]


class DataService(ABC):
    """A place where experiments are kept.

    Raise `DataServiceError` or a subclass and nothing else; return a new container on every call. ``md_uri`` says where
    the service keeps a record; only the service that made it needs to understand it.
    """

    @abstractmethod
    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        """Create an experiment with an empty raw dataset named ``data``.

        Parameters
        ----------
        keys
            The first words of the vocabulary of annotation keys.
        destination
            Where to create it; what that is depends on the service (for LOCAL a directory).

        Raises
        ------
        ConflictError
            `destination` has an experiment of that name.
        InvalidNameError
            The name cannot be stored.
        """

    @abstractmethod
    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        """List the experiments of a workspace: ``{'md_uri': str, 'info': Experiment}`` each."""

    @abstractmethod
    def get_experiment(self, md_uri: str) -> Experiment:
        """Read one experiment.

        Raises
        ------
        NotFoundError
            Nothing is stored at `md_uri`.
        """

    @abstractmethod
    def update_experiment(self, experiment: Experiment) -> None:
        """Write an experiment's information and keys."""

    @abstractmethod
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
        """Import one file, or a Zarr directory, into the raw dataset; new keys join the experiment's.

        Raises
        ------
        DataServiceError
            `data_path` cannot be read; nothing is imported.
        """

    @abstractmethod
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
        """Import every file of a directory whose name matches a regular expression.

        Parameters
        ----------
        filter_
            Regular expression that is searched for in the names; empty for all.
        directory_tag_key
            If not empty, each data gets this key with the name of the directory that it stood in.
        observers
            Get ``notify_progress(percent, message)``.
        """

    @abstractmethod
    def get_raw_data(self, md_uri: str) -> RawData:
        """Read a raw data; it has every key of its experiment, with ``''`` where it has no value.

        Raises
        ------
        NotFoundError
            Nothing is stored at `md_uri`.
        """

    @abstractmethod
    def update_raw_data(self, raw_data: RawData) -> None:
        """Write a raw data's metadata."""

    @abstractmethod
    def get_processed_data(self, md_uri: str) -> ProcessedData:
        """Read a processed data.

        Raises
        ------
        NotFoundError
            Nothing is stored at `md_uri`.
        """

    @abstractmethod
    def update_processed_data(self, processed_data: ProcessedData) -> None:
        """Write a processed data's metadata."""

    @abstractmethod
    def get_dataset(self, md_uri: str) -> Dataset:
        """Read a dataset: its name and the list of its data.

        Raises
        ------
        NotFoundError
            Nothing is stored at `md_uri`.
        """

    @abstractmethod
    def update_dataset(self, dataset: Dataset) -> None:
        """Write a dataset's name and list."""

    @abstractmethod
    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        """Create an empty processed dataset; `experiment` is updated to list it.

        Raises
        ------
        ConflictError
            The experiment has a dataset of that name.
        """

    @abstractmethod
    def create_run(self, dataset: Dataset, run_info: Run) -> Run:
        """Store a run of a processed dataset; its ``md_uri`` is made here."""

    @abstractmethod
    def get_run(self, md_uri: str) -> Run:
        """Read a run.

        Raises
        ------
        NotFoundError
            Nothing is stored at `md_uri`.
        """

    @abstractmethod
    def create_data(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Store a processed data and list it in its dataset; its ``md_uri`` is made here.

        ``processed_data.uri`` is the file that the tool wrote: where `CreatesDataUri.create_data_uri` said, if the
        service has that ability; then the service may move it to its final place.
        """


class RunnerService(ABC):
    """What executes a tool's command."""

    @abstractmethod
    def set_up(self, tool: Tool, job_id: int = 0) -> None:
        """Prepare to execute `tool`: make its environment, start a container.

        Raises
        ------
        RunnerExecError
            The tool cannot run here; the message says what is missing and how to get it.
        """

    @abstractmethod
    def exec(self, tool: Tool, args: Sequence[str], job_id: int = 0) -> Any:
        """Execute a command to its end; `args` is an argv.

        Raises
        ------
        RunnerExecError
            The command could not be started, or its exit status is not 0.
        """

    @abstractmethod
    def tear_down(self, tool: Tool, job_id: int = 0) -> None:
        """Undo what `set_up` did; called once for each call of it, also after a failure."""


class ToolsService(ABC):
    """Where the descriptions of tools are."""

    @abstractmethod
    def search(self, keyword: str = "") -> list[ToolIndexContainer]:
        """List the tools whose name, id or description contains `keyword`, in any case; all for ``''``."""

    @abstractmethod
    def get_tool(self, fullname: str) -> Tool:
        """Read the tool of a full name, ``{id}_v{version}``.

        Raises
        ------
        ToolNotFoundError
            No tool has that name.
        """

    @abstractmethod
    def read_tool(self, uri: str) -> Tool:
        """Read the tool that a wrapper describes.

        Raises
        ------
        ToolsServiceError
            The wrapper cannot be read; the message names file and line.
        """

    @abstractmethod
    def get_categories(self, parent: str) -> list[ToolsCategoryContainer]:
        """List the categories in the category `parent`."""

    @abstractmethod
    def get_category_tools(self, category: str) -> list[ToolIndexContainer]:
        """List the tools of a category."""

    @abstractmethod
    def get_pipeline(self, uri: str) -> Pipeline:
        """Read a pipeline from its JSON file."""
