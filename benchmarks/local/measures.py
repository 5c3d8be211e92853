"""What is measured, and which bar each figure is held against."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_LARGE = 256 * 1024 * 1024
_EXPERIMENTS = 1_000
_FILES = 45_000  # are imported at least at each size, in pairs of runs: short ones vary by half


class Bench:
    """Runs operations in `folder`, and keeps what they took."""

    def __init__(self, folder: Path, peer_python: str) -> None:
        self._folder = folder
        self._peer_python = peer_python or sys.executable
        self._measured: dict[str, dict[str, dict[str, Any]]] = {}
        self._bars: list[dict[str, Any]] = []
        self._load = os.getloadavg()[0]  # of other programs: what is measured has not begun

    # Sizes

    def at(self, size: int, rounds: int) -> None:
        """Measure everything that grows with the number of images."""
        self._fill_memory()
        rounds = max(rounds, _FILES // size)
        home = self._folder / str(size)
        sources = str(home / "sources")
        run("floor", "sources", sources, size)
        imports = self._pairs(
            size, "import_dir", rounds, lambda r: (sources, home / f"floor{r}"), lambda r: (sources, home / f"ours{r}")
        )
        self._hold("import_dir / floor", size, imports, "<= 1.5")
        durable = run("ours", "import_dir", sources, home / "durable", "1")
        self._keep(size, "import_dir, on the disk", durable)
        self._hold("memory of import_dir, MB", size, durable["peak_mb"], "< 200")
        annotations = self._pairs(
            size, "annotate", rounds, lambda r: (home / f"floor{r}" / "data",), lambda r: (home / f"ours{r}",)
        )
        self._hold("annotate / reading and rewriting", size, annotations, "<= 1.3")
        self._hold("memory of annotate, MB", size, self._peak(size, "annotate"), "< 200")
        self._queries(size, home / "ours0", rounds)
        self._keep(size, "check, floor", run("floor", "check", home / "ours0" / "bench" / "data"))
        check = run("ours", "check", home / "ours0")
        self._keep(size, "check", check)
        self._keep(size, "check again", run("ours", "check", home / "ours0"))
        self._hold("memory of check, MB", size, check["peak_mb"], "< 200")
        transfer = run("ours", "transfer", home / "ours0", home / "elsewhere")
        self._keep(size, "transfer", transfer)
        self._hold("memory of transfer, MB", size, transfer["peak_mb"], "< 200")
        self._one_by_one(size, sources, home)
        self._commands(size, home / "ours0")

    def _fill_memory(self) -> None:
        """Let the system's cache take all memory that is free, as on a machine that is in use.

        A virtual machine asks its host for each page that it has not used lately, which takes longer than to write a
        small file. A short run lives on pages that the process before it gave back, a long one pays for its own: both
        the floor and we seemed to grow faster than the number of images. Pages of the cache are the machine's own.
        """
        if "SC_AVPHYS_PAGES" not in os.sysconf_names:
            return
        filler = self._folder / "filler"  # a file of holes: it fills the cache, and takes no room on the disk
        with filler.open("ab") as file:
            start = file.tell()
            file.truncate(start + os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        with filler.open("rb", buffering=0) as file:
            file.seek(start)
            while file.read(2**20):
                pass

    def _queries(self, size: int, workspace: Path, rounds: int) -> None:
        data = workspace / "bench" / "data"
        first = []
        for _ in range(max(rounds, 3)):
            floor = run("floor", "scan", data)
            asked = run("ours", "query", workspace)
            first.append(asked["seconds"] / floor["seconds"])
        self._keep(size, "scan with stat", floor)
        self._keep(size, "query", asked)
        self._hold("first query / scan with stat", size, statistics.median(first), "<= 2")
        allowed = 0.010 + 2e-6 * asked["few"]
        self._hold("next query / (10 ms + 2 us per hit), few", size, asked["again"] / allowed, "<= 1")
        allowed = 0.010 + 2e-6 * asked["all"]
        self._hold("next query / (10 ms + 2 us per hit), all", size, asked["all_again"] / allowed, "<= 1")

    def _one_by_one(self, size: int, sources: str, home: Path) -> None:
        count = 300
        run("ours", "import_dir", sources, home / "fresh", "", "200")
        small = run("ours", "import_data", sources, home / "fresh", count)
        large = run("ours", "import_data", sources, home / "ours0", count)
        for name, measured in (("import_data at 200", small), ("import_data", large)):
            self._keep(size, name, {**measured, "seconds": measured["seconds"] / count, "cpu": measured["cpu"] / count})
        self._hold("import_data, one more / one more at 200", size, large["seconds"] / small["seconds"], "<= 1.5")

    def _commands(self, size: int, workspace: Path) -> None:
        asked = ("query", "bench", "Well=w07")
        alone = [run("ours", "command", workspace, ".config.json", *asked) for _ in range(5)]
        self._keep(size, "bioimageit query, without a lookout", min(alone, key=_seconds))
        warm = [run("ours", "command", workspace, ".config-lookout.json", *asked) for _ in range(11)][1:]
        best = min(warm, key=_seconds)
        self._keep(size, "bioimageit query", best)
        self._hold("bioimageit query, s", size, best["seconds"], "< 0.3")
        best = min((run("ours", "first_page", workspace) for _ in range(3)), key=_seconds)
        self._keep(size, "bioimageit show, first rows", best)
        self._hold("bioimageit show, first rows, s", size, best["seconds"], "< 1")

    # What does not grow

    def once(self, rounds: int) -> None:
        """Measure what does not depend on the number of images of one experiment."""
        self._growth()
        self._history(min(map(int, self._measured)), max(rounds, 7))
        workspace = self._folder / "workspace"
        run("ours", "make_experiments", workspace, _EXPERIMENTS)
        listing = self._pairs(0, "experiments", max(rounds, 9), lambda _: (workspace,), lambda _: (workspace,))
        self._hold(f"listing {_EXPERIMENTS} experiments / reading them", 0, listing, "<= 1.5")
        self._depth(rounds)
        source = self._folder / "large.tif"
        with source.open("wb") as file:
            for _ in range(_LARGE // 2**20):
                file.write(os.urandom(2**20))
        folder = self._folder
        large = self._pairs(
            0, "large", rounds, lambda r: (source, folder / f"cp{r}"), lambda r: (source, folder / f"large{r}")
        )
        self._hold("large file: speed / cp, then sha256sum", 0, 1 / large, ">= 0.8")
        started = min((run("ours", "start") for _ in range(5)), key=_seconds)["seconds"]
        loaded = min((run("ours", "import_module") for _ in range(5)), key=_seconds)["seconds"]
        self._hold("import bioimageit_core, s", 0, loaded - started, "< 0.1")

    def _depth(self, rounds: int) -> None:
        size = 2_000
        home = self._folder / "depth"
        run("floor", "sources", home / "sources", size)
        run("ours", "import_dir", home / "sources", home / "ours")
        run("ours", "annotate", home / "ours")
        run("ours", "process", home / "ours")
        run("ours", "query", home / "ours", "depth3")  # makes the index of the results
        ratios = []
        for _ in range(rounds):
            floor = sum(
                run("floor", "scan", home / "ours" / "bench" / name)["seconds"]
                for name in ("data", "depth1", "depth2", "depth3")
            )
            asked = run("ours", "query", home / "ours", "depth3")
            ratios.append(asked["seconds"] / floor)
        self._keep(size, "query at depth three", asked)
        self._hold("first query at depth three / scans with stat", size, statistics.median(ratios), "<= 2")
        allowed = 0.010 + 2e-6 * asked["few"]
        self._hold("next query at depth three, few", size, asked["again"] / allowed, "<= 1")

    def _history(self, size: int, rounds: int) -> None:
        """Measure what it costs to keep who changed what: the same operations with it and without, in turns."""
        home = self._folder / str(size)
        sources = home / "sources"
        for operation in ("import_dir", "annotate"):
            ratios = []
            for turn in range(rounds):
                where = (home / f"untold{turn}", home / f"told{turn}")
                given = [(sources, place) if operation == "import_dir" else (place,) for place in where]
                without = run("ours", "without_history", operation, *given[0])
                ratios.append(run("ours", operation, *given[1])["cpu"] / without["cpu"])
            name = f"{operation}, processor time / without a history"
            self._hold(name, size, statistics.median(ratios), "<= 1.1")

    def _growth(self) -> None:
        sizes = sorted(int(size) for size in self._measured if "import_dir" in self._measured[size])
        if len(sizes) < 2:
            return
        small, large = (self._measured[str(size)]["import_dir"]["seconds"] for size in (sizes[0], sizes[-1]))
        floor = [self._measured[str(size)]["import_dir, floor"]["seconds"] for size in (sizes[0], sizes[-1])]
        grown = math.log(sizes[-1] / sizes[0])
        self._hold("exponent of import_dir", sizes[-1], math.log(large / small) / grown, "<= 1.05")
        self._keep(sizes[-1], "exponent of the floor", {"value": math.log(floor[1] / floor[0]) / grown})

    # Peers

    def beside(self, size: int) -> None:
        """Measure the peers that are installed, in the same folder on the same files."""
        sources = self._folder / str(size) / "sources"
        if not sources.exists():
            run("floor", "sources", sources, size)
        for peer in ("signac", "lamindb"):
            home = self._folder / f"{peer}{size}"
            for operation in ("import_dir", "annotate", "query"):
                try:
                    given = (sources, home) if operation == "import_dir" else (home,)
                    measured = run("peers", f"{peer}_{operation}", *given, python=self._peer_python)
                except subprocess.CalledProcessError as error:
                    why = error.stderr.strip().splitlines()[-1:]
                    print(f"{peer} {operation}: not measured {why}", file=sys.stderr)
                    break
                self._keep(size, f"{operation}, {peer}", measured)

    # Figures

    def results(self) -> dict[str, Any]:
        """Return all that was measured."""
        machine = {
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "load": self._load,
        }
        return {"machine": machine, "measured": self._measured, "bars": self._bars}

    def _pairs(self, size: int, operation: str, rounds: int, floor_arguments: Any, our_arguments: Any) -> float:
        """Let the floor and us take turns; return the median of the ratios of time."""
        names = {"experiments": ("read_experiments", "list_experiments"), "large": ("copy_large", "import_large")}
        of_floor, of_ours = names.get(operation, (operation, operation))
        pairs = [
            (run("floor", of_floor, *floor_arguments(turn)), run("ours", of_ours, *our_arguments(turn)))
            for turn in range(rounds)
        ]
        ratios = {kind: statistics.median(ours[kind] / floor[kind] for floor, ours in pairs) for kind in _KINDS}
        self._keep(size, f"{operation}, floor", sorted((floor for floor, _ in pairs), key=_seconds)[rounds // 2])
        middle = sorted((ours for _, ours in pairs), key=_seconds)[rounds // 2]
        self._keep(size, operation, {**middle, "ratio": ratios["seconds"], "cpu_ratio": ratios["cpu"]})
        return ratios["seconds"]

    def _keep(self, size: int, name: str, measured: dict[str, Any]) -> None:
        rounded = {key: round(value, 6) for key, value in measured.items()}
        self._measured.setdefault(str(size), {})[name] = rounded
        print(size or "", name, rounded, file=sys.stderr, flush=True)

    def _peak(self, size: int, name: str) -> float:
        return float(self._measured[str(size)][name]["peak_mb"])

    def _hold(self, what: str, size: int, value: float, bar: str) -> None:
        sign, _, limit = bar.partition(" ")
        holds = value >= float(limit) if sign == ">=" else value <= float(limit)
        self._bars.append({"what": what, "size": size or None, "value": round(value, 4), "bar": bar, "holds": holds})


_KINDS = ("seconds", "cpu")


def _seconds(measured: dict[str, Any]) -> float:
    return float(measured["seconds"])


def run(module: str, function: str, *arguments: object, python: str = sys.executable) -> dict[str, Any]:
    """Run one operation in a process of its own."""
    argv = [python, str(HERE / "worker.py"), module, function, *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=HERE)
    if done.returncode:
        if module != "peers":
            print(done.stderr, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, argv, stderr=done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
