"""What an annotation changed, or would change."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from bioimageit_core.cli.output import show_json, show_table, show_text
from bioimageit_core.cli.status import Status

if TYPE_CHECKING:
    from bioimageit_core.api.annotation import Change
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment
    from bioimageit_core.exchange.tables.annotating import Comparison

__all__ = ["document", "read_table", "show", "write_table"]


def document(changes: Sequence[Change], is_dry: bool) -> dict[str, Any]:
    """Return changes as JSON."""
    return {
        "dry_run": is_dry,
        "changes": [
            {
                "name": change.name,
                "md_uri": change.md_uri,
                "key": change.key,
                "before": change.before,
                "after": change.after,
            }
            for change in changes
        ],
    }


def show(changes: Sequence[Change], is_dry: bool) -> None:
    """Show changes."""
    if not changes:
        show_text("nothing changes")
        return
    if is_dry:
        rows = ((change.name, change.key, change.before, change.after) for change in changes)
        show_table(["data", "key", "before", "after"], rows, count=len(changes))
        return
    show_text(f"{len(changes)} values written")


def write_table(session: Session, experiment: Experiment, path: str) -> None:
    """Write annotations as a table, and say where."""
    target = os.path.abspath(os.path.expanduser(path))
    count = session.request.annotations_to_table(experiment, target)
    show_text(f"{count} data written to {target}")


def read_table(
    session: Session, experiment: Experiment, path: str, match: str, remove_empty: bool, is_dry: bool, as_json: bool
) -> None:
    """Annotate from a table, or show how it differs; rows that were not used make the exit status 4."""
    with session.progress("annotating"):
        found = session.request.annotate_from_table(
            experiment, os.path.expanduser(path), match=match, remove_empty=remove_empty, dry_run=is_dry
        )
    if as_json:
        changes = [{**dataclasses.asdict(change), "kind": change.kind} for change in found.changes]
        show_json({"dry_run": is_dry, **dataclasses.asdict(found), "changes": changes})
    else:
        _show_comparison(found, is_dry)
    if not found.is_clean:
        raise typer.Exit(Status.PARTIAL)


def _show_comparison(found: Comparison, is_dry: bool) -> None:
    if is_dry and found.changes:
        rows = ((each.name, each.key, each.kind, each.before, each.after) for each in found.changes)
        show_table(["data", "key", "what", "before", "after"], rows, count=len(found.changes))
    kinds = [change.kind for change in found.changes]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("added", "changed", "removed") if kind in kinds)
    verb = "would be written" if is_dry else "written"
    show_text(f"{found.matched} rows match; {f'values {verb}: {counts}' if counts else 'nothing changes'}")
    for title, lines in (
        ("row not used", found.unmatched_rows),
        ("row not used", found.duplicate_rows),
        ("no row for", found.unmatched_data),
        ("column not used", found.unused_columns),
    ):
        for line in lines[:_MOST]:
            show_text(f"{title}: {line}")
        if len(lines) > _MOST:
            show_text(f"{title}: and {len(lines) - _MOST} more (--json lists all)")


_MOST = 20
