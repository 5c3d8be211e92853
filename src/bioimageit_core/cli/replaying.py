"""What ``bioimageit replay`` does and shows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.output import show_json, show_table, show_text
from bioimageit_core.core.exceptions import ToolNotFoundError

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment, Tool
    from bioimageit_core.jobs.replay import Verdict
    from bioimageit_core.plugins.contracts import DataService, ToolsService

__all__ = ["replay", "replay_crate", "show"]


def replay(
    session: Session, experiment: Experiment, name: str, tolerance: float, folder: str, workers: int | None
) -> list[Verdict]:
    """Execute the record of a dataset again, elsewhere, and compare what comes out with what is stored.

    Raises
    ------
    NotFoundError
        The experiment has no such dataset.
    JobError
        Nothing was recorded of how the dataset was made.
    """
    request = session.request
    return _replay(session, request.data_service, request.tools_service, experiment, name, tolerance, folder, workers)


def replay_crate(
    session: Session, crate: str, name: str, tolerance: float, folder: str, workers: int | None
) -> list[Verdict]:
    """Take the experiment of a crate into a folder that is removed afterwards, and replay a dataset of it.

    Raises
    ------
    UnsafeCrateError
        The crate reaches outside of itself, or a file is not what its metadata say.
    """
    import tempfile

    from bioimageit_core.exchange.crate.reading import read_crate
    from bioimageit_core.plugins.data_local import LocalMetadataService

    service = LocalMetadataService(durable=False)
    with tempfile.TemporaryDirectory(prefix="bioimageit-crate-") as room:
        arrived = read_crate(crate, service, room)
        experiment = service.get_experiment(arrived.md_uri)
        return _replay(
            session, service, _Known(session.request.tools_service), experiment, name, tolerance, folder, workers
        )


class _Known:
    """The tools of this machine by their names; where a crate says that a wrapper is, nobody looks."""

    def __init__(self, tools: ToolsService) -> None:
        self.get_tool = tools.get_tool

    def read_tool(self, uri: str) -> Tool:
        """Refuse, so that the tool is found by its name."""
        raise ToolNotFoundError(uri)


def _replay(
    session: Session,
    service: DataService,
    tools: Any,
    experiment: Experiment,
    name: str,
    tolerance: float,
    folder: str,
    workers: int | None,
) -> list[Verdict]:
    from bioimageit_core.jobs.replay import replay_dataset

    request = session.request
    dataset = service.get_dataset(session.dataset_info(experiment, name).url)
    with session.progress(f"replaying {name}"):
        return replay_dataset(
            service,
            tools,
            request.runner_service,
            experiment,
            dataset,
            tolerance=tolerance,
            work_dir=folder,
            workers=workers,
            observers=request.observers,
        )


def show(dataset: str, verdicts: Sequence[Verdict], as_json: bool) -> None:
    """Show the verdict on each output."""
    if as_json:
        show_json({"dataset": dataset, "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts]})
        return
    rows = ((each.data or each.item, each.output, each.verdict, each.detail) for each in verdicts)
    show_table(["data", "output", "verdict", "why"], rows, count=len(verdicts))
    counts = Counter(verdict.verdict for verdict in verdicts)
    show_text(f"\n{dataset}: {', '.join(f'{number} {verdict}' for verdict, number in counts.most_common())}")
