"""Commands that delete and restore: delete, restore, trash."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bioimageit_core.cli.completion import complete_dataset
from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import DryRunOption, ExperimentArgument, JsonOption
from bioimageit_core.cli.session import Session, session_of
from bioimageit_core.core.exceptions import DataServiceError, UnknownNameError

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment
    from bioimageit_core.jobs.deletion import Deletion
    from bioimageit_core.plugins.changes import TrashEntry

__all__ = ["register", "trash_app"]

trash_app = typer.Typer(no_args_is_help=True, help="What was deleted: list it, free its bytes.")
OwnerArgument = Annotated[
    str, typer.Argument(metavar="[EXPERIMENT]", help="By default, the trash of the workspace's experiments.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        short_help="Move data, a dataset or an experiment to the trash.",
        epilog=examples(
            "delete nuclei masks --dry-run", "delete nuclei masks", "delete nuclei a.tif --cascade", "delete nuclei"
        ),
    )(delete)
    app.command(
        short_help="Put back what was deleted.",
        epilog=examples("restore nuclei masks", "restore nuclei 0f5e3a9c1b2d", "restore nuclei"),
    )(restore)
    trash_app.command("list", epilog=examples("trash list", "trash list nuclei --json"))(list_)
    trash_app.command("purge", epilog=examples("trash purge nuclei", "trash purge nuclei 0f5e3a9c1b2d --yes"))(purge)


def delete(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[DATASET|DATA]",
            help="By default the whole experiment. A dataset is looked for first.",
            autocompletion=complete_dataset,
        ),
    ] = "",
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="Where the data is; by default the raw one.")] = "",
    cascade: Annotated[bool, typer.Option("--cascade", help="Delete what was made from it too.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep what was made from it.")] = False,
    purge: Annotated[bool, typer.Option("--purge", help="Free the bytes at once; records and hashes stay.")] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what depends on a data, a dataset or an experiment, ask, and move it to the trash.

    What was imported by reference stays where it lies. A deletion that was interrupted is completed by the same
    command.
    """
    from bioimageit_core.cli.output import show_json, show_text

    if cascade and keep:
        raise typer.BadParameter("give one of --cascade and --keep")
    session = session_of(ctx)
    try:
        found = session.experiment(experiment)
        plan = _plan(session, found, name, dataset)
    except UnknownNameError:
        finished = _finish(session, experiment)
        if not finished:
            raise
        _show_entries(finished, as_json, "finished deleting")
        return
    if dry_run or not as_json:
        _show_plan(plan, found, as_json)
    if dry_run:
        return
    if not yes:
        _ask(f"Move {plan.what} to the trash?" if not purge else f"Delete {plan.what} for good?")
    policy = "delete" if cascade else "keep" if keep else "refuse"
    with session.progress("deleting"):
        entry = session.request.delete_planned(found, plan, dependents=policy, purge=purge)
    if as_json:
        show_json({"plan": dataclasses.asdict(plan), "entry": dataclasses.asdict(entry)})
    else:
        show_text(_said(entry, experiment))


def restore(
    ctx: typer.Context,
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Where it was; or a deleted experiment.")],
    name: Annotated[
        str, typer.Argument(metavar="[NAME|ID]", help="As it was called, or as trash list shows it; else the last.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Put back what was deleted, where it was and with the same identity."""
    session = session_of(ctx)
    try:
        owner: Experiment | str = session.experiment(experiment)
    except UnknownNameError:
        if name or not any(_is_called(entry, experiment) for entry in session.request.trash()):
            raise
        owner, name = "", experiment
    entry = session.request.restore(owner, name)
    _show_entries([entry], as_json, "restored")


def list_(ctx: typer.Context, experiment: OwnerArgument = "", as_json: JsonOption = False) -> None:
    """List what is in the trash of an experiment, or of the workspace."""
    from bioimageit_core.cli.output import show_json, show_table, show_text

    session = session_of(ctx)
    entries = session.request.trash(session.experiment(experiment) if experiment else "")
    if as_json:
        show_json({"entries": [dataclasses.asdict(entry) for entry in entries]})
    elif not entries:
        show_text("the trash is empty")
    else:
        rows = ((e.id, e.time.replace("T", " "), e.who, e.what, e.state, _bytes(e.size)) for e in entries)
        show_table(["id", "when (UTC)", "who", "what", "state", "size"], rows, count=len(entries))


def purge(
    ctx: typer.Context,
    experiment: OwnerArgument = "",
    name: Annotated[str, typer.Argument(metavar="[NAME|ID]", help="By default all of it.")] = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Free the bytes of what is in the trash for good; the records with their hashes stay."""
    session = session_of(ctx)
    owner: Experiment | str = session.experiment(experiment) if experiment else ""
    if not yes:
        _ask(f"Delete {name or 'all that is in the trash'} for good?")
    _show_entries(session.request.purge(owner, name), as_json, "purged")


def _plan(session: Session, experiment: Experiment, name: str, dataset: str) -> Deletion:
    """Find what the user named, and what goes with it."""
    names = [info.name for info in [experiment.raw_dataset, *experiment.processed_datasets]]
    if not name or (name in names and not dataset):
        return session.request.plan_deletion(experiment, name)
    from bioimageit_core.containers import Data

    where = dataset or experiment.raw_dataset.name
    try:
        data = session.data(experiment, where, name)
    except DataServiceError:  # what cannot be read can be deleted too
        item = session.listed(experiment, where, name)
        if item is None:
            raise
        data = Data(item.md_uri, item.uuid, name)
    return session.request.plan_deletion(experiment, data=data)


def _finish(session: Session, experiment: str) -> list[TrashEntry]:
    try:
        return session.request.finish_deletions(session.experiment(experiment))
    except UnknownNameError:
        return session.request.finish_deletions()


def _show_plan(plan: Deletion, experiment: Experiment, as_json: bool) -> None:
    from bioimageit_core.cli.output import show_json, show_table, show_text

    if as_json:
        show_json({"experiment": experiment.md_uri, "plan": dataclasses.asdict(plan)})
        return
    show_text(f"{plan.what}: {len(plan.data)} data go")
    if plan.dependents:
        show_text(f"{len(plan.dependents)} data were made from it:")
        rows = ((each.dataset, each.name) for each in plan.dependents[:_SHOWN])
        show_table(["dataset", "data"], rows, count=len(plan.dependents))
        if len(plan.dependents) > _SHOWN:
            show_text(f"… and {len(plan.dependents) - _SHOWN} more")
    if plan.results:
        unknown = f"; of {plan.unknown} nobody recorded how long they took" if plan.unknown else ""
        show_text(f"making {plan.results} results again took {_time(plan.seconds)} of computing{unknown}")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; add --yes to delete, or --dry-run to look")
    typer.confirm(question, abort=True)


def _show_entries(entries: list[TrashEntry], as_json: bool, verb: str) -> None:
    from bioimageit_core.cli.output import show_json, show_text

    if as_json:
        show_json({"entries": [dataclasses.asdict(entry) for entry in entries]})
        return
    for entry in entries:
        show_text(f"{verb} {entry.what} ({_bytes(entry.size)})")
    if not entries:
        show_text("nothing to do")


def _said(entry: TrashEntry, experiment: str) -> str:
    if entry.state == "purged":
        return f"deleted {entry.what} for good: {_bytes(entry.size)} freed; its records and hashes are in {entry.place}"
    name = "" if entry.what.startswith("experiment ") else f" {entry.id}"
    back = f"bioimageit restore {experiment}{name}"
    return f"moved {entry.what} to the trash ({_bytes(entry.size)}); to have it back: {back}"


def _is_called(entry: TrashEntry, name: str) -> bool:
    return entry.state != "purged" and name in (entry.id, entry.name)


def _bytes(size: int) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size = size / 1000  # type: ignore[assignment]
    return f"{size:.3g} TB"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
