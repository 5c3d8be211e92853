"""Time and memory over the number of images, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_TIMES = {
    "import_dir": "import",
    "import_dir, floor": "import, floor",
    "annotate": "annotate",
    "annotate, floor": "annotate, floor",
    "query": "first query",
    "scan with stat": "scan with stat",
    "check, floor": "check, floor",
    "check": "check",
    "import_dir, signac": "import, signac",
    "import_dir, lamindb": "import, LaminDB",
    "annotate, signac": "annotate, signac",
    "annotate, lamindb": "annotate, LaminDB",
}
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
        figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
        for name, title in names.items():
            points = [
                (int(size), measured[name][field])
                for size, measured in results["measured"].items()
                if name in measured and int(size) and field in measured[name]
            ]
            if points:
                is_ours = not any(word in name for word in ("floor", "scan", "signac", "lamindb"))
                axes.plot(*zip(*sorted(points), strict=True), "o-" if is_ours else "x--", label=title)
        axes.set(xscale="log", yscale="log", xlabel="images", ylabel=label)
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize=8, ncols=2)
        figure.savefig(folder / file, metadata={"Date": None})
        plt.close(figure)
