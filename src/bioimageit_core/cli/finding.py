"""One query over several homes: find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import JsonOption
from bioimageit_core.cli.moving import open_home
from bioimageit_core.cli.queries import QUERY_HELP
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status

if TYPE_CHECKING:
    from bioimageit_core.exchange.federation import Hit

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        short_help="Ask every experiment, of several homes, one query.",
        epilog=examples(
            'find "Population=p1"',
            'find "Population=p1 AND Day>=3" lab-server.json s3://bucket/workspace',
            'find "name=mask" /archive/workspace --dataset segmentation --json',
        ),
    )(find)


def find(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(metavar="QUERY", help=QUERY_HELP)],
    homes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[HOME]...",
            help="Other homes: a configuration (ends with .json), a URL for FSSPEC, or a folder for LOCAL.",
        ),
    ] = None,
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="The dataset; by default the raw one.")] = "data",
    output: Annotated[str, typer.Option("--output", "-o", help="Only this output of the tool.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the data that a query selects in every experiment of this home, and of others, each with its home.

    A home that cannot be read is told, and the others are asked all the same; the exit status is 4 then.
    """
    from bioimageit_core.cli.output import show_json, show_table
    from bioimageit_core.exchange.federation import query_homes

    failed: dict[str, str] = {}
    opened = {"here": (session_of(ctx).request, ""), **{home: open_home(home) for home in homes or []}}
    places = {
        name: (request.data_service, place or request.default_workspace()) for name, (request, place) in opened.items()
    }
    hits = query_homes(places, dataset, query, output, on_error=lambda home, error: failed.update({home: str(error)}))
    if as_json:
        from bioimageit_core.cli.documents import data_document

        found = [
            {"home": hit.home, "experiment": hit.experiment.name, "experiment_md_uri": hit.experiment.md_uri}
            | {"data": data_document(hit.data)}
            for hit in hits
        ]
        show_json({"query": query, "dataset": dataset, "hits": found, "not_read": failed})
    else:
        show_table(["home", "experiment", "name", "annotations", "uri"], map(_row, hits))
    for home, error in failed.items():
        typer.echo(f"warning: the home {home!r} was not read: {error}", err=True)
    if failed:
        raise typer.Exit(int(Status.PARTIAL))


def _row(hit: Hit) -> list[str]:
    pairs = getattr(hit.data, "key_value_pairs", {})
    said = ", ".join(f"{key}={value}" for key, value in pairs.items() if value != "")
    return [hit.home, hit.experiment.name, hit.data.name, said, hit.data.md_uri]
