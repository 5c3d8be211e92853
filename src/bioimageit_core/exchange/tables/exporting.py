"""Write tables of an experiment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bioimageit_core.containers import Experiment
from bioimageit_core.exchange.exports import Exporting, ExportReport
from bioimageit_core.exchange.tables.files import write_rows
from bioimageit_core.exchange.tables.rows import Table, data_table, measurement_table
from bioimageit_core.plugins.contracts import DataService

__all__ = ["write_data", "write_measurements"]


def write_data(what: Exporting, *, datasets: Sequence[str] = ()) -> ExportReport:
    """Write one row for each data, with the key-values of the raw data that it comes from.

    Parameters
    ----------
    datasets
        Which ones; all by default.

    Raises
    ------
    TableError
        The format is unknown, or the file cannot be written.
    """
    return _write(what, data_table, datasets)


def write_measurements(what: Exporting, *, datasets: Sequence[str] = ()) -> ExportReport:
    """Write one row for each row of every table of results, with the key-values of the raw data that it comes from.

    Parameters
    ----------
    datasets
        Which ones; all by default.

    Raises
    ------
    TableError
        The format is unknown, or the file cannot be written.
    """
    return _write(what, measurement_table, datasets)


def _write(
    what: Exporting, make: Callable[[DataService, Experiment, Sequence[str]], Table], datasets: Sequence[str]
) -> ExportReport:
    experiment = what.service.get_experiment(what.experiment.md_uri)
    table = make(what.service, experiment, datasets)
    seen: set[str] = set()
    place = table.columns.index("uuid")

    def rows() -> Iterator[list[Any]]:
        for row in table.rows:
            seen.add(row[place])
            yield row

    path = os.path.abspath(os.path.expanduser(what.destination))
    count = sum(1 for _ in rows()) if what.dry_run else write_rows(path, table.columns, rows(), table.types)
    left_out = [f"{name}: {why}" for name, why in table.left_out.items()]
    size = 0 if what.dry_run else os.path.getsize(path)
    return ExportReport(path, len(seen), size=size, left_out=left_out, facts={"rows": count})
