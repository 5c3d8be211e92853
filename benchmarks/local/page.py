"""The figures of a run as tables of the documentation, between two marks of its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- figures: written by benchmarks/local -->", "<!-- end of figures -->"
_PLOTS = (
    "![Seconds over the number of images, of the floor, ours and the peers](../images/speed_time.svg)",
    "![Peak memory over the number of images](../images/speed_memory.svg)",
)
_OPERATIONS = {"import_dir": "import", "annotate": "annotate", "query": "first query", "check": "check"}
_WHOSE = {"floor": "floor", "": "bioimageit", "signac": "signac", "lamindb": "LaminDB"}


def write(results: dict[str, Any], page: Path) -> None:
    """Exchange what stands between the marks."""
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    parts = (_machine(results["machine"]), _PLOTS, _bars(results["bars"]), _seconds(results))
    lines = [_BEGIN, "", *(line for part in parts for line in (*part, "")), _END]
    page.write_text(before + "\n".join(lines) + after)


def _machine(machine: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Measured on {machine['system']}, Python {machine['python']}, {machine['processors']} processors, of which"
        f" {machine['load']:.1f} programs wanted one on average when it began."
    )


def _bars(bars: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield from _row("measured", "images", "value", "bar", "")
    yield from _row("---", "---:", "---:", "---", "---")
    for bar in bars:
        holds = "holds" if bar["holds"] else "**misses**"
        yield from _row(bar["what"], _number(bar["size"]), f"{bar['value']:.3g}", bar["bar"], holds)


def _seconds(results: dict[str, Any]) -> Iterator[str]:
    """Give the seconds of each operation, of the floor, of ours and of the peers that were measured."""
    yield from _row("seconds", "images", *_WHOSE.values())
    yield from _row("---", "---:", *("---:" for _ in _WHOSE))
    for operation, title in _OPERATIONS.items():
        for size, measured in results["measured"].items():
            found = [measured.get(f"{operation}, {who}" if who else operation) for who in _WHOSE]
            if operation == "query":
                found[0] = measured.get("scan with stat")
            if any(found):
                yield from _row(title, _number(int(size)), *(f"{f['seconds']:.3g}" if f else "" for f in found))


def _number(size: int | None) -> str:
    return f"{size:,}" if size else ""


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"
