"""Commands about plugins: list, check."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Commands, Status

__all__ = ["app"]

KindOption = Annotated[str, typer.Option("--kind", help="Only data, runner or tools.")]

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="See which plugins there are, and what is wrong with them.",
)


@app.command("list", epilog=examples("plugins list", "plugins list --kind data --json"))
def list_(kind: KindOption = "", as_json: JsonOption = False) -> None:
    """List the plugins that are installed, the broken ones with the reason."""
    from bioimageit_core.cli.output import show_json, show_table
    from bioimageit_core.plugins.registry import list_plugins

    found = list_plugins(_kind(kind))
    if as_json:
        show_json({"plugins": [dataclasses.asdict(status) for status in found]})
        return
    rows = ((each.name, each.kind or "?", _state(each.state), each.origin, each.reason) for each in found)
    show_table(["plugin", "kind", "state", "from", "why"], rows)


@app.command(
    epilog=examples("plugins check OMERO", "plugins check ONEFILE --kit", "--config lab.json plugins check SQL --kit")
)
def check(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the plugin, or of its module.")],
    kind: KindOption = "",
    with_kit: Annotated[
        bool, typer.Option("--kit", help="Run the conformance kit too; it writes, and takes minutes.")
    ] = False,
    destination: Annotated[
        str, typer.Option(help="Where the kit creates experiments; by default in a temporary directory.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check a plugin against the contract, and list its abilities.

    Where the configuration chooses the plugin, its service is made with that configuration. The exit status is 1 if
    the plugin cannot be used.
    """
    from bioimageit_core.cli.output import show_json, show_table, show_text
    from bioimageit_core.core.config import Config
    from bioimageit_core.plugins.registry import check_plugin

    options = _options(Config(session_of(ctx).config_file), name, kind)
    report = check_plugin(name, _kind(kind), options)
    verdicts = []
    if with_kit and report.is_ok:
        from bioimageit_core.testing import verdict

        verdicts = verdict(report.status.kind, name, options, destination=destination or None)
    if as_json:
        document = {"plugin": dataclasses.asdict(report.status), "problems": report.problems}
        kit = [dataclasses.asdict(each) for each in verdicts]
        show_json({**document, "abilities": report.abilities, "kit": kit})
    else:
        status = report.status
        show_text(f"{status.kind or 'unknown kind of'} plugin {status.name} from {status.origin}")
        for problem in report.problems:
            show_text(f"problem: {problem}")
        if report.is_ok:
            show_text("It keeps the contract.\n")
        if report.abilities:
            rows = ((ability, "yes" if has else "no") for ability, has in report.abilities.items())
            show_table(["optional ability", ""], rows)
        if verdicts:
            tried = (
                (each.ability, each.state, each.passed, each.failed, each.skipped, "; ".join(each.reasons)[:200])
                for each in verdicts
            )
            show_table(["conformance kit", "verdict", "passed", "failed", "not tried", "why"], tried)
    if not report.is_ok or not all(each.is_ok for each in verdicts):
        raise typer.Exit(int(Status.FAILED))


def _kind(kind: str) -> str | None:
    if kind not in ("", "data", "runner", "tools"):
        raise typer.BadParameter("one of data, runner, tools", param_hint="--kind")
    return kind or None


def _options(config: Any, name: str, kind: str) -> dict[str, Any] | None:
    for section, its_kind in (("metadata", "data"), ("process", "tools"), ("runner", "runner")):
        if config.service_name(section) == name and kind in ("", its_kind) and config.config_file:
            options: dict[str, Any] = config.service_options(section)
            return options
    return None


def _state(state: str) -> Any:
    from rich.text import Text

    return Text(state, "red" if state != "ok" else "green")
