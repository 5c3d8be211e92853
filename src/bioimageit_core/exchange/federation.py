"""One query over several homes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bioimageit_core.containers import Data, Experiment
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.query import parse_query
from bioimageit_core.jobs.selection import dataset_to_query, select_each
from bioimageit_core.plugins.contracts import DataService

__all__ = ["Hit", "query_homes"]


@dataclass(frozen=True)
class Hit:
    """A data that a query selects, and where it is: the name of its home, and its experiment there."""

    home: str
    experiment: Experiment
    data: Data


def query_homes(
    homes: Mapping[str, tuple[DataService, str]],
    dataset_name: str,
    query: str,
    origin_output_name: str = "",
    *,
    on_error: Callable[[str, DataServiceError], None] | None = None,
) -> Iterator[Hit]:
    """Give what a query selects in every experiment of several homes.

    Parameters
    ----------
    homes
        Service and workspace of each home, by a name for it.
    dataset_name
        The dataset to look in; experiments without one of that name have nothing to give.
    on_error
        Hears which home could not be read, and why; the others are asked all the same. Without it that is raised.

    Raises
    ------
    DataQueryError
        The query cannot be understood.
    DataServiceError
        A home cannot be read.
    """
    parse_query(query)  # at once, and not of each home that it is wrong
    return _hits(homes, dataset_name, query, origin_output_name, on_error)


def _hits(
    homes: Mapping[str, tuple[DataService, str]],
    dataset_name: str,
    query: str,
    output: str,
    on_error: Callable[[str, DataServiceError], None] | None,
) -> Iterator[Hit]:
    for home, (service, workspace) in homes.items():
        try:
            for entry in service.get_workspace_experiments(workspace):
                experiment = service.get_experiment(entry["md_uri"])
                try:
                    dataset = dataset_to_query(service, experiment, dataset_name)
                except NotFoundError:
                    continue
                for data in select_each(service, dataset, query, output):
                    yield Hit(home, experiment, data)
        except DataServiceError as error:
            if on_error is None:
                raise
            on_error(home, error)
