"""What services may be able to do beyond their contract: looked for, never relied on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from bioimageit_core.containers import Container, Data, Dataset, ProcessedData, Run, Tool
    from bioimageit_core.core.command import Command, CommandStatus, Finished
    from bioimageit_core.plugins.changes import HistoryPage, TrashEntry, Undone
    from bioimageit_core.plugins.pages import DataPage

__all__ = [
    "AnnotatesData",
    "ChecksExperiments",
    "CleansUp",
    "CreatesDataUri",
    "CreatesManyData",
    "DeletesData",
    "DownloadsData",
    "Finding",
    "GetsDataUri",
    "KeepsHistory",
    "ListsRuns",
    "ListsValues",
    "LocksEnvironment",
    "PagesData",
    "QueriesData",
    "ReceivesData",
    "RemembersContent",
    "RunsCommands",
    "SharesDirectory",
    "StagesItems",
    "SubmitsCommands",
    "UpdatesRun",
    "ViewsData",
]


# Optional abilities of a data service.


@runtime_checkable
class ListsRuns(Protocol):
    """Knows the runs of a processed dataset."""

    def get_dataset_runs(self, dataset: Dataset) -> list[Run]:
        """List the runs of a dataset, oldest first."""
        ...


@runtime_checkable
class CreatesDataUri(Protocol):
    """Says where a tool is to write its output."""

    def create_data_uri(self, dataset: Dataset, run: Run, processed_data: ProcessedData) -> ProcessedData:
        """Set ``processed_data.uri`` to a local path that a tool can write to, and return `processed_data`."""
        ...


@runtime_checkable
class CreatesManyData(Protocol):
    """Can store the results of several items at once, faster than one by one."""

    def create_many_data(
        self, dataset: Dataset, run: Run, processed_data: Sequence[ProcessedData]
    ) -> list[ProcessedData]:
        """Store results of one run in their order, as `DataService.create_data` does each: all of them or none.

        Raises
        ------
        DataServiceError
            One of them cannot be stored; then none is, and the files are where they were.
        """
        ...


@runtime_checkable
class GetsDataUri(Protocol):
    """Knows a URI of a data that tools can read."""

    def get_data_uri(self, data: Data) -> str:
        """Say where a tool can read the data."""
        ...


@runtime_checkable
class DownloadsData(Protocol):
    """Can put a data into a local file."""

    def download_data(self, md_uri: str, destination: str) -> str:
        """Write the data into the file `destination` (or into the directory, under its own name); return its path."""
        ...


@runtime_checkable
class ViewsData(Protocol):
    """Can give a data as an array or table."""

    def view_data(self, md_uri: str) -> Any:
        """Read the data: an array with axes TCZYX (those that it has), or a table."""
        ...


@runtime_checkable
class CleansUp(Protocol):
    """Says whether local copies of its data are to be removed after a run."""

    def needs_cleanning(self) -> bool:
        """Say whether to remove local copies; the spelling is the published one."""
        ...


@runtime_checkable
class QueriesData(Protocol):
    """Answers queries by itself, faster than reading every data would."""

    def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
        """Give the data of a dataset that `query` selects, in the dataset's order."""
        ...


@runtime_checkable
class PagesData(Protocol):
    """Gives what a query selects page by page; a page costs the same wherever it stands."""

    def query_page(
        self,
        dataset: Container,
        query: str,
        origin_output_name: str = "",
        cursor: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> DataPage:
        """Give at most `limit` data of a dataset that `query` selects, in the dataset's order.

        They are those after `cursor`, without the first `offset` of them.
        """
        ...


@runtime_checkable
class ListsValues(Protocol):
    """Knows which values a key has, without reading every data."""

    def list_values(self, dataset: Container, key: str, prefix: str = "", limit: int = 100) -> list[str]:
        """List distinct values of an annotation key that begin with `prefix`, sorted, at most `limit`."""
        ...


@runtime_checkable
class UpdatesRun(Protocol):
    """Can write a run again: what became of its items is known only when they have ended."""

    def update_run(self, run: Run) -> None:
        """Write a run that `DataService.create_run` stored."""
        ...


@runtime_checkable
class AnnotatesData(Protocol):
    """Can annotate many data at once, faster than one by one."""

    def annotate_data(self, dataset: Container, pairs: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Set key-value pairs of raw data of one dataset; ``pairs[md_uri][key]`` is the new value, None removes it.

        A service that keeps a history returns the name of the change.
        """
        ...


@runtime_checkable
class ReceivesData(Protocol):
    """Can take in data of another home as they are, many at once, faster than one by one."""

    def receive_data(self, dataset: Container, data: Sequence[Data]) -> list[Data]:
        """Store data, all raw or all processed, with all that they say, and return them as they are read afterwards.

        They keep their identity; two of one name and content stay two. The `uri` of each is a local file (or Zarr
        directory) that is left as it is; URIs of runs and inputs are those of this service. Where the `uri` of what
        is returned is an absolute path, it is where the content is stored.

        Raises
        ------
        InvalidNameError
            A name cannot be stored; then nothing was.
        DataServiceError
            Something else failed; what is stored by then is stored whole.
        """
        ...


@runtime_checkable
class RemembersContent(Protocol):
    """Remembers what the content of a data was when it was stored."""

    def is_as_stored(self, data: Data, sha256: str) -> bool | None:
        """Say whether a data was stored with a content of this SHA-256; None where that is not known.

        Of a directory it is the SHA-256 of its lines ``<sha256>  <path>``, sorted by path.
        """
        ...


@dataclass(frozen=True)
class Finding:
    """Something in an experiment that does not hold.

    Attributes
    ----------
    kind
        ``missing file``, ``missing document``, ``unreadable document``, ``unreadable file``, ``swapped document``,
        ``orphan document``, ``orphan file``, ``orphan dataset``, ``listed twice``, ``checksum`` or ``leftover``.
    uri
        What it is about.
    repairable
        Whether a repair can make it hold without losing anything.
    """

    kind: str
    uri: str
    message: str
    repairable: bool = False


@runtime_checkable
class ChecksExperiments(Protocol):
    """Can say what in an experiment does not hold, and mend it."""

    def check_experiment(
        self, md_uri: str, content: bool = True, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Finding]:
        """Give what does not hold; with `content`, every data file is read and its checksum compared."""
        ...

    def repair_experiment(self, md_uri: str) -> Iterator[str]:
        """Mend what can be mended, and say what was done."""
        ...


@runtime_checkable
class KeepsHistory(Protocol):
    """Keeps of every change who made it, when, and what it was, and can take annotations back."""

    def get_history(self, md_uri: str, data_md_uri: str = "", cursor: str = "", limit: int = 50) -> HistoryPage:
        """Give changes of an experiment, newest first, those of one data where that is given."""
        ...

    def undo_change(self, md_uri: str, change: str = "") -> Undone:
        """Take an annotation back, the last that was not yet if `change` is empty; what was changed since stays."""
        ...


@runtime_checkable
class DeletesData(Protocol):
    """Deletes into a trash, from which things can be restored until they are purged.

    `uri` is an experiment's `md_uri`, or a workspace for the trash of experiments.
    """

    def delete_data(self, md_uri: str, data: Sequence[str], datasets: Sequence[str] = (), what: str = "") -> TrashEntry:
        """Move data, and whole processed datasets, of one experiment to its trash: all of them or none."""
        ...

    def delete_experiment(self, md_uri: str) -> TrashEntry:
        """Move an experiment to the trash of its workspace."""
        ...

    def get_trash(self, uri: str) -> list[TrashEntry]:
        """List what is in a trash, newest first."""
        ...

    def restore(self, uri: str, name: str = "") -> TrashEntry:
        """Put an entry back where it was: that of an id or name, else the last."""
        ...

    def purge_trash(self, uri: str, name: str = "") -> list[TrashEntry]:
        """Free the bytes of an entry, or of all; records with their hashes stay."""
        ...

    def finish_deletions(self, uri: str) -> list[TrashEntry]:
        """Finish what was interrupted, and say what that was."""
        ...


# Optional abilities of a runner. A job uses `RunsCommands` where a runner has it, else `SubmitsCommands`, else `exec`.


@runtime_checkable
class RunsCommands(Protocol):
    """Executes one command and waits for it; called from several threads at once, between `set_up` and `tear_down`."""

    def run_command(self, tool: Tool, command: Command, job_id: int = 0, stop: Event | None = None) -> Finished:
        """Execute a command in the tool's environment and say what became of it.

        An exit status other than 0 is no error here: the wrapper knows what it means. Keep no more of the output
        than its end. When the time-out is over, the memory limit passed or `stop` set, end the command and every
        process that it started, and return with the state that says so.

        Raises
        ------
        RunnerExecError
            The command could not be started; the message says what is missing and how to get it.
        """
        ...


@runtime_checkable
class SubmitsCommands(Protocol):
    """Hands commands to something that outlives this process, such as the scheduler of a cluster.

    A ticket is text that another process can use: kept in the job's journal, it lets a job be picked up again
    after its submitter died. A runner may bundle many commands into one job of its scheduler.
    """

    def submit(self, tool: Tool, commands: Sequence[Command], job_id: int = 0) -> list[str]:
        """Submit commands and return a ticket for each, in their order.

        Raises
        ------
        RunnerExecError
            They could not be submitted; none of them will run.
        """
        ...

    def status(self, tickets: Sequence[str]) -> Mapping[str, CommandStatus]:
        """Say where each command stands; one that nobody knows any more is `CommandState.LOST`."""
        ...

    def cancel(self, tickets: Sequence[str]) -> None:
        """End these commands, or keep them from starting; those that have ended are left as they are."""
        ...

    def logs(self, ticket: str, cursor: int = 0) -> tuple[str, int]:
        """Give what a command wrote from `cursor` on (0 for the beginning), and the cursor for the next call."""
        ...


@runtime_checkable
class SharesDirectory(Protocol):
    """Executes commands where only some directories of this machine are seen."""

    @property
    def shared_dir(self) -> str:
        """Absolute path under which the directories of jobs are to be made; ``''`` for anywhere."""
        ...


@runtime_checkable
class StagesItems(Protocol):
    """Does whole items where its commands are executed: inputs and results of a remote home need no shared directory.

    Such a runner hands `Command.item`, where it is not empty, to `bioimageit_core.api.items.execute` over there.
    """

    @property
    def stages_items(self) -> bool:
        """Whether it does."""
        ...


@runtime_checkable
class LocksEnvironment(Protocol):
    """Knows exactly what a tool's environment consists of."""

    def environment_digest(self, tool: Tool) -> str | None:
        """Give the SHA-256 of the environment's lock, in hexadecimal; None where it is not locked."""
        ...
