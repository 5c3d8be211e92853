"""Commands about plugins: list, check."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Commands, Status

if TYPE_CHECKING:
    from bioimageit_core.plugins.status import PluginReport
    from bioimageit_core.testing.verdicts import AbilityVerdict

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
    epilog=examples(
        "plugins check ONEFILE", "plugins check OMERO --no-kit", "--config lab.json plugins check SQL --kit"
    )
)
def check(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the plugin, or of its module.")],
    kind: KindOption = "",
    with_kit: Annotated[
        bool | None,
        typer.Option(
            "--kit/--no-kit",
            help="Run the conformance kit, which writes and takes minutes. By default it is run, but in no store that"
            " the configuration names.",
            show_default=False,
        ),
    ] = None,
    destination: Annotated[
        str, typer.Option(help="Where the kit creates experiments; by default in a temporary directory.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check a plugin against the contract by the conformance kit, and say of each ability whether it has it.

    A name that plugins of several kinds have is checked as each of them, unless --kind says which. Where the
    configuration chooses the plugin, its service is made with that configuration. The exit status is 1 if the plugin
    cannot be used.
    """
    from bioimageit_core.cli.output import show_json, show_text
    from bioimageit_core.core.config import Config

    config = Config(session_of(ctx).config_file)
    kinds = [_kind(kind)] if kind else _kinds_of(name)
    checks = [_check(name, each, _options(config, name, each or ""), with_kit, destination) for each in kinds]
    if as_json:
        documents = [_document(*each) for each in checks]
        show_json(documents[0] if len(documents) == 1 else {"checks": documents})
    else:
        if len(kinds) > 1:
            show_text(f"{name} names plugins of {len(kinds)} kinds; --kind checks one of them.\n")
        for check_ in checks:
            _show(*check_)
    if not all(report.is_ok and all(each.is_ok for each in verdicts) for report, verdicts, _ in checks):
        raise typer.Exit(int(Status.FAILED))


def _kinds_of(name: str) -> list[str | None]:
    from bioimageit_core.plugins.registry import list_plugins

    found = {each.kind for each in list_plugins() if name in (each.name, each.module) and each.kind}
    kinds: list[str | None] = [*sorted(found)]
    return kinds or [None]


def _check(
    name: str, kind: str | None, options: dict[str, Any] | None, with_kit: bool | None, destination: str
) -> tuple[PluginReport, list[AbilityVerdict], str]:
    """Return what the structure says, what the kit says, and why the kit was not run where it was not."""
    from bioimageit_core.plugins.registry import check_plugin

    report = check_plugin(name, kind, options)
    why_not = _why_no_kit(options) if with_kit is None else "" if with_kit else "--no-kit"
    if why_not or not report.is_ok:
        return report, [], why_not
    from bioimageit_core.testing import verdict

    return report, verdict(report.status.kind, report.status.name, options, destination=destination or None), ""


def _why_no_kit(options: dict[str, Any] | None) -> str:
    if options is not None:
        return "it would write to what the configuration names; --kit runs it"
    if any(importlib.util.find_spec(library) is None for library in ("pytest", "hypothesis")):
        return "it needs more: pip install 'bioimageit-core[testing]'"
    return ""


def _document(report: PluginReport, verdicts: list[AbilityVerdict], why_no_kit: str) -> dict[str, Any]:
    document = {"plugin": dataclasses.asdict(report.status), "problems": report.problems}
    kit = [dataclasses.asdict(each) for each in verdicts]
    return {**document, "abilities": report.abilities, "kit": kit, "kit_not_run": why_no_kit}


def _show(report: PluginReport, verdicts: list[AbilityVerdict], why_no_kit: str) -> None:
    from bioimageit_core.cli.output import show_table, show_text

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
    elif report.is_ok and why_no_kit:
        show_text(f"\nThe conformance kit was not run: {why_no_kit}.")


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
