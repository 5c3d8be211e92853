"""Where an experiment keeps what; pure names, nothing touches a disk."""

from __future__ import annotations

from dataclasses import dataclass

from bioimageit_core.core.paths import OURS, join, name_of, parent

__all__ = ["DATA", "DERIVED", "EXPERIMENT", "OURS", "PROCESSED_DATASET", "RAW_DATASET", "Layout"]

EXPERIMENT = "experiment.md.json"
RAW_DATASET = "raw_dataset.md.json"
PROCESSED_DATASET = "processed_dataset.md.json"
DATA = "data"

DERIVED = ("index.sqlite-journal", "index.sqlite", "checked.sqlite")
"""What of ours is made again when it is gone."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of the experiment in the directory `root`."""

    root: str

    @classmethod
    def of_experiment(cls, md_uri: str) -> Layout:
        """Return the layout of the experiment with this document or directory."""
        return cls(parent(md_uri) if name_of(md_uri) == EXPERIMENT else md_uri.rstrip("/"))

    @classmethod
    def of_record(cls, md_uri: str) -> Layout:
        """Return the layout that a dataset, a data or a run belongs to."""
        return cls(parent(parent(md_uri)))

    @property
    def experiment(self) -> str:
        """The experiment's document."""
        return join(self.root, EXPERIMENT)

    @property
    def raw_dataset(self) -> str:
        """The raw dataset's document."""
        return join(self.root, DATA, RAW_DATASET)

    @property
    def ours(self) -> str:
        """The folder of what is ours alone."""
        return join(self.root, OURS)

    @property
    def temp(self) -> str:
        """Where files are written before they are moved to their place."""
        return join(self.root, OURS, "temp")

    @property
    def staging(self) -> str:
        """Where tools write their outputs before they are data."""
        return join(self.root, OURS, "staging")

    @property
    def trash(self) -> str:
        """Where what was replaced or deleted waits to be restored."""
        return join(self.root, OURS, "trash")

    @property
    def journal(self) -> str:
        """The log of every change: who, when, what, and the checksums of data files."""
        return join(self.root, OURS, "journal.jsonl")

    def pending(self, dataset: str) -> str:
        """Return the log of data that are not yet in the list of the dataset with this document."""
        return join(self.root, OURS, "pending", f"{name_of(parent(dataset))}.jsonl")
