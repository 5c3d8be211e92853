"""The commands that move experiments between homes."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import ExperimentArgument, JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.exchange.transfer import TransferReport

__all__ = ["register"]

_MOST_LINES = 20


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        epilog=examples(
            "transfer nuclei /archive/workspace",
            "transfer nuclei s3://bucket/workspace --dry-run",
            "transfer nuclei lab-server.json",
        )
    )(transfer)
    app.command(
        "import-crate",
        epilog=examples("import-crate nuclei.zip", "import-crate ./nuclei-crate --dry-run"),
    )(import_crate)


def transfer(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    destination: Annotated[
        str,
        typer.Argument(
            help="The new home: a configuration (ends with .json), a URL for FSSPEC, or a folder for LOCAL."
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy an experiment to another home, with results, runs, lineage and every identity.

    Files are verified at both ends. A transfer that was interrupted is simply run again. What the new home cannot hold
    as the old one did is told, and kept there in a document so that it comes back with the next move; what is there
    already and was changed since is told and left as it is; a file that is not what was stored here is told, and moved
    as it is. In these cases the exit status is 4.
    """
    session = session_of(ctx)
    found = session.experiment(experiment)
    target, place = open_home(destination)
    with session.progress(f"transferring {found.name}"):
        report = session.request.transfer(found, target, place, dry_run=dry_run)
    show(found.md_uri, report, dry_run, as_json)
    if report.not_held or report.differing or report.changed:
        raise typer.Exit(Status.PARTIAL)


def import_crate(
    ctx: typer.Context,
    crate: Annotated[str, typer.Argument(metavar="CRATE", help="The crate: a folder or .zip file.")],
    destination: Annotated[str, typer.Option("--destination", help="Where; by default the workspace.")] = "",
    trusted: Annotated[
        list[str] | None,
        typer.Option("--trust", metavar="FOLDER", help="Take files that the crate references in this folder."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in the experiment of an RO-Crate that 'bioimageit export --ro-crate' made, here or elsewhere.

    Every file is compared with its checksum; a crate that reaches outside of itself is refused. An import that was
    interrupted is simply run again. The exit status is 4 if the home cannot hold something as it was.
    """
    session = session_of(ctx)
    with session.progress(f"importing {os.path.basename(crate)}"):
        report = session.request.import_crate(
            os.path.expanduser(crate), destination, trusted=trusted or (), dry_run=dry_run
        )
    show(crate, report, dry_run, as_json)
    if report.not_held or report.differing:
        raise typer.Exit(Status.PARTIAL)


def open_home(place: str) -> tuple[Request, str]:
    """Make the request of a home that a user names, and say where in it experiments go.

    Parameters
    ----------
    place
        A configuration file (ends with ``.json``), a URL of FSSPEC, or a directory of LOCAL.
    """
    from bioimageit_core.api import Request

    if place.endswith(".json"):
        return Request(place, log=False), ""
    request = Request(log=False)
    settings: dict[str, Any] = {"service": "FSSPEC" if "://" in place else "LOCAL"}
    if request.config.service_name("metadata") == settings["service"]:
        settings |= request.config.service_options("metadata")
    request.config.config["metadata"] = settings
    return request, place if "://" in place else os.path.abspath(place)


def show(source: str, report: TransferReport, dry_run: bool, as_json: bool) -> None:
    """Show what was moved, and what the new home does not hold as the old one did."""
    from bioimageit_core.cli.output import show_json, show_text

    if as_json:
        show_json({"experiment": source, "dry_run": dry_run, **dataclasses.asdict(report)})
        return
    there = f", {report.present} were there already" if report.present else ""
    verb = "would be moved" if dry_run else "moved"
    show_text(f"{report.moved} data in {report.datasets} datasets {verb}{there}; {report.runs} runs")
    told = (
        (report.not_held, "kept in a document"),
        (report.differing, "changed since"),
        (report.changed, "changed here"),
    )
    for lines, what in told:
        for line in lines[:_MOST_LINES]:
            show_text(f"{what}: {line}")
        if len(lines) > _MOST_LINES:
            show_text(f"{what}: and {len(lines) - _MOST_LINES} more (--json lists all)")
    if report.md_uri:
        show_text(f"now at {report.md_uri}")
