"""The command that looks into images which were imported without that."""

from __future__ import annotations

from typing import Annotated

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import ExperimentArgument, JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        epilog=examples("describe nuclei", "describe nuclei --anew"),
        short_help="Record what images say of themselves.",
    )(describe)


def describe(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    anew: Annotated[bool, typer.Option("--anew", help="Also where it is recorded already.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Record sizes, pixel sizes, channels and the like of imported images, and who read them, in their metadata.

    An import does that by itself, but for folders of very many small files.
    """
    from bioimageit_core.cli.output import show_json, show_text

    session = session_of(ctx)
    found = session.experiment(experiment)
    with session.progress("looking into images"):
        done = session.request.describe_images(found, anew=anew)
    if as_json:
        show_json({"described": done.count, "unread": done.unread})
    else:
        show_text(f"{done.count} images described")
        for name, reason in done.unread.items():
            show_text(f"not read: {name}: {reason}")
    if done.unread:
        raise typer.Exit(Status.PARTIAL)
