"""LOCAL at five, twenty and a hundred thousand images, against the floor and its peers, in the same run on one disk.

Every operation runs in a process of its own; ours and the floor's take turns, and a figure is the median of the ratios
of such pairs. Nothing is removed before the end: deleting files makes the creations after it slow.

    python benchmarks/local [--sizes 5000 20000] [--rounds 3] [--peers PYTHON] [--folder DIR] [--no-plots]
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import page
import plots
from measures import Bench

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs at each size")
    parser.add_argument("--peers", default="", help="a Python that has signac and lamindb; by default this one")
    parser.add_argument("--peer-size", type=int, default=5_000)
    parser.add_argument("--folder", default="", help="where to work; by default the system's directory for such")
    parser.add_argument("--output", default=str(HERE.parent / "results.json"))
    parser.add_argument("--images", default=str(HERE.parents[1] / "docs" / "images"))
    parser.add_argument("--page", default=str(HERE.parents[1] / "docs" / "reference" / "speed.md"))
    parser.add_argument("--no-plots", action="store_true", help="leave the documentation as it is")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bioimageit-bench-", dir=options.folder or None))
    try:
        bench = Bench(folder, options.peers)
        for size in sorted(options.sizes):
            bench.at(size, options.rounds)
        bench.once(options.rounds)
        bench.beside(options.peer_size)
        results = bench.results()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Path(options.output).write_text(json.dumps(results, indent=2) + "\n")
    if not options.no_plots:
        plots.draw(results, Path(options.images))
        page.write(results, Path(options.page))
    for bar in results["bars"]:
        said = "holds" if bar["holds"] else "MISSES"
        print(f"{said:7} {bar['what']:46} {bar['size'] or '':>7} {bar['value']:8.3f}  {bar['bar']}")


if __name__ == "__main__":
    main()
