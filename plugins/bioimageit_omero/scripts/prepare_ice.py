#!/usr/bin/env python3
"""Prepare the wheel of zeroc-ice 3.6.5, which omero-py needs and which exists only as a source distribution.

The source distribution is downloaded with pip, mended for Python 3.11 and later, built, and kept in a cache, where the
next call finds it. Needs a C++ compiler and, on Debian and Ubuntu, ``apt-get install g++ libssl-dev libbz2-dev``.

    python plugins/bioimageit_omero/scripts/prepare_ice.py [--python PYTHON] [--cache DIRECTORY] [--jobs N]

The last line of the output is the path of the wheel::

    pip install "$(python plugins/bioimageit_omero/scripts/prepare_ice.py)" omero-py
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

VERSION = "3.6.5"

Edit = tuple[str, str, str]
"""File of the source distribution, regular expression of what is to be mended, its replacement."""

EDITS: tuple[Edit, ...] = (
    # headers that CPython no longer installs; nothing in these files needs them
    ("src/Slice.cpp", r"^#include <(compile|eval)\.h>$", r"/* <\1.h> is not needed */"),
    ("src/Util.cpp", r"^#include <compile\.h>$", r"/* <compile.h> is not needed */"),
    # the frame became opaque in 3.11
    ("src/Util.cpp", r"PyThreadState_GET\(\)->frame\b", "PyEval_GetFrame()"),
    # deprecated since 3.9, gone in 3.13; PyObject_CallObject is the same call
    ("src/Util.cpp", r"\bPyEval_CallObject\(", "PyObject_CallObject("),
)
"""What is mended. Each must be found, or be mended already."""

PARALLEL = """
# added: compile several files at a time; the extension is one module of about 230 files
def _compile_in_parallel(self, sources, output_dir=None, macros=None, include_dirs=None, debug=0, extra_preargs=None,
                         extra_postargs=None, depends=None):
    from concurrent.futures import ThreadPoolExecutor
    macros, objects, postargs, preargs, build = self._setup_compile(
        output_dir, macros, include_dirs, sources, depends, extra_postargs)
    options = self._get_cc_args(preargs, debug, extra_preargs)
    def compile_one(item):
        source, extension = build[item]
        self._compile(item, source, extension, options, postargs, preargs)
    with ThreadPoolExecutor(int(os.environ.get('ICE_COMPILERS', '2'))) as pool:
        list(pool.map(compile_one, [item for item in objects if item in build]))
    return objects

if sys.platform != 'win32':
    from distutils.unixccompiler import UnixCCompiler
    UnixCCompiler.compile = _compile_in_parallel
"""
MARK = "# Gather the list of sources to compile."


class PreparationError(Exception):
    """The wheel cannot be prepared; the message says why and what to do."""


def cache_directory() -> Path:
    """Return where wheels are kept: ``$XDG_CACHE_HOME/bioimageit/wheels``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bioimageit" / "wheels"


def cached_wheel(cache: Path, python: str) -> Path | None:
    """Return the wheel in `cache` that `python` can install, or None."""
    script = "import sys, sysconfig; print('cp%d%d' % sys.version_info[:2], sysconfig.get_platform())"
    tag, platform = run([python, "-c", script]).split()
    platform = re.sub(r"[-.]", "_", platform)
    found = sorted(cache.glob(f"zeroc_ice-{VERSION}-{tag}-{tag}-*{platform.split('_')[0]}*.whl"))
    return found[0] if found else None


def patch(source: Path) -> None:
    """Mend an unpacked source distribution; do nothing where it is mended already.

    Raises
    ------
    PreparationError
        A file is not as expected: it is another version.
    """
    for name, pattern, replacement in EDITS:
        file = source / name
        text = file.read_text(encoding="utf-8")
        mended, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if not count and re.sub(r"\\1", "compile", replacement) not in text:
            raise PreparationError(f"{file}: expected {pattern!r}; this is not zeroc-ice {VERSION}")
        if count:
            file.write_text(mended, encoding="utf-8")
    setup = source / "setup.py"
    text = setup.read_text(encoding="utf-8")
    if "_compile_in_parallel" not in text:
        if text.count(MARK) != 1:
            raise PreparationError(f"{setup}: expected one line {MARK!r}; this is not zeroc-ice {VERSION}")
        setup.write_text(text.replace(MARK, f"{PARALLEL}\n{MARK}"), encoding="utf-8")


def build(python: str, cache: Path, jobs: int) -> Path:
    """Download, mend and build; return the wheel, in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="zeroc-ice-") as name:
        work = Path(name)
        run([python, "-m", "venv", str(work / "env")])
        pip = [str(work / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "pip"]
        say(f"downloading zeroc-ice {VERSION}")
        wanted = ["--no-deps", "--no-binary", "zeroc-ice", "-d", str(work), f"zeroc-ice=={VERSION}"]
        run([*pip, "--disable-pip-version-check", "download", *wanted])
        with tarfile.open(work / f"zeroc-ice-{VERSION}.tar.gz") as archive:
            archive.extractall(work, filter="data")
        source = work / f"zeroc-ice-{VERSION}"
        patch(source)
        say(f"building it with {jobs} compilers at once; this takes 3 to 10 minutes, once")
        environment = {"CFLAGS": "-O1 -g0", **os.environ, "ICE_COMPILERS": str(jobs)}
        run([*pip, "--disable-pip-version-check", "wheel", "--no-deps", "-w", str(work), str(source)], environment)
        built = next(work.glob("zeroc_ice-*.whl"))
        partial = cache / f".{built.name}.{os.getpid()}"
        shutil.copyfile(built, partial)
        return partial.replace(cache / built.name)


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it wrote.

    Raises
    ------
    PreparationError
        Its exit status is not 0.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        hint = "on Debian and Ubuntu it needs: apt-get install g++ libssl-dev libbz2-dev"
        raise PreparationError(f"{' '.join(command)}: exit status {done.returncode}\n{end}\n{hint}")
    return done.stdout


def say(message: str) -> None:
    """Tell the user how far it is; standard output is for the path alone."""
    sys.stderr.write(f"{message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the wheel and write its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the Python to build for (default: this one)")
    parser.add_argument("--cache", type=Path, default=cache_directory(), help="where wheels are kept")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="compilers at once")
    options = parser.parse_args(arguments)
    try:
        wheel = cached_wheel(options.cache, options.python) or build(options.python, options.cache, options.jobs)
    except PreparationError as error:
        say(str(error))
        return 1
    sys.stdout.write(f"{wheel}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
