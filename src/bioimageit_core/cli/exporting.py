"""The command that writes experiments in forms that others read."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import DryRunOption, ExperimentArgument, JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status

if TYPE_CHECKING:
    from bioimageit_core.exchange.exports import ExportReport

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        epilog=examples(
            "export nuclei ./shared --ome-zarr",
            "export nuclei ./shared --ome-zarr --version 0.4 --dry-run",
            "export nuclei ./shared --as ome-tiff",
            "export nuclei nuclei.zip --ro-crate --license CC-BY-4.0",
            "export nuclei measurements.csv --measurements",
        )
    )(export)


def export(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="Where to: a folder or file that need not be there.")
    ],
    form: Annotated[str, typer.Option("--as", metavar="FORM", help="By its name, in place of one of these:")] = "",
    ome_zarr: Annotated[bool, typer.Option("--ome-zarr", help="OME-Zarr images with labels and plates.")] = False,
    ome_tiff: Annotated[bool, typer.Option("--ome-tiff", help="OME-TIFF images with pyramids.")] = False,
    ro_crate: Annotated[bool, typer.Option("--ro-crate", help="A Workflow Run RO-Crate: a folder or .zip.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Data and annotations: .csv, .tsv or .parquet.")] = False,
    measurements: Annotated[
        bool, typer.Option("--measurements", help="All tables of results in one: .csv, .tsv or .parquet.")
    ] = False,
    bioimage_archive: Annotated[
        bool, typer.Option("--bioimage-archive", help="A submission to the BioImage Archive.")
    ] = False,
    version: Annotated[str, typer.Option("--version", help="Of OME-Zarr: 0.5 or 0.4.", show_default=False)] = "",
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="Of a table: only this dataset; may be repeated.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--license", help="Of a crate: an SPDX identifier such as CC-BY-4.0, or a URL.")
    ] = "",
    organization: Annotated[
        str, typer.Option("--organization", help="Of a crate: who publishes it; a URL may follow.")
    ] = "",
    by_reference: Annotated[
        bool, typer.Option("--by-reference", help="Of a crate: leave the files where they are.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write an experiment, with its results and where they come from, in a form that others read.

    An export that was interrupted is simply run again. What cannot be in it is told; then the exit status is 4.
    """
    asked = {
        "ome-zarr": ome_zarr,
        "ome-tiff": ome_tiff,
        "ro-crate": ro_crate,
        "data-table": table,
        "measurements": measurements,
        "bioimage-archive": bioimage_archive,
    }
    forms = [name for name, is_asked in asked.items() if is_asked] + ([form] if form else [])
    if len(forms) != 1:
        raise typer.BadParameter("say in which one form: --as FORM, or its own option such as --ome-zarr")
    session = session_of(ctx)
    found = session.experiment(experiment)
    given = {
        "version": version,
        "datasets": datasets,
        "licence": licence,
        "organization": organization,
        "by_reference": by_reference,
    }
    options = {name: value for name, value in given.items() if value}
    if "://" in destination:
        raise typer.BadParameter(f"{destination!r} is a URL: an export is a folder or file here", param_hint="DEST")
    target = os.path.abspath(os.path.expanduser(destination))
    with session.progress(f"exporting {found.name}"):
        report = session.request.export(found, target, forms[0], dry_run=dry_run, **options)
    _show(report, dry_run, as_json)
    if report.left_out or report.changed:
        raise typer.Exit(Status.PARTIAL)


def _show(report: ExportReport, dry_run: bool, as_json: bool) -> None:
    from bioimageit_core.cli.output import show_json, show_text

    if as_json:
        show_json({"dry_run": dry_run, **dataclasses.asdict(report)})
        return
    there = f", {report.present} were there already" if report.present else ""
    verb = "would be written" if dry_run else "written"
    show_text(f"{report.written} data {verb}{there}")
    for name, value in report.facts.items():
        show_text(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for line in report.left_out:
        show_text(f"left out: {line}")
    for line in report.changed:
        show_text(f"changed here: {line}")
    if not dry_run:
        show_text(f"now at {report.path}")
