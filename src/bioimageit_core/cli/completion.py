"""What the shell completes; a failure completes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import typer

from bioimageit_core.cli.session import folder_of, session_of

__all__ = ["complete_dataset", "complete_experiment", "complete_tool"]

Found = TypeVar("Found")


def complete_experiment(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of an experiment in the workspace; its folder's where the name would have to be quoted."""

    def find() -> list[str]:
        entries = session_of(ctx).request.get_workspace_experiments()
        names = [(entry["info"].name, folder_of(entry["md_uri"])) for entry in entries]
        shown = [folder if " " in name else name for name, folder in names]
        return [name for name in shown if name.startswith(incomplete)]

    return _try(find)


def complete_dataset(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a dataset of the experiment that was named."""

    def find() -> list[str]:
        # where an option still lacks its value, arguments are not told apart yet
        experiment = session_of(ctx).experiment(ctx.params.get("experiment") or ctx.args[0])
        infos = [experiment.raw_dataset, *experiment.processed_datasets]
        return [info.name for info in infos if info.name.startswith(incomplete)]

    return _try(find)


def complete_tool(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete the full name of a tool."""
    return _try(
        lambda: [
            (tool.fullname(), tool.description)
            for tool in session_of(ctx).request.search_tool("")
            if tool.fullname().startswith(incomplete)
        ]
    )


def _try(find: Callable[[], list[Found]]) -> list[Found]:
    try:
        return find()
    except Exception:  # noqa: BLE001 - a shell that completes shows no errors; the command itself will tell
        return []
