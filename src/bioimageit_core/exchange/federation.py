"""One query over several homes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bioimageit_core.containers import Data, Experiment
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.jobs.selection import dataset_of, select_data
from bioimageit_core.plugins.contracts import DataService

__all__ = ["Hit", "query_homes"]


@dataclass(frozen=True)
class Hit:
    """A data that a query selects, and where it is: the name of its home, and its experiment there."""

    home: str
    experiment: Experiment
    data: Data


def query_homes(
    homes: Mapping[str, tuple[DataService, str]], dataset_name: str, query: str, origin_output_name: str = ""
) -> Iterator[Hit]:
    """Give what a query selects in every experiment of several homes.

    Parameters
    ----------
    homes
        Service and workspace of each home, by a name for it.
    dataset_name
        The dataset to look in; experiments without one of that name have nothing to give.

    Raises
    ------
    DataQueryError
        The query cannot be understood.
    DataServiceError
        A home cannot be read.
    """
    for home, (service, workspace) in homes.items():
        for entry in service.get_workspace_experiments(workspace):
            experiment = service.get_experiment(entry["md_uri"])
            try:
                dataset = dataset_of(service, experiment, dataset_name)
            except NotFoundError:
                continue
            for data in select_data(service, dataset, query, origin_output_name):
                yield Hit(home, experiment, data)
