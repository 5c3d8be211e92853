"""Build the page of `bioimageit serve` from frontend/ by npm: by `make web`, and when a wheel is made.

Without npm there is no page, and the wheel has the API alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by make
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
STATIC = ROOT / "src" / "bioimageit_core" / "web" / "static"
_STAMP = STATIC / ".made-from"
_MADE = ("node_modules", "dist")


class PageHook(BuildHookInterface):  # type: ignore[misc]
    """Builds the page before the files of a wheel or source distribution are gathered."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page, but not for an editable install: there `make web` does."""
        if version != "editable":
            build_page()


def build_page() -> bool:
    """Build the page where it is not what the sources say; return whether it is there.

    Raises
    ------
    CalledProcessError
        npm failed.
    """
    if not FRONTEND.is_dir():  # a source distribution that has the page
        return STATIC.is_dir()
    digest = _digest()
    if _STAMP.is_file() and _STAMP.read_text() == digest:
        return True
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: the page is not built", file=sys.stderr)
        return False
    environment = {**os.environ, "NO_UPDATE_NOTIFIER": "1"}
    for step in (["ci", "--no-audit", "--no-fund"], ["run", "check"], ["run", "build"]):
        subprocess.run([npm, *step], cwd=FRONTEND, env=environment, check=True, stdout=sys.stderr)
    _STAMP.write_text(digest)
    return True


def _digest() -> str:
    """Return a digest of every source file, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(FRONTEND.rglob("*")):
        parts = path.relative_to(FRONTEND).parts
        if path.is_file() and not set(parts) & set(_MADE):
            digest.update("/".join(parts).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        build_page()
    except subprocess.CalledProcessError as error:
        sys.exit(f"npm failed with status {error.returncode}")
