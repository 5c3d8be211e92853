"""Requests for forms that others read: RO-Crates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment
    from bioimageit_core.exchange.crate.writing import CrateReport
    from bioimageit_core.exchange.transfer import TransferReport

__all__ = ["ExchangeRequests"]


class ExchangeRequests(Services):
    """Give experiments to others, and take theirs in."""

    def export_crate(
        self,
        experiment: Experiment,
        destination: str,
        *,
        license_: str = "",
        organization: str = "",
        by_reference: bool = False,
    ) -> CrateReport:
        """Write an experiment with its files, runs and annotations as a Workflow Run RO-Crate.

        Parameters
        ----------
        destination
            A folder that is not there yet or empty; or a file that is not there yet and ends with ``.zip``.
        license_
            An SPDX identifier (``CC-BY-4.0``) or a URL.
        organization
            Who publishes it: a name, and a URL after it.
        by_reference
            Leave files where they lie, with size and SHA-256, instead of copying them.

        Raises
        ------
        ConflictError
            Something is at `destination`.
        DataServiceError
            A record or file cannot be read or written; nothing is left at `destination` then.
        """
        from bioimageit_core.exchange.crate.writing import write_crate

        return write_crate(
            experiment,
            self.data_service,
            destination,
            tools=self.tools_service,
            license_=license_,
            organization=organization,
            by_reference=by_reference,
            observers=self.observers,
        )

    def import_crate(
        self, crate: str, destination: str = "", *, trusted: Sequence[str] = (), dry_run: bool = False
    ) -> TransferReport:
        """Take the experiment of a crate in: the same in every field, identity and byte.

        What was interrupted is simply asked for again. Crates that reach outside of themselves are refused.

        Parameters
        ----------
        crate
            A folder or ZIP file that `export_crate` made, here or elsewhere.
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
