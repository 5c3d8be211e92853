"""Whether LOCAL became slower against the floor: ratios at a small size, for every run of the tests.

Processor time is compared, not the clock: other programs on the machine change it least. Ours and the floor's take
turns in one process, and the least of several rounds counts; where a bar does not hold there are more rounds, because
a busy moment passes and a cost that was doubled stays. The bars are the ratios of the last release with room for noise;
the exit status is 1 where one does not hold. `benchmarks/local` measures what a user waits for.

    python benchmarks/local/regression.py [--items 200] [--rounds 5]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import floor
import ours
from worker import Clock

BARS = {"import": 3.0, "annotate": 2.4, "list experiments": 2.5, "first query": 2.0, "check": 4.0}
_TRIES = 4


class Rounds:
    """The least processor time of each operation."""

    def __init__(self) -> None:
        self._least: dict[tuple[str, str], float] = {}

    def run(self, what: str, whose: str, operation: Callable[..., Any], *arguments: str) -> None:
        clock = Clock()
        operation(clock, *arguments)
        self._least[what, whose] = min(clock.cpu, self._least.get((what, whose), clock.cpu))

    def ratio(self, what: str) -> float:
        return self._least[what, "ours"] / self._least[what, "floor"]

    def missed(self) -> list[str]:
        return [what for what, bar in BARS.items() if self.ratio(what) > bar]


def measure(folder: str, items: int, rounds: int) -> Rounds:
    found = Rounds()
    sources, experiments = f"{folder}/sources", f"{folder}/experiments"
    floor.sources(Clock(), sources, str(items))
    ours.make_experiments(Clock(), experiments, str(items))
    for turn in range(rounds * _TRIES):
        if turn and turn % rounds == 0 and not found.missed():
            break
        theirs, workspace = f"{folder}/floor{turn}", f"{folder}/ours{turn}"
        data = f"{workspace}/bench/data"
        found.run("import", "floor", floor.import_dir, sources, theirs)
        found.run("import", "ours", ours.import_dir, sources, workspace)
        found.run("annotate", "floor", floor.annotate, f"{theirs}/data")
        found.run("annotate", "ours", ours.annotate, workspace)
        found.run("list experiments", "floor", floor.read_experiments, experiments)
        found.run("list experiments", "ours", ours.list_experiments, experiments)
        found.run("first query", "floor", floor.read_documents, data)
        found.run("first query", "ours", ours.query, workspace)
        found.run("check", "floor", floor.check, data)
        found.run("check", "ours", ours.check, workspace)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bioimageit-bench-") as folder:
        found = measure(folder, options.items, options.rounds)
    missed = found.missed()
    for what, bar in BARS.items():
        print(f"{'MISSES' if what in missed else 'holds':7} {what:18} {found.ratio(what):6.2f} x the floor  (<= {bar})")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
