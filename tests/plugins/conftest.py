"""Plugins in the wild: modules and distributions written for one test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

DATA_METHODS = {
    "create_experiment": "name, author, date='now', keys=None, destination=''",
    "get_workspace_experiments": "workspace_uri",
    "get_experiment": "md_uri",
    "update_experiment": "experiment",
    "import_data": "experiment, data_path, name, author, format_, date='now', key_value_pairs=dict",
    "import_dir": "experiment, dir_uri, filter_, author, format_, date, directory_tag_key='', observers=None",
    "get_raw_data": "md_uri",
    "update_raw_data": "raw_data",
    "get_processed_data": "md_uri",
    "update_processed_data": "processed_data",
    "get_dataset": "md_uri",
    "update_dataset": "dataset",
    "create_dataset": "experiment, dataset_name",
    "create_run": "dataset, run_info",
    "get_run": "md_uri",
    "create_data": "dataset, run, processed_data",
}


@pytest.fixture
def wild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path of modules; what is imported from it is forgotten afterwards."""
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.syspath_prepend(str(directory))
    before = set(sys.modules)
    yield directory
    for name in set(sys.modules) - before:
        if name.startswith("bioimageit_") and not name.startswith("bioimageit_core"):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def write_module(wild: Path) -> Callable[[str, str], Path]:
    """Write a module; each call of the fixture's function makes it importable."""

    def write(name: str, source: str) -> Path:
        path = wild / f"{name}.py"
        path.write_text(dedent(source))
        importlib.invalidate_caches()
        return path

    return write


@pytest.fixture
def write_data_plugin(write_module: Callable[[str, str], Path]) -> Callable[..., Path]:
    """Write a data plugin that inherits from nothing; methods can be left out or given other arguments."""

    def write(
        module: str,
        name: str,
        *,
        without: str = "",
        signatures: dict[str, str] | None = None,
        top: str = "",
        more: str = "",
    ) -> Path:
        methods = {**DATA_METHODS, **(signatures or {})}
        methods.pop(without, None)
        body = "\n".join(
            f"    def {method}(self, {arguments}): return {method!r}" for method, arguments in methods.items()
        )
        source = [
            top,
            f"plugin_info = {{'name': {name!r}, 'type': 'data', 'builder': 'Builder'}}",
            "class Service:",
            "    def __init__(self, **config): self.config = config",
            body,
            more,
            "class Builder:",
            "    def __init__(self): self._instance = None",
            "    def __call__(self, **config):",
            "        if not self._instance: self._instance = Service(**config)",
            "        return self._instance",
        ]
        return write_module(module, "\n".join(source))

    return write


@pytest.fixture
def declare(wild: Path) -> Callable[..., Path]:
    """Install a distribution that declares entry points, as ``group: name = target`` lines."""

    def write(distribution: str, version: str, entry_points: str) -> Path:
        directory = wild / f"{distribution.replace('-', '_')}-{version}.dist-info"
        directory.mkdir()
        (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (directory / "entry_points.txt").write_text(dedent(entry_points))
        importlib.invalidate_caches()
        return directory

    return write
