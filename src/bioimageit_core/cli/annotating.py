"""What an annotation changed, or would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.output import show_table, show_text

if TYPE_CHECKING:
    from bioimageit_core.api.annotation import Change

__all__ = ["document", "show"]


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
