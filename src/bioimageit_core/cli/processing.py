"""Commands that run tools: run, pipeline, replay, demo."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from bioimageit_core.cli.completion import complete_dataset
from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import DryRunOption, ExperimentArgument, JsonOption, key_values
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Status
from bioimageit_core.cli.tools import ToolArgument

__all__ = ["register"]

WorkersOption = Annotated[
    int | None, typer.Option("--workers", "-j", min=1, help="Items at a time; by default what suits the runner.")
]
RetriesOption = Annotated[int, typer.Option("--retries", min=0, help="How often to try again what failed.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="What one item may take; by default any time.")
]
MemoryOption = Annotated[
    str, typer.Option("--memory", metavar="SIZE", help="Memory that one item may take, such as 4G; by default any.")
]
CpusOption = Annotated[
    int, typer.Option("--cpus", min=1, help="Processors that one item uses: as many fewer run at a time.")
]
AgainOption = Annotated[bool, typer.Option("--again", help="Also items that were done before.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        short_help="Run a tool on what queries select.",
        epilog=examples(
            'run nuclei segment_nuclei -i "input=data:Population=A9" -p diameter=12 --output segmentation',
            "run nuclei measure_regions -i input=segmentation/labels -i intensity=data",
            "run nuclei segment_nuclei -i input=data --dry-run",
        ),
    )(run)
    app.command(
        short_help="Run the steps of a pipeline.",
        epilog=examples("pipeline nuclei steps.json", "pipeline nuclei steps.json --json"),
    )(pipeline)
    app.command(
        short_help="Make results again and compare.",
        epilog=examples("replay nuclei segmentation", "replay nuclei segmentation --keep ./again --json"),
    )(replay)
    app.command(short_help="See it all at work on real images.", epilog=examples("demo", "demo ~/bioimageit-demo"))(
        demo
    )


def run(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    tool: ToolArgument,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=DATASET[/OUTPUT][:QUERY]",
            help="What an input gets: all data of a dataset, of one output of its tool, or those that a query selects.",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; else its default.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Dataset for the results; by default the tool's id.")
    ] = "",
    workers: WorkersOption = None,
    again: AgainOption = False,
    no_reuse: Annotated[
        bool, typer.Option("--no-reuse", help="Do not take over results of the same work from other datasets.")
    ] = False,
    broadcast: Annotated[
        list[str] | None, typer.Option("--broadcast", metavar="INPUT", help="An input whose one data goes with all.")
    ] = None,
    retries: RetriesOption = 0,
    timeout: TimeoutOption = None,
    memory: MemoryOption = "",
    cpus: CpusOption = 1,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a tool on the data that queries select, and record the results.

    Inputs of several datasets are paired by the raw data that they come from. Results of items that succeed are kept,
    also where others fail; then the exit status is 4. Run again, it does only what is missing.
    """
    from bioimageit_core.cli import running

    session = session_of(ctx)
    found = session.experiment(experiment)
    given = [running.parse_input(text) for text in inputs or []]
    if not given:
        raise typer.BadParameter("say what the tool is to work on", param_hint="--input")
    job = running.make_job(session, found, tool, given, key_values(parameters or [], "--param"), output)
    limits = running.make_limits(timeout, memory, retries, cpus)
    options: dict[str, Any] = {"reuse": not no_reuse, "resume": not again, "broadcast": broadcast or []}
    if dry_run:
        running.show_plan(session.request.plan(job, **options), as_json)
        return
    running.run(session, job, {**options, "workers": workers, "limits": limits}, as_json)


def pipeline(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    file: Annotated[str, typer.Argument(metavar="PIPELINE", help="The file that describes the steps, JSON or YAML.")],
    workers: WorkersOption = None,
    again: AgainOption = False,
    retries: RetriesOption = 0,
    timeout: TimeoutOption = None,
    memory: MemoryOption = "",
    cpus: CpusOption = 1,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the steps of a pipeline, each after those whose results it reads. Run again, it does only what is missing."""
    from bioimageit_core.cli import running

    session = session_of(ctx)
    found, path = session.experiment(experiment), os.path.expanduser(file)
    limits = running.make_limits(timeout, memory, retries, cpus)
    if dry_run:
        running.show_steps(session, found, path, as_json)
        return
    options = {"workers": workers, "resume": not again, "limits": limits}
    running.run_pipeline(session, found, path, options, as_json)


def replay(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset.", autocompletion=complete_dataset)],
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="How far numbers may be apart, relative to the larger.")
    ] = 1e-6,
    keep: Annotated[str, typer.Option("--keep", metavar="FOLDER", help="Keep the new results here.")] = "",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a dataset again from its record, elsewhere, and compare each result with the one that is stored.

    EXPERIMENT may be an RO-Crate too, a folder or .zip file, made by 'bioimageit export --ro-crate'. The experiment
    stays as it is. The exit status is 4 if a result is another, or cannot be made again.
    """
    from bioimageit_core.cli import replaying
    from bioimageit_core.exchange.crate.opening import is_crate

    session = session_of(ctx)
    if os.path.exists(experiment) and is_crate(experiment):
        verdicts = replaying.replay_crate(session, experiment, dataset, tolerance, keep, workers)
    else:
        verdicts = replaying.replay(session, session.experiment(experiment), dataset, tolerance, keep, workers)
    replaying.show(dataset, verdicts, as_json)
    if not all(verdict.is_good for verdict in verdicts):
        raise typer.Exit(int(Status.PARTIAL))


def demo(
    ctx: typer.Context,  # noqa: ARG001
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="Where to put the demo's workspace and picture.")
    ] = "bioimageit-demo",
) -> None:
    """See it all at work on real microscopy images that come with the package.

    An experiment is created, images are imported, annotated and queried, nuclei are segmented and measured, and the
    results are drawn.
    """
    from bioimageit_core.cli.demo import run_demo

    run_demo(folder)
