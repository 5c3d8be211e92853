"""What ``bioimageit status`` finds and shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioimageit_core.cli.output import show_json, show_table, show_text

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment
    from bioimageit_core.jobs.staleness import Reason

__all__ = ["Standing", "find", "show"]


@dataclass(frozen=True)
class Standing:
    """How a processed dataset stands; it is current where there is no reason against it."""

    dataset: str
    reasons: tuple[Reason, ...]

    @property
    def state(self) -> str:
        """``current``, ``stale``, or ``unknown`` where too little was recorded to tell."""
        if not self.reasons:
            return "current"
        return "unknown" if all(reason.kind == "unknown" for reason in self.reasons) else "stale"


def find(session: Session, experiment: Experiment) -> list[Standing]:
    """Say how each processed dataset of an experiment stands, in the experiment's order; nothing is executed."""
    from bioimageit_core.jobs.staleness import dataset_status

    request = session.request
    data, tools, runner = request.data_service, request.tools_service, request.runner_service
    found = []
    with session.progress("looking at results") as progress:
        for number, info in enumerate(experiment.processed_datasets, 1):
            dataset = request.get_dataset_from_uri(info.url)
            found.append(Standing(info.name, tuple(dataset_status(data, tools, experiment, dataset, runner=runner))))
            progress.notify_progress(100 * number // len(experiment.processed_datasets), info.name)
    return found


def show(experiment: Experiment, standings: list[Standing], as_json: bool) -> None:
    """Show which datasets are current, and why others are not."""
    if as_json:
        datasets = [
            {
                "dataset": each.dataset,
                "state": each.state,
                "reasons": [dataclasses.asdict(reason) for reason in each.reasons],
            }
            for each in standings
        ]
        show_json({"experiment": experiment.md_uri, "datasets": datasets})
    elif not standings:
        show_text(f"{experiment.name}: no results yet")
    else:
        rows = [(each.dataset, each.state, str(reason)) for each in standings for reason in each.reasons or [""]]
        show_table(["dataset", "state", "why"], rows, count=len(rows))
