"""The commands, put together."""

from __future__ import annotations

import functools
import importlib
from typing import Annotated

import typer
from typer.models import CommandInfo

from bioimageit_core import __version__
from bioimageit_core.cli.session import Session
from bioimageit_core.cli.status import STATUS_HELP, Commands

__all__ = ["make_app"]

_QUICK = {"query": "queries", "show": "queries"}
"""Commands that are to answer at once, and their modules: for them the others are not loaded."""


def make_app(command: str = "") -> typer.Typer:
    """Put the commands together; for one that is to answer at once, that one alone."""
    app = typer.Typer(
        cls=Commands,
        name="bioimageit",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=STATUS_HELP,
    )
    app.callback()(configure)
    if command in _QUICK:
        importlib.import_module(f"bioimageit_core.cli.{_QUICK[command]}").register(app)
        app.registered_commands = [each for each in app.registered_commands if _name_of(each) == command]
    else:
        _register_all(app)
    return app


def _name_of(command: CommandInfo) -> str:
    return str(command.name or getattr(command.callback, "__name__", ""))


def _register_all(app: typer.Typer) -> None:
    from bioimageit_core.cli import (
        deleting,
        describing,
        experiments,
        exporting,
        finding,
        keeping,
        moving,
        plugins,
        processing,
        queries,
        serving,
        tools,
    )

    for module in (experiments, describing, queries, finding, processing, moving, exporting, keeping, deleting):
        module.register(app)
    app.add_typer(deleting.trash_app, name="trash")
    serving.register(app)
    app.add_typer(tools.app, name="tools")
    app.add_typer(plugins.app, name="plugins")


def configure(
    ctx: typer.Context,
    config: Annotated[
        str, typer.Option("--config", "-c", metavar="FILE", help="Configuration to use in place of the user's own.")
    ] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from, and log more.")] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=lambda v: _show_version(v)
        ),
    ] = False,
) -> None:
    """One place for your images and everything done to them.

    An experiment holds imported images with their annotations, and the results of every tool that was run on them.
    """
    if not isinstance(ctx.obj, Session):
        ctx.obj = Session(config, debug)
    ctx.call_on_close(ctx.obj.close)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"bioimageit {__version__}")
        raise typer.Exit


@functools.cache
def _whole() -> typer.Typer:
    return make_app()


def __getattr__(name: str) -> typer.Typer:
    if name == "app":
        return _whole()
    raise AttributeError(name)
