"""Plugins are found by name and by entry point, imported lazily, and contained when they break."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import PluginError, PluginNotFoundError
from bioimageit_core.plugins import registry as registry_module
from bioimageit_core.plugins.data_factory import metadataServices
from bioimageit_core.plugins.registry import PluginStatus, ServiceRegistry, list_plugins
from bioimageit_core.plugins.runners_factory import runnerServices
from bioimageit_core.plugins.tools_factory import toolsServices

Write = Callable[..., Path]


def status_of(name: str, kind: str | None = None) -> PluginStatus:
    found = [status for status in list_plugins(kind) if status.name == name]
    assert len(found) == 1, found
    return found[0]


def test_a_module_with_plugin_info_is_found_by_its_name(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD")

    service = metadataServices.get("WILD", host="a.org", port=4064)

    assert service.config == {"host": "a.org", "port": 4064}
    assert status_of("WILD") == PluginStatus(
        "WILD", "data", "module bioimageit_wild", "ok", "", False, "bioimageit_wild"
    )


def test_choosing_a_plugin_imports_no_other(write_data_plugin: Write, write_module: Write) -> None:
    write_data_plugin("bioimageit_aaa", "OTHER")
    write_module(
        "bioimageit_broken", "plugin_info = {'name': 'BAD', 'type': 'data', 'builder': 'B'}\nimport no_such_module"
    )
    write_data_plugin("bioimageit_wild", "WILD")

    metadataServices.get("WILD")

    assert "bioimageit_wild" in sys.modules
    assert "bioimageit_aaa" not in sys.modules
    assert "bioimageit_broken" not in sys.modules


def test_a_builtin_is_chosen_without_looking_at_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("looked")

    monkeypatch.setattr("bioimageit_core.plugins.discovery.find_modules", refuse)
    monkeypatch.setattr("bioimageit_core.plugins.discovery.find_entry_points", refuse)

    metadataServices.check_name("LOCAL")


def test_plugin_info_may_come_from_elsewhere(write_module: Write, write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_real", "REAL")
    write_module("bioimageit_facade", "from bioimageit_real import *\nplugin_info = dict(plugin_info, name='FACADE')")

    assert metadataServices.get("FACADE") is not None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('no licence')", "ValueError: no licence"),
        ("import sys; sys.exit(3)", "sys.exit(3)"),
        ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
        ("def f(): f()\nf()", "RecursionError"),
        ("import no_such_library", "No module named 'no_such_library'"),
        ("def f(:", "SyntaxError"),
        ("class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E", "importing it fails: E"),
        ("import os\nos.environ['NO_SUCH_VARIABLE_HERE']", "KeyError"),
    ],
)
def test_a_plugin_whose_import_fails_is_listed_with_the_reason(write_module: Write, source: str, reason: str) -> None:
    write_module("bioimageit_bad", source)

    status = status_of("bioimageit_bad")

    assert (status.state, status.kind) == ("broken", "")
    assert reason in status.reason
    assert "bioimageit_bad.py" in status.reason or "SyntaxError" in reason


def test_the_user_can_interrupt_the_import_of_a_plugin(write_module: Write) -> None:
    write_module("bioimageit_slow", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        list_plugins()


def test_a_broken_plugin_stops_no_other(write_module: Write, write_data_plugin: Write) -> None:
    write_module("bioimageit_bad", "import sys; sys.exit()")
    write_data_plugin("bioimageit_wild", "WILD")

    assert metadataServices.get("WILD") is not None
    assert status_of("WILD").is_ok


def test_a_broken_plugin_that_is_chosen_says_why(write_module: Write) -> None:
    write_module(
        "bioimageit_bad", "plugin_info = {'name': 'BAD', 'type': 'data', 'builder': 'B'}\nraise OSError('disk')"
    )

    with pytest.raises(
        PluginError, match=r"data plugin 'BAD' \(module bioimageit_bad\) is broken.*OSError: disk"
    ) as caught:
        metadataServices.get("BAD")

    assert isinstance(caught.value.__cause__, OSError)


def test_a_package_without_plugin_info_is_no_plugin(write_module: Write) -> None:
    write_module("bioimageit_gui", "x = 1")

    assert "bioimageit_gui" not in [status.name for status in list_plugins()]


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ("['A', 'data', 'B']", "plugin_info is list, not a dict"),
        ("{'name': 'A', 'type': 'data'}", "no text under 'builder'"),
        ("{'name': 'A', 'type': 'storage', 'builder': 'B'}", "type 'storage'; expected data, runner, tools"),
        (
            "{'name': 'A', 'type': 'data', 'builder': 'Missing'}",
            "the builder 'Missing', which the module does not define",
        ),
        ("{'name': 3, 'type': 'data', 'builder': 'B'}", "no text under 'name'"),
    ],
)
def test_a_plugin_info_that_is_wrong_is_listed_with_the_reason(write_module: Write, info: str, reason: str) -> None:
    write_module("bioimageit_odd", f"plugin_info = {info}")

    broken = [status for status in list_plugins() if status.module == "bioimageit_odd"]

    assert [status.state for status in broken] == ["broken"]
    assert reason in broken[0].reason


def test_what_a_plugin_prints_does_not_reach_standard_output(
    write_data_plugin: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data_plugin("bioimageit_chatty", "CHATTY", top="print('hello')")

    metadataServices.get("CHATTY")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "hello\n"


@pytest.mark.parametrize("target", ["wildstore.service:Builder", "wildstore.service", "wildstore.service:plugin_info"])
def test_an_entry_point_may_name_builder_module_or_plugin_info(
    write_data_plugin: Write, wild: Path, declare: Write, target: str
) -> None:
    source = write_data_plugin("bioimageit_tmp", "ENTRY")
    (wild / "wildstore").mkdir()
    (wild / "wildstore" / "__init__.py").touch()
    source.rename(wild / "wildstore" / "service.py")
    declare("wild-store", "1.2", f"[bioimageit_core.data]\nENTRY = {target}\n")

    try:
        service = metadataServices.get("ENTRY", host="h")
        status = status_of("ENTRY")
    finally:
        sys.modules.pop("wildstore.service", None)
        sys.modules.pop("wildstore", None)

    assert service.config == {"host": "h"}
    assert status.is_ok
    assert status.origin == "wild-store 1.2 (entry point of module wildstore.service)"


def test_an_entry_point_of_a_module_may_differ_from_the_plugins_name(
    write_data_plugin: Write, wild: Path, declare: Write
) -> None:
    write_data_plugin("bioimageit_tmp", "ENTRY").rename(wild / "wildstore.py")
    declare("wild-store", "1.2", "[bioimageit_core.data]\nwild = wildstore\n")

    try:
        assert metadataServices.get("ENTRY") is not None
    finally:
        sys.modules.pop("wildstore", None)


def test_a_plugin_found_by_name_and_by_entry_point_is_listed_once(write_data_plugin: Write, declare: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD")
    declare("bioimageit-wild", "2.0", "[bioimageit_core.data]\nWILD = bioimageit_wild:Builder\n")

    assert status_of("WILD").origin.startswith("bioimageit-wild 2.0")


def test_a_module_of_a_distribution_says_so(write_data_plugin: Write, declare: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD")
    declare("bioimageit-wild", "2.0", "")

    assert status_of("WILD").origin == "bioimageit-wild 2.0 (module bioimageit_wild)"


def test_a_broken_plugin_found_twice_is_listed_once(write_module: Write, declare: Write) -> None:
    write_module("bioimageit_wild", "raise ValueError('x')")
    declare("bioimageit-wild", "2.0", "[bioimageit_core.data]\nWILD = bioimageit_wild:Builder\n")

    found = [status for status in list_plugins() if status.module == "bioimageit_wild"]

    assert [(status.name, status.kind, status.state) for status in found] == [("WILD", "data", "broken")]


def test_an_entry_point_that_leads_nowhere_is_listed_with_the_reason(declare: Write) -> None:
    declare("ghost", "0.1", "[bioimageit_core.runners]\nGHOST = ghost_that_is_not_there:Builder\n")

    status = status_of("GHOST", "runner")

    assert not status.is_ok
    assert "No module named 'ghost_that_is_not_there'" in status.reason


def test_an_entry_point_without_its_builder_is_listed_with_the_reason(write_module: Write, declare: Write) -> None:
    write_module("bioimageit_half", "")
    declare("half", "0.1", "[bioimageit_core.data]\nHALF = bioimageit_half:Builder\n")

    assert status_of("HALF").reason == "module bioimageit_half has no Builder"


def test_a_distribution_with_unreadable_metadata_stops_no_other(
    write_data_plugin: Write, declare: Write, wild: Path
) -> None:
    directory = declare("garbled", "0.1", "")
    (directory / "entry_points.txt").write_bytes(b"[bioimageit_core.data]\n\xff\xfe = x\n")
    write_data_plugin("bioimageit_wild", "WILD")

    assert status_of("WILD").is_ok
    broken = [status for status in list_plugins() if "garbled" in status.name]
    assert [status.state for status in broken] == ["broken"]


def test_an_unknown_name_lists_those_installed_and_those_broken(
    write_module: Write, write_data_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry_module._KNOWN["data"], "NOWHERE", "bioimageit-nowhere")
    write_data_plugin("bioimageit_wild", "WILD")
    write_module("bioimageit_bad", "raise ValueError('no licence')")

    with pytest.raises(PluginNotFoundError) as caught:
        metadataServices.get("NOWHERE")

    message = str(caught.value)
    assert {"FSSPEC", "LOCAL", "WILD"} <= set(caught.value.installed)
    assert "bioimageit_bad (importing it fails: ValueError: no licence" in message
    assert "pip install bioimageit-nowhere" in message


def test_names_of_one_kind_are_not_those_of_another(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD")

    with pytest.raises(PluginNotFoundError):
        runnerServices.get("WILD")


def test_a_builtin_goes_before_a_plugin_of_its_name(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_usurper", "LOCAL")

    assert type(metadataServices.get("LOCAL")).__name__ == "LocalMetadataService"
    shadowed = [status for status in list_plugins("data") if status.module == "bioimageit_usurper"]
    assert shadowed[0].state == "broken"
    assert "has the name 'LOCAL' already" in shadowed[0].reason


def test_of_two_plugins_of_one_name_the_first_module_wins_and_the_other_is_told(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_b", "TWICE")
    write_data_plugin("bioimageit_a", "TWICE")

    service = metadataServices.get("TWICE")

    assert type(service).__module__ == "bioimageit_a"
    states = {status.module: status.state for status in list_plugins() if status.name == "TWICE"}
    assert states == {"bioimageit_a": "ok", "bioimageit_b": "broken"}


def test_what_a_process_registers_goes_before_all() -> None:
    registry = ServiceRegistry("runner", {"LOCAL": "bioimageit_core.plugins.runner_local:LocalRunnerServiceBuilder"})

    class Runner:
        def set_up(self, tool: Any, job_id: int) -> None: ...
        def exec(self, tool: Any, args: Any, job_id: int) -> None: ...
        def tear_down(self, tool: Any, job_id: int) -> None: ...

    class Builder:
        def __call__(self, **_: Any) -> Runner:
            return Runner()

    registry.register_builder("LOCAL", Builder)
    assert isinstance(registry.get("LOCAL"), Runner)
    registry.register_builder("MINE", Builder())
    assert isinstance(registry.get("MINE"), Runner)
    registry.unregister_builder("LOCAL")
    assert not isinstance(registry.get("LOCAL"), Runner)


def test_one_configuration_gives_one_service_and_another_gives_another(write_data_plugin: Write) -> None:
    write_data_plugin("bioimageit_wild", "WILD")

    first = metadataServices.get("WILD", host="a")

    assert metadataServices.get("WILD", host="a") is first
    assert metadataServices.get("WILD", host="b").config == {"host": "b"}
    assert first.config == {"host": "a"}


@pytest.mark.parametrize("error", ["ConnectionRefusedError('no server')", "SystemExit(2)", "KeyError('host')"])
def test_a_builder_that_raises_is_named_and_its_error_chained(write_module: Write, error: str) -> None:
    write_module(
        "bioimageit_down",
        f"""
        plugin_info = {{'name': 'DOWN', 'type': 'data', 'builder': 'Builder'}}
        class Builder:
            def __call__(self, **config):
                raise {error}
        """,
    )

    with pytest.raises(PluginError, match="data plugin 'DOWN', configured with host, does not start") as caught:
        metadataServices.get("DOWN", host="x")

    assert type(caught.value.__cause__).__name__ in error


def test_a_secret_in_the_error_of_a_builder_is_masked(write_module: Write) -> None:
    write_module(
        "bioimageit_down",
        """
        plugin_info = {'name': 'DOWN', 'type': 'data', 'builder': 'Builder'}
        class Builder:
            def __call__(self, **config):
                raise ValueError(f"refused: {config}")
        """,
    )

    with pytest.raises(PluginError) as caught:
        metadataServices.get("DOWN", password="xyzzy")

    assert "xyzzy" not in str(caught.value)


def test_all_three_registries_have_their_builtins() -> None:
    found = {(status.kind, status.name): status for status in list_plugins() if status.builtin}

    assert {("data", "LOCAL"), ("data", "FSSPEC"), ("runner", "LOCAL"), ("tools", "LOCAL")} <= set(found)
    assert [status for status in found.values() if not status.is_ok] == []
    assert (metadataServices.kind, runnerServices.kind, toolsServices.kind) == ("data", "runner", "tools")


@pytest.mark.parametrize("registry", [metadataServices, runnerServices, toolsServices], ids=lambda r: r.kind)
def test_every_builtin_starts_and_keeps_its_contract(registry: ServiceRegistry) -> None:
    for candidate in registry.builtins:
        assert registry.get(candidate.name) is not None


def test_of_many_broken_plugins_an_unknown_name_tells_those_alike_in_a_line(write_module: Write) -> None:
    for number in range(5):
        write_module(f"bioimageit_{number}", f"raise ValueError({'x' * 500!r})")
    write_module("bioimageit_omega", "raise ValueError('no licence')")

    with pytest.raises(PluginNotFoundError) as caught:
        metadataServices.get("OMEGA")

    message = str(caught.value)
    assert len(caught.value.broken) == 6
    assert "broken: bioimageit_omega (importing it fails: ValueError: no licence" in message
    assert "and 3 more, which 'bioimageit plugins list' shows" in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PODMAN", "write it under 'runner', because 'PODMAN' is a runner plugin"),
        ("bioimageit_wild", "write 'WILD'"),
        ("wild", "write 'WILD'"),
    ],
)
def test_an_unknown_name_says_what_may_have_been_meant(write_data_plugin: Write, name: str, hint: str) -> None:
    write_data_plugin("bioimageit_wild", "WILD")

    with pytest.raises(PluginNotFoundError, match=hint):
        metadataServices.get(name)
