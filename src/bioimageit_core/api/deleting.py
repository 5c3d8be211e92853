"""What one can have deleted, restored and purged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bioimageit_core.api.services import Services
from bioimageit_core.core.exceptions import ConflictError, DataServiceError

if TYPE_CHECKING:
    from bioimageit_core.containers import Data, Experiment
    from bioimageit_core.jobs.deletion import Deletion
    from bioimageit_core.plugins.changes import TrashEntry

__all__ = ["DeletingRequests"]


class DeletingRequests(Services):
    """The part of `Request` about deleting."""

    def plan_deletion(self, experiment: Experiment, dataset: str = "", data: Data | Sequence[Data] = ()) -> Deletion:
        """Say what would go with a data, a dataset or the experiment, what depends on it, and what that cost to make.

        Parameters
        ----------
        dataset
            Name of a processed dataset; it goes as a whole unless `data` are given.
        data
            One data or several.

        Raises
        ------
        ConflictError
            It is the raw dataset, which goes only with its experiment.
        """
        from bioimageit_core.jobs.deletion import plan_deletion

        chosen = list(data) if isinstance(data, Sequence) else [data]
        fresh = self.data_service.get_experiment(experiment.md_uri)
        if chosen:
            what = f"data {chosen[0].name!r}" if len(chosen) == 1 else f"{len(chosen)} data"
            return plan_deletion(self.data_service, fresh, what, [], [each.md_uri for each in chosen])
        if dataset:
            urls = [info.url for info in [fresh.raw_dataset, *fresh.processed_datasets] if info.name == dataset]
            if not urls:
                from bioimageit_core.jobs.selection import dataset_of

                dataset_of(self.data_service, fresh, dataset)  # which says what there is
            return plan_deletion(self.data_service, fresh, f"dataset {dataset!r}", urls, [])
        everything = [info.url for info in fresh.processed_datasets]
        raw = [item.md_uri for item in self.data_service.get_dataset(fresh.raw_dataset.url).uris]
        plan = plan_deletion(self.data_service, fresh, f"experiment {fresh.name!r}", everything, raw)
        return dataclasses.replace(plan, is_experiment=True)

    def delete(
        self,
        experiment: Experiment,
        dataset: str = "",
        data: Data | Sequence[Data] = (),
        *,
        dependents: str = "refuse",
        purge: bool = False,
    ) -> TrashEntry:
        """Move a data, a dataset or an experiment to the trash: all of it or nothing.

        Parameters
        ----------
        dataset, data
            As for `plan_deletion`.
        dependents
            What to do with what was made from it: ``refuse``, ``delete`` it too, or ``keep`` it.
        purge
            Free the bytes at once; the records with their hashes stay.

        Raises
        ------
        ConflictError
            Other data depend on it and `dependents` is ``refuse``.
        UnsupportedError
            The service cannot delete.
        """
        from bioimageit_core.jobs.deletion import DEPENDENTS

        if dependents not in DEPENDENTS:
            raise DataServiceError(f"dependents {dependents!r}: expected one of {', '.join(DEPENDENTS)}")
        self._find("delete_data")
        return self.delete_planned(
            experiment, self.plan_deletion(experiment, dataset, data), dependents=dependents, purge=purge
        )

    def delete_planned(
        self, experiment: Experiment, plan: Deletion, *, dependents: str = "refuse", purge: bool = False
    ) -> TrashEntry:
        """Do what `plan_deletion` said; see `delete`."""
        entry: TrashEntry
        if plan.is_experiment:
            function, _ = self._find("delete_experiment")
            entry, owner = function(experiment.md_uri), self._workspace_of(experiment)
        else:
            if plan.dependents and dependents == "refuse":
                raise ConflictError(
                    f"{len(plan.dependents)} data were made from {plan.what}: delete them too, or keep them"
                    " (dependents='delete' or 'keep'; --cascade or --keep)"
                )
            going = [*plan.data, *(plan.dependents if dependents == "delete" else ())]
            function, _ = self._find("delete_data")
            owner = experiment.md_uri
            entry = function(owner, [each.md_uri for each in going], list(plan.datasets), plan.what)
        if purge:
            return self.purge(owner, entry.id)[0]
        return entry

    def trash(self, place: Experiment | str = "") -> list[TrashEntry]:
        """List what is in the trash of an experiment, or of a workspace: by default, the configured one's experiments.

        Raises
        ------
        UnsupportedError
            The service has no trash.
        """
        function, _ = self._find("get_trash")
        entries: list[TrashEntry] = function(self._owner(place))
        return entries

    def restore(self, place: Experiment | str = "", name: str = "") -> TrashEntry:
        """Put back what was deleted: the entry of an id, the last that is called so, or the last of all.

        Raises
        ------
        ConflictError
            It was purged, or something else is where it was.
        """
        function, _ = self._find("restore")
        entry: TrashEntry = function(self._owner(place), name)
        return entry

    def purge(self, place: Experiment | str = "", name: str = "") -> list[TrashEntry]:
        """Free the bytes of one entry of a trash, or of all; the records with their hashes stay."""
        function, _ = self._find("purge_trash")
        entries: list[TrashEntry] = function(self._owner(place), name)
        return entries

    def finish_deletions(self, place: Experiment | str = "") -> list[TrashEntry]:
        """Finish deletions that were interrupted, and say which."""
        function, _ = self._find("finish_deletions")
        entries: list[TrashEntry] = function(self._owner(place))
        return entries

    def _owner(self, place: Experiment | str) -> str:
        return (place or self.default_workspace()) if isinstance(place, str) else place.md_uri

    def _workspace_of(self, experiment: Experiment) -> str:
        return experiment.md_uri.removesuffix("/experiment.md.json").rpartition("/")[0]
