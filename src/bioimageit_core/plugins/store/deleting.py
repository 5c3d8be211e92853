"""What a store deletes, restores and purges: data, datasets, and whole experiments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.paths import join, name_of, parent
from bioimageit_core.plugins.store.base import StoreBase, told
from bioimageit_core.plugins.store.layout import EXPERIMENT, Layout

if TYPE_CHECKING:
    from bioimageit_core.plugins.changes import TrashEntry
    from bioimageit_core.plugins.store.trash import Trash

__all__ = ["DeletingStore"]


@told
class DeletingStore(StoreBase):
    """Delete into a trash: that of the experiment, and for experiments that of the workspace."""

    def delete_data(self, md_uri: str, data: Sequence[str], datasets: Sequence[str] = (), what: str = "") -> TrashEntry:
        layout = Layout.of_experiment(self.files.absolute(md_uri))
        with self._held(layout):
            absolute = self.files.absolute
            return self._trash(layout).delete(list(map(absolute, data)), list(map(absolute, datasets)), what)

    def delete_experiment(self, md_uri: str) -> TrashEntry:
        from bioimageit_core.plugins.store.bin import Content

        layout = Layout.of_experiment(self.files.absolute(md_uri))
        workspace, folder = Layout(parent(layout.root)), name_of(layout.root)
        with self.files.lock(workspace.ours):
            trash = self._trash(workspace)
            for entry in trash.finish():
                if folder in entry.record.moves and not self.files.exists(layout.experiment):
                    return entry.described()
            with self._held(layout):
                entry = trash.new(f"experiment {self._title(layout)!r}")
                size = sum(known[-1].size for known in self.journal.checksums(layout).values())
                uuid = str(self.documents.load(layout.experiment).get("uuid", ""))
                entry.record.content = [Content(uuid, self._title(layout), f"{folder}/{EXPERIMENT}", "", size)]
                entry.record.moves = [folder]
                return trash.put(entry)

    def _title(self, layout: Layout) -> str:
        try:
            return self.documents.read(Experiment, layout.experiment).name
        except DataServiceError:
            return name_of(layout.root)

    def get_trash(self, uri: str) -> list[TrashEntry]:
        return self._trash(self._owner(uri)).entries()

    def restore(self, uri: str, name: str = "") -> TrashEntry:
        layout = self._owner(uri)
        with self.files.lock(layout.ours):
            return self._trash(layout).restore(name)

    def purge_trash(self, uri: str, name: str = "") -> list[TrashEntry]:
        layout = self._owner(uri)
        with self.files.lock(layout.ours):
            return self._trash(layout).purge(name)

    def finish_deletions(self, uri: str) -> list[TrashEntry]:
        layout = self._owner(uri)
        with self.files.lock(layout.ours):
            return [entry.described() for entry in self._trash(layout).finish()]

    def _trash(self, layout: Layout) -> Trash:
        from bioimageit_core.plugins.store.trash import Trash  # what only some commands need

        return Trash(self.documents, self.listings, self.journal, layout)

    def _owner(self, uri: str) -> Layout:
        """Return the layout of an experiment; or that of a workspace, which has a trash too."""
        absolute = self.files.absolute(uri or ".")
        if self.files.exists(join(absolute, EXPERIMENT)) or name_of(absolute) == EXPERIMENT:
            return Layout.of_experiment(absolute)
        self.files.names(absolute)  # NotFoundError where there is nothing
        return Layout(absolute)
