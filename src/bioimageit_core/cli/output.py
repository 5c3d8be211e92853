"""How results are shown: as tables on a terminal, as tab-separated lines elsewhere, or as JSON."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from bioimageit_core.cli.paging import show_pages
from bioimageit_core.cli.status import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["cell", "console", "show_json", "show_table", "show_text"]

_CHUNK = 200


def show_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    # what the stream cannot encode is written as JSON's own escapes
    is_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    typer.echo(json.dumps(document, ensure_ascii=not is_unicode, indent=2, default=str))


def show_text(text: str) -> None:
    """Write a text to standard output, without what could steer a terminal."""
    typer.echo(printable(text))


def console(width: int | None = None) -> Console:
    """Return what draws on standard output."""
    from rich.console import Console

    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "", count: int = 0, *, is_drawn: bool = False
) -> None:
    """Show rows as a table; those beyond a screen's height are paged, and the first appear at once.

    Parameters
    ----------
    count
        How many rows there are, if that is known.
    is_drawn
        Draw it elsewhere too, for people to read, and never page.
    """
    if is_drawn:
        texts = [[cell(value) for value in row] for row in rows]
        width = sum(max(map(len, column)) + 3 for column in zip(columns, *texts, strict=True))
        console(None if sys.stdout.isatty() else max(width, 80)).print(_table(columns, texts, title))
        return
    if not sys.stdout.isatty():
        lines = ("\t".join(" ".join(cell(value).split("\n")) for value in row) for row in rows)
        typer.echo("\t".join(columns))
        while chunk := list(itertools.islice(lines, _CHUNK)):
            typer.echo("\n".join(chunk))
        return
    screen = console()
    left = iter(rows)
    first = list(itertools.islice(left, _CHUNK))
    if len(first) < max(screen.height - 6, 5) and len(first) < _CHUNK:
        screen.print(_table(columns, first, title))
    else:
        show_pages(_pages(screen, columns, first, left, title or f"{count or ''}"))


def cell(value: Any) -> str:
    """Return a value as it stands in a cell."""
    if value is None:
        return ""
    if hasattr(value, "plain"):  # a styled text
        value = value.plain
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return printable(text)


def _pages(
    screen: Console, columns: Sequence[str], first: list[Sequence[Any]], rest: Iterator[Sequence[Any]], title: str
) -> Iterator[str]:
    # columns are as wide as the first rows need, so that nothing waits for the last
    texts = [[cell(value) for value in row] for row in [columns, *first]]
    widths = [min(max(len(row[i]) for row in texts), 60) for i in range(len(columns))]
    yield _drawn(screen, _table(columns, first, title, widths))
    while chunk := list(itertools.islice(rest, _CHUNK)):
        yield _drawn(screen, _table(columns, chunk, "", widths, has_header=False))


def _drawn(screen: Console, table: RenderableType) -> str:
    with screen.capture() as capture:
        screen.print(table)
    return capture.get()


def _table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str,
    widths: Sequence[int] | None = None,
    has_header: bool = True,
) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD if has_header else box.SIMPLE,
        show_header=has_header,
        show_edge=False,
        pad_edge=False,
    )
    for index, column in enumerate(columns):
        width = widths[index] if widths else None
        table.add_column(Text(printable(column)), overflow="fold", min_width=width, max_width=width)
    for row in rows:
        table.add_row(*(_styled(value) for value in row))
    return table


def _styled(value: Any) -> Any:
    from rich.text import Text

    return value if isinstance(value, Text) else Text(cell(value))
