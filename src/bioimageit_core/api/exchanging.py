"""Requests about what others made: crates and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment
    from bioimageit_core.exchange.tables.annotating import Comparison
    from bioimageit_core.exchange.transfer import TransferReport

__all__ = ["ExchangeRequests"]


class ExchangeRequests(Services):
    """Take in what others made."""

    def import_crate(
        self, crate: str, destination: str = "", *, trusted: Sequence[str] = (), dry_run: bool = False
    ) -> TransferReport:
        """Take the experiment of a crate in: the same in every field, identity and byte.

        What was interrupted is simply asked for again. Crates that reach outside of themselves are refused.

        Parameters
        ----------
        crate
            A folder or ZIP file that `export` made as ``ro-crate``, here or elsewhere.
        destination
            Where the experiment goes; by default the workspace.
        trusted
            Folders that files may be referenced in.

        Raises
        ------
        UnsafeCrateError
            The crate reaches outside of itself, or a file is not what its metadata say.
        DataServiceError
            It holds no experiment, or something cannot be read or written.
        """
        from bioimageit_core.exchange.crate.reading import read_crate

        return read_crate(
            crate,
            self.data_service,
            destination or self.default_workspace(),
            trusted=trusted,
            dry_run=dry_run,
            observers=self.observers,
        )

    def annotate_from_table(
        self, experiment: Experiment, path: str, *, match: str = "", remove_empty: bool = False, dry_run: bool = False
    ) -> Comparison:
        """Annotate raw data with what a table says; only what differs is written, as one change that can be undone.

        A column ``uuid`` or ``name`` says which data a row is about; the others are keys. Rows that are about no data,
        or about one that an earlier row is about, are told and not used. Doing it again changes nothing.

        Parameters
        ----------
        path
            CSV, TSV, Parquet or XLSX, with a header.
        match
            Another column that names the data.
        remove_empty
            Let empty cells remove values; by default they say nothing.
        dry_run
            Only say what would change.

        Raises
        ------
        TableError
            It is no table, or has no column to match by.
        """
        from bioimageit_core.exchange.tables.annotating import compare_table, write_differences

        found = compare_table(self.data_service, experiment, path, match=match, remove_empty=remove_empty)
        if not dry_run:
            write_differences(self.data_service, experiment, found)
            self.notify_observers(100, f"{len(found.changes)} values written")
        return found

    def annotations_to_table(self, experiment: Experiment, path: str) -> int:
        """Write name, uuid and annotations of the raw data as a table that `annotate_from_table` takes; count its rows.

        Parameters
        ----------
        path
            Ends with ``.csv``, ``.tsv`` or ``.parquet``; a file that is there is replaced.

        Raises
        ------
        TableError
            The format is unknown, or the file cannot be written.
        """
        from bioimageit_core.exchange.tables.annotating import annotation_table
        from bioimageit_core.exchange.tables.files import write_rows

        table = annotation_table(self.data_service, self.data_service.get_experiment(experiment.md_uri))
        return write_rows(path, table.columns, table.rows)
