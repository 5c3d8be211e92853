"""Commands about tools: list, show, lint, test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from bioimageit_core.cli.completion import complete_tool
from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import JsonOption
from bioimageit_core.cli.session import session_of
from bioimageit_core.cli.status import Commands, Status, printable

__all__ = ["ToolArgument", "app"]

ToolArgument = Annotated[
    str,
    typer.Argument(
        metavar="TOOL",
        help="Full name of the tool (id_v1.0), its id alone for the newest version, or its wrapper's path.",
        autocompletion=complete_tool,
    ),
]

app = typer.Typer(
    cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="Find tools and see how they are used."
)


@app.command("list", epilog=examples("tools list", "tools list nuclei", "tools list --json"))
def list_(
    ctx: typer.Context,
    keyword: Annotated[
        str, typer.Argument(metavar="[KEYWORD]", help="Only tools with this in their name or description.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List the tools, or those that a keyword finds."""
    from bioimageit_core.cli.documents import tool_index_document
    from bioimageit_core.cli.output import show_json, show_table, show_text

    request = session_of(ctx).request
    found = request.search_tool(keyword)
    broken: Mapping[str, str] = getattr(request.tools_service, "broken_tools", dict)()
    for path, reason in broken.items():
        typer.echo(f"warning: {printable(reason if path in reason else f'{path}: {reason}')}", err=True)
    if as_json:
        show_json({"tools": [tool_index_document(tool) for tool in found]})
    elif not found:
        show_text(f"no tool has {keyword!r} in its name or description" if keyword else "no tools are known")
    else:
        rows = ((tool.fullname(), tool.name, tool.description) for tool in found)
        show_table(["tool", "name", "what it does"], rows, count=len(found))


app.command("search", hidden=True)(list_)


@app.command(epilog=examples("tools show segment_nuclei", "tools show ./my_tool.xml --json"))
def show(ctx: typer.Context, tool: ToolArgument, as_json: JsonOption = False) -> None:
    """Show what a tool takes, makes and does."""
    from bioimageit_core.cli.documents import tool_document
    from bioimageit_core.cli.output import show_json
    from bioimageit_core.cli.tooling import find_tool, show_tool

    found = find_tool(session_of(ctx), tool)
    if as_json:
        show_json(tool_document(found))
    else:
        show_tool(found)


app.command("man", hidden=True)(show)


@app.command(epilog=examples("tools lint my_tool.xml", "tools lint ./tools --json"))
def lint(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Wrappers, or folders of them.")],
    as_json: JsonOption = False,
) -> None:
    """Look through wrappers for what cannot work, may go wrong or could be better; nothing is executed.

    The exit status is 1 if there are errors.
    """
    from bioimageit_core.cli.quality import lint_wrappers

    if not lint_wrappers(paths, as_json):
        raise typer.Exit(int(Status.FAILED))


@app.command(
    "test",
    epilog=examples(
        "tools test my_tool.xml",
        "tools test my_tool.xml --environment uv",
        "tools test ./tools --environment uv --near-versions --json",
    ),
)
def run_tests(
    ctx: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Wrappers, or folders of them.")],
    environment: Annotated[
        str,
        typer.Option(
            "--environment",
            "-e",
            help="Folder of a Python environment; a runner, such as uv, that makes one of what each tool requires; "
            "or 'runner' for the configured one.",
        ),
    ] = "current",
    numbers: Annotated[list[int] | None, typer.Option("--number", min=1, help="Only the test of this number.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="How many tests at a time.")] = 1,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="What one test may take.")] = 600.0,
    keep: Annotated[str, typer.Option("--keep", metavar="FOLDER", help="Keep the folders that the tests ran in.")] = "",
    near_versions: Annotated[
        bool,
        typer.Option(
            "--near-versions",
            help="With uv: where a required release is for no Python of this machine, take the next later one.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the tests that wrappers bring, and compare what the tools write with what is expected.

    The exit status is 1 if all fail, 4 if some do.
    """
    from bioimageit_core.cli import quality

    status = quality.run_tests(
        session_of(ctx).request,
        paths,
        as_json,
        environment=environment,
        numbers=numbers or [],
        workers=workers,
        timeout=timeout,
        keep_dir=keep,
        near_versions=near_versions,
    )
    if status:
        raise typer.Exit(int(status))
