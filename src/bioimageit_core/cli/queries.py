"""Commands that look: query, show, lineage, check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bioimageit_core.cli.completion import complete_dataset, complete_experiment
from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import ExperimentArgument, JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment

__all__ = ["register"]

QUERY_HELP = (
    "Such as 'Population=p1 AND Day>=3'. = != == < <= > >= IN (a, b) and ~ (regular expression) compare, a key alone "
    "asks for any value, AND OR NOT and parentheses join; name=part finds a part of the name. Empty selects all."
)
DatasetOption = Annotated[
    str, typer.Option("--dataset", "-d", help="The dataset; by default the raw one.", autocompletion=complete_dataset)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        epilog=examples(
            'query nuclei "Population=p1 AND Day>=3"',
            'query nuclei "name~p[0-9]+d" --json',
            "query nuclei --dataset segmentation --output labels",
        )
    )(query)
    app.command(
        short_help="Show the workspace, or anything in it.",
        epilog=examples(
            "show",
            "show nuclei",
            "show nuclei segmentation",
            "show nuclei segmentation --runs",
            "show nuclei data a.tif",
        ),
    )(show)
    app.command(
        short_help="Draw how things came to be.",
        epilog=examples("lineage nuclei", "lineage nuclei segmentation o_a.tif", "lineage nuclei --json"),
    )(lineage)
    app.command(
        short_help="Say whether results are current.", epilog=examples("status nuclei", "status nuclei --json")
    )(status)
    app.command(
        short_help="Find what does not hold.",
        epilog=examples("check nuclei", "check nuclei --quick --json", "check nuclei --full", "check nuclei --repair"),
    )(check)


def query(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    query: Annotated[str, typer.Argument(metavar="[QUERY]", help=QUERY_HELP)] = "",
    dataset: DatasetOption = "data",
    output: Annotated[str, typer.Option("--output", "-o", help="Only this output of the tool.")] = "",
    names_only: Annotated[bool, typer.Option("--names", help="Only the names, one in each line.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the data that a query selects.

    On a processed dataset the keys are those of the raw data that the results come from.
    """
    from bioimageit_core.cli.listing import data_columns, data_row
    from bioimageit_core.cli.output import show_json, show_table, show_text

    session = session_of(ctx)
    found = session.experiment(experiment)
    session.dataset_info(found, dataset)
    data = session.request.query(found, dataset, query, output)
    if query and not data:
        _tell_unknown_keys(found, query)
    if as_json:
        from bioimageit_core.cli.documents import data_document

        document = {
            "experiment": found.md_uri,
            "dataset": dataset,
            "query": query,
            "data": list(map(data_document, data)),
        }
        show_json(document)
    elif names_only:
        for each in data:
            show_text(each.name)
    else:
        columns = data_columns(found, dataset)
        show_table(columns, (data_row(session, each, columns) for each in data), f"{len(data)} data", len(data))


def _tell_unknown_keys(experiment: Experiment, query: str) -> None:
    """Say on standard error which keys of a query that selects nothing are not the experiment's: a slip, often."""
    from bioimageit_core.cli.status import printable
    from bioimageit_core.core.exceptions import UnknownNameError
    from bioimageit_core.core.query import OWN_KEYS, parse_query

    for key in sorted(parse_query(query).keys().difference(experiment.keys, OWN_KEYS)):
        told = UnknownNameError("key", key, f"experiment {experiment.name!r}", experiment.keys)
        typer.echo(printable(f"note: {told}"), err=True)


def show(
    ctx: typer.Context,
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="[EXPERIMENT]", help="By default the workspace is listed.", autocompletion=complete_experiment
        ),
    ] = "",
    dataset: Annotated[
        str, typer.Argument(metavar="[DATASET]", help="A dataset of the experiment.", autocompletion=complete_dataset)
    ] = "",
    data: Annotated[str, typer.Argument(metavar="[DATA]", help="A data of the dataset: its name, uuid or URI.")] = "",
    runs: Annotated[bool, typer.Option("--runs", help="The runs of the dataset, with their parameters.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the workspace, an experiment, a dataset, a data or the runs of a dataset."""
    from bioimageit_core.cli import showing

    session = session_of(ctx)
    if not experiment:
        showing.show_workspace(session, as_json)
        return
    found = session.experiment(experiment)
    if runs and not dataset:
        raise typer.BadParameter("--runs goes with a dataset")
    if runs:
        showing.show_runs(session, found, dataset, as_json)
    elif data:
        showing.show_data(session, found, dataset, data, as_json)
    elif dataset:
        showing.show_dataset(session, found, dataset, as_json)
    else:
        showing.show_experiment(session, found, as_json)


def lineage(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    dataset: Annotated[
        str, typer.Argument(metavar="[DATASET]", help="By default all of them.", autocompletion=complete_dataset)
    ] = "",
    data: Annotated[str, typer.Argument(metavar="[DATA]", help="A data of the dataset: its name, uuid or URI.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Draw how things came to be: which run made them, of what, with which parameters."""
    from bioimageit_core.cli import lineages
    from bioimageit_core.cli.output import show_json

    session = session_of(ctx)
    found = session.experiment(experiment)
    if data:
        tree = lineages.of_data(session.request, session.data(found, dataset, data))
    else:
        if dataset:
            session.dataset_info(found, dataset)
        tree = lineages.of_experiment(session.request, found, dataset)
    if as_json:
        show_json(tree.document())
    else:
        lineages.draw(tree)


def status(ctx: typer.Context, experiment: ExperimentArgument, as_json: JsonOption = False) -> None:
    """Say of each processed dataset whether it is current, and if not, because of what.

    It is current if its run, asked for again now, would have nothing to do: inputs, annotations that its query uses,
    parameters, tool and environment are what they were. The exit status is 4 if one is not.
    """
    from bioimageit_core.cli import standing

    session = session_of(ctx)
    found = session.experiment(experiment)
    standings = standing.find(session, found)
    standing.show(found, standings, as_json)
    if any(each.state != "current" for each in standings):
        raise typer.Exit(int(Status.PARTIAL))


def check(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the files to compare their checksums.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also read files that did not change since a check read them last.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="First mend what can be mended without losing anything.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what does not hold: missing files, orphans, contents that changed, documents that cannot be read.

    Files that did not change since the last check, by time and size, are not read again without --full. The exit
    status is 4 if something is found.
    """
    from bioimageit_core.cli import checking

    session = session_of(ctx)
    found = session.experiment(experiment)
    repairs = checking.repair(session, found) if repair else []
    findings, spared = checking.find(session, found, not quick, full)
    checking.show(found, repairs, findings, spared, as_json)
    if findings:
        raise typer.Exit(int(Status.PARTIAL))
