"""Commands that make experiments and fill them: init, create, import, annotate."""

from __future__ import annotations

import os
from enum import Enum
from typing import Annotated, Any

import typer

from bioimageit_core.cli.completion import complete_experiment
from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.session import EXPERIMENT_HELP, session_of
from bioimageit_core.cli.status import Status

__all__ = ["ExperimentArgument", "JsonOption", "key_values", "register"]

ExperimentArgument = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help=EXPERIMENT_HELP, autocompletion=complete_experiment)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document instead.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be done.")]


class ImportMode(Enum):
    """How an image comes into the experiment."""

    copy = "copy"
    link = "link"
    reference = "reference"


class OnConflict(Enum):
    """What to do where a data of that name with other content is there."""

    keep = "keep"
    error = "error"
    replace = "replace"


class Conversion(Enum):
    """What an image is written as before it is imported."""

    ome_zarr = "ome-zarr"
    ome_zarr_04 = "ome-zarr-0.4"
    ome_tiff = "ome-tiff"


class Scenes(Enum):
    """What becomes of a file that holds several images."""

    together = "together"
    each = "each"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog=examples("init ~/lab/workspace", "--config lab.json init ./workspace --user ada"))(init)
    app.command(
        epilog=examples('create "My nuclei"', "create nuclei --key Population --key Day --author ada"),
    )(create)
    app.command(
        "import",
        epilog=examples(
            "import nuclei ~/images --recursive --tag-dir Population",
            "import nuclei a.tif b.tif --value Day=3",
            "import nuclei /archive/plate1 --mode reference --filter '_D[.]tif$'",
            "import nuclei slides/*.czi --convert ome-zarr --scenes each",
        ),
    )(import_)
    app.command(
        epilog=examples(
            "annotate nuclei Population --from-name p1,p2,p10",
            "annotate nuclei Field --separator _ --position 1 --dry-run",
            'annotate nuclei Day=3 Treated=yes --query "name=p10"',
            "annotate nuclei --from plate.xlsx --dry-run",
            "annotate nuclei --to annotations.csv",
        ),
        short_help="Annotate imported data.",
    )(annotate)


def init(
    ctx: typer.Context,
    workspace: Annotated[
        str, typer.Argument(metavar="[WORKSPACE]", help="Folder for the experiments; made if it is not there.")
    ] = "",
    user: Annotated[str, typer.Option("--user", help="Author of what you make; by default your login name.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration that is there.")] = False,
) -> None:
    """Write a configuration and make the workspace.

    Without it everything works too, with defaults. The file is the one that --config names, else your own.
    """
    import json

    from bioimageit_core.core.config import Config, user_config_path
    from bioimageit_core.core.exceptions import ConflictError

    path = session_of(ctx).config_file or user_config_path()
    if os.path.exists(path) and not force:
        raise ConflictError(f"there is a configuration already: {path}; --force overwrites it")
    folder = os.path.abspath(os.path.expanduser(workspace or "workspace"))
    document: dict[str, Any] = {
        "user": {"name": user or _login_name()},
        "workspace": folder,
        "metadata": {"service": "LOCAL"},
        "process": {"service": "LOCAL"},
        "runner": {"service": "LOCAL"},
    }
    os.makedirs(folder, exist_ok=True)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=4, ensure_ascii=False)
    os.replace(temporary, path)
    Config(path)
    typer.echo(f"configuration {path}\nworkspace {folder}")
    if not session_of(ctx).config_file:
        typer.echo('next: bioimageit create "My experiment"')
    else:
        typer.echo(f'next: bioimageit --config {path} create "My experiment"')


def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the experiment.")],
    keys: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="A first annotation key; may be repeated.")
    ] = None,
    author: Annotated[str, typer.Option("--author", help="By default the configured user.")] = "",
    date: Annotated[str, typer.Option("--date", help="By default today.", show_default=False)] = "now",
    destination: Annotated[str, typer.Option("--destination", help="Where; by default the workspace.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Create an experiment."""
    from bioimageit_core.cli.documents import experiment_document
    from bioimageit_core.cli.output import show_json, show_text

    experiment = session_of(ctx).request.create_experiment(name, author, date, keys or [], destination)
    if as_json:
        show_json(experiment_document(experiment))
    else:
        show_text(f"created experiment {experiment.name!r} at {experiment.md_uri}")


def import_(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, Zarr directories, or folders of files.")
    ],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Also what lies in folders below.")] = False,
    mode: Annotated[
        ImportMode | None,
        typer.Option("--mode", help="Copy, hard-link, or leave the file where it is. By default as configured."),
    ] = None,
    filter_: Annotated[str, typer.Option("--filter", help="Of folders: only names that match this expression.")] = "",
    format_: Annotated[
        str, typer.Option("--format", help="By default what the names suggest; auto: in a folder each its own.")
    ] = "",
    convert: Annotated[
        Conversion | None,
        typer.Option("--convert", help="Import copies with smaller resolutions, in chunks, compressed without loss."),
    ] = None,
    scenes: Annotated[
        Scenes, typer.Option("--scenes", help="Of files with several images: one data, or one for each.")
    ] = Scenes.together,
    describe: Annotated[
        bool | None,
        typer.Option(
            "--describe/--no-describe",
            help="Record what images say of themselves. By default not of folders with over 1,000 small files.",
            show_default=False,
        ),
    ] = None,
    tag_dir: Annotated[str, typer.Option("--tag-dir", metavar="KEY", help="Annotate with the folder's name.")] = "",
    on_conflict: Annotated[
        OnConflict | None, typer.Option("--on-conflict", help="Where the name is there with other content.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--value", metavar="KEY=VALUE", help="Annotate files; may be repeated.")
    ] = None,
    author: Annotated[str, typer.Option("--author", help="By default the configured user.")] = "",
    date: Annotated[str, typer.Option("--date", help="By default today.", show_default=False)] = "now",
    as_json: JsonOption = False,
) -> None:
    """Import files and folders of images.

    What is there already, with the same name and content, is not imported again: a command that was interrupted can
    simply be run again.
    """
    from bioimageit_core.cli.importing import import_paths, is_folder
    from bioimageit_core.cli.output import show_json, show_text

    if values and any(is_folder(os.path.expanduser(path)) for path in paths):
        raise typer.BadParameter("goes with files; annotate what a folder brings afterwards", param_hint="--value")
    session = session_of(ctx)
    found = session.experiment(experiment)
    options = {
        "mode": mode.value if mode else None,
        "on_conflict": on_conflict.value if on_conflict else None,
        "convert": convert.value if convert else "",
    }
    done = import_paths(
        session,
        found,
        [os.path.expanduser(path) for path in paths],
        key_values(values or [], "--value"),
        directory={
            "filter_": filter_,
            "directory_tag_key": tag_dir,
            "recursive": recursive or None,
            "describe": describe,
        },
        common={"author": author, "format_": format_, "date": date, **options},
        each_scene=scenes is Scenes.each,
    )
    if as_json:
        show_json(done.document())
    else:
        show_text(done.text())
    if done.failures:
        raise typer.Exit(int(Status.PARTIAL if done.succeeded or done.new else Status.FAILED))


def annotate(
    ctx: typer.Context,
    experiment: ExperimentArgument,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY | KEY=VALUE...]", help="What to annotate with.")
    ] = None,
    from_name: Annotated[
        list[str] | None,
        typer.Option("--from-name", metavar="A,B,...", help="The one of these values that is in the data's name."),
    ] = None,
    separator: Annotated[str, typer.Option("--separator", help="A part of the name, between these.")] = "",
    position: Annotated[int, typer.Option("--position", help="Which part, from 0; -1 is the last.")] = 0,
    query: Annotated[str, typer.Option("--query", "-q", help="With KEY=VALUE: only what this selects.")] = "",
    from_table: Annotated[
        str, typer.Option("--from", metavar="TABLE", help="A .csv, .tsv, .parquet or .xlsx with a column name or uuid.")
    ] = "",
    to_table: Annotated[
        str, typer.Option("--to", metavar="TABLE", help="Write the annotations as such a table instead.")
    ] = "",
    match: Annotated[str, typer.Option("--match", help="With --from: the column that names the data.")] = "",
    remove_empty: Annotated[
        bool, typer.Option("--remove-empty", help="With --from: empty cells remove values.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Annotate imported data: from their names, from a table, or all that a query selects with a value."""
    from bioimageit_core.cli import annotating
    from bioimageit_core.cli.output import show_json

    session = session_of(ctx)
    if from_table or to_table:
        if keys or from_name or separator or (from_table and to_table):
            raise typer.BadParameter("--from and --to go alone: the table says keys and values")
        found = session.experiment(experiment)
        if to_table:
            annotating.write_table(session, found, to_table)
        else:
            annotating.read_table(session, found, from_table, match, remove_empty, dry_run, as_json)
        return
    keys = keys or []
    with_values = bool(keys) and all("=" in key for key in keys)
    ways = [from_name is not None, bool(separator), with_values]
    if sum(ways) != 1 or not keys or (len(keys) > 1 and not with_values):
        raise typer.BadParameter("give one KEY with --from-name or --separator, or KEY=VALUE pairs, or --from TABLE")
    if query and not with_values:
        raise typer.BadParameter("--query goes with KEY=VALUE; values from names are found for all data")
    found = session.experiment(experiment)
    if with_values:
        with session.progress("annotating"):
            changes = session.request.annotate(found, key_values(keys, "KEY=VALUE"), query, dry_run=dry_run)
    elif from_name is not None:
        values = [value.strip() for text in from_name for value in text.split(",") if value.strip()]
        with session.progress("annotating"):
            changes = session.request.annotate_from_name(found, keys[0], values, dry_run=dry_run)
    else:
        with session.progress("annotating"):
            changes = session.request.annotate_using_separator(found, keys[0], separator, position, dry_run=dry_run)
    if as_json:
        show_json(annotating.document(changes, dry_run))
    else:
        annotating.show(changes, dry_run)


def key_values(texts: list[str], option: str) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a dict.

    Raises
    ------
    BadParameter
        One of them is no ``KEY=VALUE``.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=option)
        pairs[key.strip()] = value.strip()
    return pairs


def _login_name() -> str:
    from bioimageit_core.core.config import Config

    return Config().user_name
