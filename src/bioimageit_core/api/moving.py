"""Requests that concern more than one home."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment
    from bioimageit_core.core.exceptions import DataServiceError
    from bioimageit_core.exchange.exports import ExportReport
    from bioimageit_core.exchange.federation import Hit
    from bioimageit_core.exchange.transfer import TransferReport

__all__ = ["MovingRequests"]


class MovingRequests(Services):
    """Move experiments to other homes, give them to others, and ask several homes at once."""

    def transfer(
        self, experiment: Experiment, target: Services, destination: str = "", *, dry_run: bool = False
    ) -> TransferReport:
        """Copy an experiment, with all that belongs to it and every identity, to the home of another request.

        What was interrupted is simply asked for again. The source is not changed.

        Parameters
        ----------
        target
            The request whose configuration names the new home.
        destination
            Where in it; by default its workspace.

        Raises
        ------
        DataServiceError
            A record or file cannot be read or written, or a file arrived with another content.
        """
        from bioimageit_core.exchange.transfer import transfer_experiment

        return transfer_experiment(
            experiment,
            self.data_service,
            target.data_service,
            destination or target.default_workspace(),
            dry_run=dry_run,
            observers=self.observers,
        )

    def export(
        self, experiment: Experiment, destination: str, form: str, *, dry_run: bool = False, **options: Any
    ) -> ExportReport:
        """Write an experiment in a form that others read.

        What was interrupted is simply asked for again. The experiment is not changed.

        Parameters
        ----------
        destination
            Where to: a folder, or for some forms a file.
        form
            One of `bioimageit_core.exchange.exports.EXPORTS`, such as ``ome-zarr``.
        dry_run
            Report what would be written, and write nothing.
        options
            Those of the form.

        Raises
        ------
        DataServiceError
            There is no such form, it does not take an option, or something cannot be read or written.
        """
        from bioimageit_core.exchange.exports import Exporting, write_export

        what = Exporting(experiment, self.data_service, destination, self.tools_service, self.observers, dry_run)
        return write_export(form, what, **options)

    def query_homes(
        self,
        others: Mapping[str, Services],
        dataset_name: str,
        query: str = "",
        origin_output_name: str = "",
        *,
        on_error: Callable[[str, DataServiceError], None] | None = None,
    ) -> Iterator[Hit]:
        """Give what a query selects in every experiment of this home, called ``here``, and of others.

        Parameters
        ----------
        others
            Requests of other homes, by a name for each.
        on_error
            Hears which home could not be read, and why; the others are asked all the same. Without it that is raised.
        """
        from bioimageit_core.exchange.federation import query_homes

        homes = {"here": self, **others}
        places = {name: (home.data_service, home.default_workspace()) for name, home in homes.items()}
        return query_homes(places, dataset_name, query, origin_output_name, on_error=on_error)
