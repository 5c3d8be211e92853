"""Run a kit against an installed plugin, and say of each ability whether it has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bioimageit_core.core.exceptions import PluginError

__all__ = ["AbilityVerdict", "verdict"]

_KITS = {"data": "DataServiceTests", "runner": "RunnerServiceTests", "tools": "ToolsServiceTests"}
_FACTORIES = {
    "data": ("data_factory", "metadataServices"),
    "runner": ("runners_factory", "runnerServices"),
    "tools": ("tools_factory", "toolsServices"),
}


@dataclass(frozen=True)
class AbilityVerdict:
    """What the tests of one ability found.

    Attributes
    ----------
    state
        ``'yes'`` (all its tests passed), ``'no'`` (one failed) or ``'not tried'`` (all were skipped).
    passed, failed, skipped
        How many tests.
    reasons
        Why tests failed or were skipped, a line each, with the name of the test that failed.
    """

    ability: str
    state: str
    passed: int
    failed: int
    skipped: int
    reasons: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether no test failed."""
        return self.failed == 0


def verdict(
    kind: str,
    name: str,
    config: Mapping[str, Any] | None = None,
    *,
    destination: str | None = None,
    max_examples: int = 10,
    timeout: float = 1800.0,
) -> list[AbilityVerdict]:
    """Run the kit of a kind against a plugin, in a process of its own.

    It writes: give a store that is there to be written to. What it makes has names that begin with ``kit``, and
    the hostile names of the kit.

    Parameters
    ----------
    kind, name
        Of the plugin: ``'data'``, ``'runner'`` or ``'tools'``, and its name.
    config
        What the service's builder gets: what stands beside ``service`` in a configuration.
    destination
        For a data service, where it creates experiments; None for a temporary directory.
    max_examples
        How many generated examples each property is tried on.

    Returns
    -------
    list
        An entry an ability, in the order of the kit.

    Raises
    ------
    PluginNotFoundError
        No plugin of that name is installed.
    PluginError
        The kit cannot be run: the extra ``testing`` is not installed, or it took too long.

    Examples
    --------
    >>> [found.state for found in verdict("tools", "LOCAL") if found.ability == "search"]
    ['yes']
    """
    if kind not in _KITS:
        raise PluginError(f"there is no kit for plugins of kind {kind!r}: choose one of {', '.join(_KITS)}")
    factory_module, factory_object = _FACTORIES[kind]
    getattr(import_module(f"bioimageit_core.plugins.{factory_module}"), factory_object).check_name(name)
    with tempfile.TemporaryDirectory(prefix="bioimageit-check-") as folder:
        workspace = Path(folder, "workspace")
        workspace.mkdir()
        facts = {
            "name": name,
            "config": dict(config or {}),
            "destination": str(workspace) if destination is None else destination,
            "max_examples": max_examples,
        }
        module = Path(folder, "test_plugin.py")
        text = _MODULE.format(kit=_KITS[kind], factory_module=factory_module, factory_object=factory_object)
        module.write_text(text, encoding="utf-8")
        with open(os.open(Path(folder, "facts.json"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            json.dump(facts, file)  # may hold secrets: not on the command line
        outcomes = _run(module, Path(folder, "verdict.json"), timeout)
    return list(_summed_up(outcomes))


def _run(module: Path, result: Path, timeout: float) -> list[dict[str, str]]:
    options = ["-q", "--tb=no", "--no-header", "--import-mode=importlib", "-p", "no:cacheprovider", "-c", os.devnull]
    scratch = f"--basetemp={module.parent / 'scratch'}"
    argv = [sys.executable, "-m", "pytest", *options, scratch, f"--bioimageit-verdict={result}", str(module)]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PluginError(f"the kit did not end within {timeout:g} seconds") from error
    if not result.exists():
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise PluginError(f"the kit could not be run (pip install 'bioimageit-core[testing]'): {said}")
    outcomes: list[dict[str, str]] = json.loads(result.read_text(encoding="utf-8"))
    if not outcomes:
        raise PluginError(f"the kit found nothing to run: {done.stdout.strip()[-2000:]}")
    return outcomes


def _summed_up(outcomes: Iterable[Mapping[str, str]]) -> Iterable[AbilityVerdict]:
    by_ability: dict[str, list[Mapping[str, str]]] = {}
    for outcome in outcomes:
        by_ability.setdefault(outcome["ability"], []).append(outcome)
    for ability, found in by_ability.items():
        count = {state: sum(one["outcome"] == state for one in found) for state in ("passed", "failed", "skipped")}
        state = "no" if count["failed"] else "yes" if count["passed"] else "not tried"
        reasons = [f"{one['test']}: {_first_line(one['reason'])}" for one in found if one["outcome"] == "failed"]
        reasons += sorted({_first_line(one["reason"]) for one in found if one["outcome"] == "skipped"})
        yield AbilityVerdict(ability, state, count["passed"], count["failed"], count["skipped"], tuple(reasons))


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:300]


_MODULE = '''\
import json
import pathlib

import pytest

from bioimageit_core.plugins import {factory_module}
from bioimageit_core.plugins.registry import ServiceRegistry
from bioimageit_core.testing import {kit}

FACTS = json.loads((pathlib.Path(__file__).parent / "facts.json").read_text(encoding="utf-8"))


def make_service():
    """Make a service with a builder of its own: the one of a factory gives the same service always."""
    known = {factory_module}.{factory_object}
    built_in = {{found.name: f"{{found.module}}:{{found.attribute}}" for found in known.builtins}}
    return ServiceRegistry(known.kind, built_in).get(FACTS["name"], **FACTS["config"])


class TestPlugin({kit}):
    max_examples = FACTS["max_examples"]

    @pytest.fixture
    def service(self):
        return make_service()

    @pytest.fixture
    def second_session(self):
        return make_service()

    @pytest.fixture
    def destination(self):
        return FACTS["destination"]
'''
