"""Services are checked against the signatures of the contract; nobody needs to inherit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import PluginContractError, PluginError, PluginNotFoundError
from bioimageit_core.plugins import abilities as optional
from bioimageit_core.plugins.data_factory import metadataServices
from bioimageit_core.plugins.registry import check_plugin, list_plugins
from bioimageit_core.plugins.structure import ABILITIES, abilities, check_service, find_problems

Write = Callable[..., Path]


class OldRunner:
    def set_up(self, tool: Any) -> None: ...
    def exec(self, tool: Any, args: Any) -> None: ...
    def tear_down(self, tool: Any) -> None: ...


def test_a_missing_method_names_plugin_method_and_mend(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD", without="get_run")

    with pytest.raises(PluginContractError) as caught:
        metadataServices.get("WILD")

    assert caught.value.problems == ("it has no method get_run: define get_run(self, md_uri)",)
    assert "data plugin 'WILD'" in str(caught.value)


def test_a_wrong_signature_names_what_it_takes_and_what_is_passed(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD", signatures={"import_data": "experiment, path"})

    with pytest.raises(PluginContractError) as caught:
        metadataServices.get("WILD")

    assert caught.value.problems == (
        (
            "import_data(self, experiment, path) takes 2 arguments, the contract passes 7: "
            "import_data(experiment, data_path, name, author, format_, date, key_value_pairs)"
        ),
    )


def test_what_lacks_a_method_is_listed_as_broken_without_being_started(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD", without="get_run", more="    def __del__(self): pass")

    (status,) = [status for status in list_plugins("data") if status.name == "WILD"]

    assert status.state == "broken"
    assert "it has no method get_run" in status.reason


@pytest.mark.parametrize(
    ("builder", "problem"),
    [
        ("def __init__(self, host): pass\n    def __call__(self, **config): pass", "Builder(host) cannot be made"),
        ("def build(self, **config): pass", "lacks __call__(self, **config)"),
    ],
)
def test_a_builder_that_cannot_be_made_or_called_is_listed_as_broken(
    write_module: Write, builder: str, problem: str
) -> None:
    info = "plugin_info = {'name': 'WILD', 'type': 'runner', 'builder': 'Builder'}"
    write_module("bioimageit_wild", f"{info}\n\nclass Builder:\n    {builder}")

    (status,) = [status for status in list_plugins("runner") if status.name == "WILD"]

    assert status.state == "broken"
    assert problem in status.reason
    assert not check_plugin("WILD").is_ok


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        ("dataset_name, experiment", "has its arguments in another order"),
        ("experiment, dataset_name, *, colour", "needs the keyword colour"),
        ("experiment, dataset_name, where", "takes 3 arguments, the contract passes 2"),
        ("experiment, dataset_name, where, when=1", "takes 3 to 4 arguments"),
        ("experiment", "takes 1 argument, the contract passes 2"),
    ],
)
def test_a_signature_that_cannot_be_called_positionally_is_a_problem(
    write_data_plugin: Write, signature: str, problem: str
) -> None:
    write_data_plugin("bioimageit_wild", "WILD", signatures={"create_dataset": signature})

    with pytest.raises(PluginContractError) as caught:
        metadataServices.get("WILD")

    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(
    "signature", ["experiment, name", "*args", "e, n='x', *more, **rest", "experiment, n, colour=1"]
)
def test_a_signature_that_can_be_called_positionally_is_none(write_data_plugin: Write, signature: str) -> None:
    write_data_plugin("bioimageit_wild", "WILD", signatures={"create_dataset": signature})

    assert metadataServices.get("WILD") is not None
    assert check_plugin("WILD").is_ok


def test_static_class_and_c_methods_and_partials_are_methods() -> None:
    class Odd(OldRunner):
        @staticmethod
        def set_up(tool: Any, job_id: int) -> None: ...
        @classmethod
        def tear_down(cls, tool: Any, job_id: int) -> None: ...

        exec = functools.partialmethod(lambda self, extra, tool, args, job_id: None, "extra")

    odd = Odd()
    assert find_problems("runner", odd) == []
    odd.exec = max  # type: ignore[assignment, method-assign]
    assert find_problems("runner", odd) == []


def test_a_runner_may_lack_job_id_but_no_more() -> None:
    class TooOld(OldRunner):
        def exec(self, tool: Any) -> None: ...  # type: ignore[override]

    check_service("runner", "OLD", OldRunner())
    assert find_problems("runner", TooOld()) == [
        "exec(self, tool) takes 1 argument, the contract passes 3: exec(tool, args, job_id)"
    ]


def test_attributes_that_are_no_methods_are_problems() -> None:
    class Odd(OldRunner):
        set_up = 3  # type: ignore[assignment]

        @property
        def exec(self) -> Any:  # type: ignore[override]
            raise RuntimeError("not today")

        async def tear_down(self, tool: Any) -> None: ...  # type: ignore[override]

    assert find_problems("runner", Odd()) == [
        "set_up is int, not a method: define set_up(tool, job_id)",
        "exec cannot be read (RuntimeError: not today)",
        "tear_down is a coroutine, the contract calls it plainly: define it without 'async'",
    ]


@pytest.mark.parametrize("service", [None, OldRunner])
def test_a_builder_that_returns_no_service_is_a_problem(service: Any) -> None:
    assert "its builder returned" in find_problems("runner", service)[0]


def test_a_service_that_answers_to_any_name_is_not_judged_by_its_class(write_module: Write) -> None:
    write_module(
        "bioimageit_proxy",
        """
        plugin_info = {'name': 'PROXY', 'type': 'tools', 'builder': 'Builder'}
        class Service:
            def search(self, keyword): return []
            def __getattr__(self, name): return lambda *args: None
        class Builder:
            def __call__(self): return Service()
        """,
    )

    (status,) = [status for status in list_plugins("tools") if status.name == "PROXY"]

    assert status.is_ok


def test_methods_that_are_made_with_the_instance_are_not_missed_in_its_class(write_data_plugin: Write) -> None:
    more = "    def __init__(self, **config): self.config = config; self.get_run = lambda md_uri: md_uri"
    write_data_plugin("bioimageit_wild", "WILD", without="get_run", more=more)

    assert [status.state for status in list_plugins() if status.name == "WILD"] == ["ok"]
    assert metadataServices.get("WILD").get_run("x") == "x"


def test_abilities_are_what_the_service_has() -> None:
    class Service:
        def get_dataset_runs(self, dataset: Any) -> list[Any]:
            return []

        def view_data(self) -> None: ...

    found = abilities(Service())

    assert found["ListsRuns"] is True
    assert found["DownloadsData"] is False
    assert found["ViewsData"] is False  # it cannot be called as the contract calls it
    assert abilities(Service) == found


def test_every_optional_protocol_belongs_to_a_kind() -> None:
    protocols = {name for name in optional.__all__ if getattr(getattr(optional, name), "_is_protocol", False)}

    assert {protocol.__name__ for kind in ABILITIES.values() for protocol in kind} == protocols


def test_a_check_tells_problems_and_abilities(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_good", "GOOD", more="    def view_data(self, md_uri): return md_uri")
    write_data_plugin("bioimageit_poor", "POOR", without="get_run")

    good, poor = check_plugin("GOOD"), check_plugin("bioimageit_poor", "data")

    assert good.is_ok
    assert good.abilities["ViewsData"]
    assert not poor.is_ok
    assert poor.problems == ("it has no method get_run: define get_run(self, md_uri)",)


def test_a_check_starts_the_service_where_a_configuration_is_given(write_module: Write) -> None:
    write_module(
        "bioimageit_hidden",
        """
        plugin_info = {'name': 'HIDDEN', 'type': 'runner', 'builder': 'Builder'}
        class Builder:
            def __call__(self, host):
                class Service:
                    def set_up(self, tool): pass
                    def exec(self, tool, args): pass
                return Service()
        """,
    )

    without, with_ = check_plugin("HIDDEN"), check_plugin("HIDDEN", config={"host": "h"})

    assert "a configuration is needed" in without.problems[0]
    assert with_.problems == ("it has no method tear_down: define tear_down(self, tool, job_id)",)


def test_a_check_of_what_is_not_there_or_has_several_kinds_says_so() -> None:
    with pytest.raises(PluginNotFoundError, match="no data, runner or tools plugin 'NOTHING'"):
        check_plugin("NOTHING")
    with pytest.raises(PluginError, match="say which"):
        check_plugin("LOCAL")
