"""What one can ask about annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.api.annotation import Change
    from bioimageit_core.containers import Experiment

__all__ = ["AnnotationRequests"]


class AnnotationRequests(Services):
    """The part of `Request` about annotations."""

    def annotate_from_name(
        self, experiment: Experiment, key: str, values: Sequence[str], *, dry_run: bool = False
    ) -> list[Change]:
        """Give each raw data, under `key`, the one of `values` that its name contains; others are left as they are.

        Parameters
        ----------
        dry_run
            Only say what would change.

        Returns
        -------
        list of Change
            What changed, in the dataset's order.
        """
        from bioimageit_core.api.annotation import annotate
        from bioimageit_core.core.annotate import value_from_name

        return annotate(self, experiment, key, lambda name: value_from_name(name, values), dry_run=dry_run)

    def annotate_using_separator(
        self, experiment: Experiment, key: str, separator: str, value_position: int, *, dry_run: bool = False
    ) -> list[Change]:
        """Give each raw data, under `key`, one of the parts that `separator` makes of its name.

        Names that have no such part are left as they are, with a warning to the observers.

        Parameters
        ----------
        value_position
            Which part, from 0; -1 is the last.
        dry_run
            Only say what would change.

        Returns
        -------
        list of Change
            What changed, in the dataset's order.
        """
        from bioimageit_core.api.annotation import annotate
        from bioimageit_core.core.annotate import NamePositionError, value_using_separator

        def find(name: str) -> str | None:
            try:
                return value_using_separator(name, separator, value_position)
            except NamePositionError as error:
                self.notify_warning(f"not annotated with {key!r}: {error}")
                return None

        return annotate(self, experiment, key, find, dry_run=dry_run)

    def annotate(
        self, experiment: Experiment, values: Mapping[str, str], query: str = "", *, dry_run: bool = False
    ) -> list[Change]:
        """Give every raw data that a query selects the same values, by key; all for ``''``.

        Parameters
        ----------
        dry_run
            Only say what would change.

        Returns
        -------
        list of Change
            What changed, in the dataset's order.
        """
        from bioimageit_core.api.annotation import annotate_selected

        return annotate_selected(self, experiment, values, query, dry_run=dry_run)

    def annotate_data(self, experiment: Experiment, pairs: Mapping[str, Mapping[str, str | None]]) -> tuple[str, int]:
        """Set key-value pairs of raw data: ``pairs[md_uri][key]`` is the new value, None removes it.

        Returns
        -------
        tuple
            The name of the change, which `undo` takes (empty where the service keeps no history), and how many data
            were annotated.
        """
        from bioimageit_core.api.annotation import annotate_pairs

        return annotate_pairs(self, experiment, pairs)
