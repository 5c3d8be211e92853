"""A verdict of an installed plugin: ability by ability, with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bioimageit_core.core.exceptions import PluginError, PluginNotFoundError
from bioimageit_core.testing import verdict

_PLUGIN = """
from bioimageit_core.plugins.runner_local import LocalRunnerService

plugin_info = {"name": "HALF", "type": "runner", "builder": "HalfBuilder"}


class Half:
    def __init__(self, secret):
        assert secret == "s3cr3t"
        self.runner = LocalRunnerService()

    def set_up(self, tool, job_id=0):
        self.runner.set_up(tool, job_id)

    def exec(self, tool, args, job_id=0):
        try:
            self.runner.exec(tool, args, job_id)
        except Exception:
            print("oh")

    def tear_down(self, tool, job_id=0):
        self.runner.tear_down(tool, job_id)


class HalfBuilder:
    def __call__(self, **config):
        return Half(**config)
"""


def test_each_ability_has_its_verdict_and_its_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bioimageit_half.py").write_text(_PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = {one.ability: one for one in verdict("runner", "HALF", {"secret": "s3cr3t"})}

    assert list(found)[:2] == ["contract", "exec"]
    assert (found["exec"].state, found["exec"].reasons) == ("yes", ())
    assert found["failures"].state == "no"
    assert not found["failures"].is_ok
    assert "test_an_exit_status_that_is_not_0_is_an_error_that_says_it" in found["failures"].reasons[0]
    assert found["run_command"].state == "not tried"
    assert found["run_command"].reasons == ("Half has no run_command",)


def test_a_verdict_can_be_shown_as_json() -> None:
    found = verdict("tools", "LOCAL")

    assert {one.state for one in found} == {"yes"}
    assert "search" in json.dumps([vars(one) for one in found])


def test_a_plugin_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(PluginNotFoundError, match="NOWHERE"):
        verdict("data", "NOWHERE")


def test_a_kind_that_there_is_not_is_an_error() -> None:
    with pytest.raises(PluginError, match="data, runner, tools"):
        verdict("viewer", "LOCAL")
