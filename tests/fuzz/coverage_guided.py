"""Look for bytes that break a reader, guided by coverage (atheris, libFuzzer).

    python tests/fuzz/coverage_guided.py                      every reader, ten seconds each
    python tests/fuzz/coverage_guided.py query --seconds 3600 --jobs 1

What is found is written to ``crash-…`` in the working directory; make it a case of ``test_readers.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
_LIMITS = ("-rss_limit_mb=2048", "-timeout=20", "-max_len=4096", "-print_final_stats=1")


def main() -> int:
    """Run each reader in a process of its own; the exit status is the number of readers that broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="readers by name; all of them where none is given")
    parser.add_argument("--seconds", type=int, default=10, help="how long each reader is tried")
    parser.add_argument(
        "--runs", type=int, default=0, help="try so many inputs instead, the same every time (a twentieth of slow ones)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many readers are tried at once")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        _fuzz(asked.targets[0], asked.seconds, asked.runs)
    limits = ["--seconds", str(asked.seconds), "--runs", str(asked.runs)]
    names = asked.targets or _names()
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(lambda name: _succeeds(name, limits), names))
    broken = [name for name, succeeded in zip(names, found, strict=True) if not succeeded]
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return len(broken)


def _names() -> list[str]:
    sys.path.insert(0, str(HERE))
    from targets import TARGETS

    return list(TARGETS)


def _succeeds(name: str, limits: list[str]) -> bool:
    command = [sys.executable, __file__, name, *limits, "--one"]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    tried = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
    covered = re.findall(r"\bcov: (\d+)", ended.stderr)
    if ended.returncode == 0 and tried and covered:
        print(f"{name}: {tried[1]} inputs, {covered[-1]} places of the code reached, nothing broke", flush=True)
        return True
    print(f"{name}: broke\n{ended.stderr[-4000:]}", file=sys.stderr)
    return False


def _fuzz(name: str, seconds: int, runs: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["bioimageit_core", "lark", "targets"]):
        sys.path.insert(0, str(HERE))
        from targets import TARGETS, WORDS
    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(TARGETS[name].examples):
            (Path(corpus) / str(number)).write_bytes(example)
        words = Path(corpus) / "words.dict"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
        until = [f"-runs={max(runs // TARGETS[name].cost, 1)}", "-seed=1"] if runs else [f"-max_total_time={seconds}"]
        options = [sys.argv[0], corpus, f"-dict={words}", *until, *_LIMITS]
        atheris.Setup(options, TARGETS[name])
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
