"""Commands about what was changed: log, undo."""

from __future__ import annotations

from typing import Annotated

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import ExperimentArgument, JsonOption
from bioimageit_core.cli.queries import DatasetOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        short_help="Show who changed what, and when.",
        epilog=examples("log nuclei", "log nuclei a.tif", "log nuclei --limit 10 --json"),
    )(log)
    app.command(
        short_help="Take an annotation back.", epilog=examples("undo nuclei", "undo nuclei 0f5e3a9c1b2d --json")
    )(undo)


def log(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    data: Annotated[str, typer.Argument(metavar="[DATA]", help="Only changes of this data: name, uuid or URI.")] = "",
    dataset: DatasetOption = "data",
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many changes at most; 0 for all.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show the changes of an experiment, or of one data, newest first: when, who, what.

    What was done at once is one change, however many data it was done to. Its last column is what undo takes.
    """
    from bioimageit_core.cli import histories

    session = session_of(ctx)
    found = session.experiment(experiment)
    md_uri = session.data(found, dataset, data).md_uri if data else ""
    histories.show(session, found, md_uri, limit, as_json)


def undo(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    change: Annotated[
        str, typer.Argument(metavar="[CHANGE]", help="As log names it; by default the last annotation.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Take an annotation of many data, or of one, back.

    A value that somebody changed since is left as it is and shown; then the exit status is 4. An undo is a change too:
    giving its name takes it back.
    """
    from bioimageit_core.cli import histories

    session = session_of(ctx)
    found = session.experiment(experiment)
    undone = session.request.undo(found, change)
    histories.show_undone(found, undone, as_json)
    if undone.kept:
        raise typer.Exit(int(Status.PARTIAL))
