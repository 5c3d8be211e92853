"""What one can ask about what was changed, and what one can take back."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.containers import Data, Experiment
    from bioimageit_core.plugins.changes import HistoryPage, Undone

__all__ = ["KeepingRequests"]


class KeepingRequests(Services):
    """The part of `Request` about the history of experiments."""

    def acting_as(self, user: str) -> AbstractContextManager[None]:
        """Keep somebody else's name, not the configured user's, with what is changed in a ``with`` block."""
        from bioimageit_core.core.acting import acting_as

        return acting_as(user)

    def history(
        self, experiment: Experiment, data: str | Data = "", *, cursor: str = "", limit: int = 50
    ) -> HistoryPage:
        """Give changes of an experiment, newest first: who, when, what.

        Parameters
        ----------
        data
            Only changes of this data (or its `md_uri`).
        cursor
            Of another page, to go on from there.
        limit
            How many changes a page has at most.

        Raises
        ------
        UnsupportedError
            The service keeps no history.
        """
        function, _ = self._find("get_history")
        page: HistoryPage = function(
            experiment.md_uri, data if isinstance(data, str) else data.md_uri, cursor, max(limit, 1)
        )
        return page

    def undo(self, experiment: Experiment, change: str = "") -> Undone:
        """Take an annotation back.

        Each value that is still what the change wrote becomes what it was before; one that somebody changed since is
        left, and told in the result's `kept`. Keys that joined the experiment's vocabulary stay in it. An undo is a
        change itself, and can be undone.

        Parameters
        ----------
        change
            Which, as the history names it; by default the last annotation that was not taken back yet.

        Raises
        ------
        NotFoundError
            There is no such change, or nothing to be taken back.
        ConflictError
            It is no annotation, or was taken back already.
        UnsupportedError
            The service keeps no history.
        """
        function, _ = self._find("undo_change")
        undone: Undone = function(experiment.md_uri, change)
        return undone
