"""The interpreters that pyenv keeps: uv sees of them only those that are switched on."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["pyenv_pythons"]

_CPYTHON = re.compile(r"3\.\d+\.\d+")


def pyenv_pythons() -> list[tuple[str, str]]:
    """Give path and version of each CPython 3 of pyenv, the newest first; pre-releases are left out."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    try:
        names = [folder.name for folder in (root / "versions").iterdir() if _CPYTHON.fullmatch(folder.name)]
    except OSError:
        return []
    names.sort(key=lambda name: [int(part) for part in name.split(".")], reverse=True)
    found = ((str(root / "versions" / name / "bin" / "python"), name) for name in names)
    return [(path, version) for path, version in found if os.access(path, os.X_OK)]
