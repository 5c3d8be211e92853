"""Time and memory over the number of images, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_WHOSE = {"": "o-", "floor": "x--", "signac": "^", "lamindb": "s"}
"""Whose a measurement is, by the end of its name, and how it is drawn; the colour says what was done."""
_NAMES = {"lamindb": "LaminDB"}
_TIMES = {"import_dir": "import", "annotate": "annotate", "query": "first query", "check": "check"}
_MEMORY = {"import_dir": "import", "annotate": "annotate", "query": "query", "check": "check", "transfer": "transfer"}


def draw(results: dict[str, Any], folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "speed"  # the same figures give the same file
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for field, names, label, file in (
        ("seconds", _TIMES, "seconds", "speed_time.svg"),
        ("peak_mb", _MEMORY, "peak memory of the process (MB)", "speed_memory.svg"),
    ):
        figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
        for number, (operation, title) in enumerate(names.items()):
            for who, style in _WHOSE.items():
                name = (
                    "scan with stat" if (operation, who) == ("query", "floor") else f"{operation}, {who}".rstrip(", ")
                )
                points = [
                    (int(size), measured[name][field])
                    for size, measured in results["measured"].items()
                    if name in measured and int(size) and field in measured[name]
                ]
                if points and (not who or field == "seconds"):
                    said = f"{title}, {_NAMES.get(who, who)}".rstrip(", ")
                    axes.plot(*zip(*sorted(points), strict=True), style, color=f"C{number}", label=said)
        axes.set(xscale="log", yscale="log", xlabel="images", ylabel=label)
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.savefig(folder / file, metadata={"Date": None})
        plt.close(figure)
