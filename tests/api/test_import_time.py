"""Importing the package costs next to nothing, whatever is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAZY = ["numpy", "lxml", "lark", "Cheetah", "rich", "typer", "fsspec", "keyring", "msgspec", "pandas", "yaml"]


def loaded_after(statement: str, *paths: Path) -> set[str]:
    code = f"import sys\nsys.path[:0] = {[str(path) for path in paths]!r}\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_heavy_and_no_plugin(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"bioimageit_wild{number}.py").write_text("raise SystemExit('imported')")

    loaded = loaded_after("import bioimageit_core", tmp_path)

    assert loaded.isdisjoint(LAZY)
    assert {name for name in loaded if name.startswith("bioimageit")} == {"bioimageit_core"}


def test_connecting_to_builtins_imports_no_plugin_and_no_service(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"bioimageit_wild{number}.py").write_text("raise SystemExit('imported')")

    loaded = loaded_after("import bioimageit_core; bioimageit_core.Request(log=False).connect()", tmp_path)

    assert loaded.isdisjoint(LAZY)
    assert "bioimageit_core.plugins.data_local" not in loaded
    assert not [name for name in loaded if name.startswith("bioimageit_wild")]
