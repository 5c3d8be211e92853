"""How a request connects: lazily, with defaults, and with clear errors for what is not there."""

from __future__ import annotations

import gc
import json
import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api import APIAccess, Request
from bioimageit_core.core.config import ConfigAccess
from bioimageit_core.core.exceptions import ConfigError, DataServiceError, PluginError, PluginNotFoundError
from bioimageit_core.plugins.data_factory import metadataServices
from bioimageit_core.plugins.runners_factory import runnerServices

Configure = Callable[..., str]


def test_without_a_file_defaults_serve_and_the_workspace_is_made_when_it_is_used(tmp_path: Path) -> None:
    request = Request()
    request.connect()
    assert request.get_workspace_experiments() == []
    assert not (tmp_path / "home").exists()

    experiment = request.create_experiment("e")

    assert Path(experiment.md_uri).is_relative_to(tmp_path / "home")
    assert [entry["info"].name for entry in request.get_workspace_experiments()] == ["e"]
    request.close()


def test_a_configured_workspace_that_is_missing_is_named_when_it_is_used(tmp_path: Path, configure: Configure) -> None:
    request = Request(configure(workspace=str(tmp_path / "gone")), log=False)
    request.connect()

    with pytest.raises(DataServiceError, match="gone"):
        request.create_experiment("e")
    with pytest.raises(DataServiceError, match="gone"):
        request.get_workspace_experiments()


def test_connect_makes_no_service_and_touches_nothing(configure: Configure, tmp_path: Path) -> None:
    made: list[str] = []
    metadataServices.register_builder("LOUD", lambda **_: made.append("made"))
    try:
        config = configure(
            metadata={"service": "LOUD", "password": "${ENV:NOT_SET_ANYWHERE}"},
            process={"service": "LOCAL", "xml_dirs": ["/no/such/dir"], "categories": "/no/such/file"},
            formats={"file": "/no/such/formats.json"},
            fiji="/no/such/fiji",
        )
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        Request(config).connect()
    finally:
        metadataServices.unregister_builder("LOUD")

    assert made == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_is_not_there_is_an_error_when_it_is_used(configure: Configure) -> None:
    request = Request(
        configure(metadata={"password": "${ENV:NOT_SET_ANYWHERE}"}, formats={"file": "/no/such/formats.json"})
    )
    request.connect()

    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE"):
        request.create_experiment("e")
    with pytest.raises(ConfigError, match=r"/no/such/formats\.json"):
        _ = request.formats


@pytest.mark.parametrize(("section", "kind"), [("metadata", "data"), ("process", "tools"), ("runner", "runner")])
def test_an_unknown_service_is_said_at_connect_with_those_that_are_installed(
    configure: Configure, section: str, kind: str
) -> None:
    request = Request(configure(**{section: {"service": "NOWHERE"}}))

    with pytest.raises(PluginNotFoundError, match=f"no {kind} plugin 'NOWHERE'.*LOCAL"):
        request.connect()


def test_a_broken_plugin_is_said_when_it_is_used(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site").mkdir()
    info = "plugin_info = {'name': 'BAD', 'type': 'data', 'builder': 'Builder'}"
    (tmp_path / "site" / "bioimageit_bad.py").write_text(f"{info}\nimport sys\nsys.exit(3)\n")
    request = Request(configure(metadata={"service": "BAD"}))
    request.connect()

    with pytest.raises(PluginError, match=r"data plugin 'BAD' \(module bioimageit_bad\) is broken: .*sys\.exit\(3\)"):
        request.get_experiment("x")


def test_what_stands_beside_service_goes_to_the_builder(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Runner:
        def set_up(self, tool: Any) -> None: ...
        def exec(self, tool: Any, args: Any) -> None: ...
        def tear_down(self, tool: Any) -> None: ...

    def build(**config: Any) -> Runner:
        given.update(config)
        return Runner()

    monkeypatch.setenv("SECRET_OF_THE_LAB", "xyzzy")
    runnerServices.register_builder("CLUSTER", build)
    try:
        request = Request(
            configure(runner={"service": "CLUSTER", "conda_dir": "/c", "token": "${ENV:SECRET_OF_THE_LAB}"})
        )
        request.runner_service.set_up(None, 4)  # type: ignore[arg-type]
    finally:
        runnerServices.unregister_builder("CLUSTER")

    assert given == {"conda_dir": "/c", "token": "xyzzy"}


def test_secrets_reach_neither_log_nor_error(configure: Configure, tmp_path: Path) -> None:
    def build(**config: Any) -> Any:
        raise ConnectionError(f"login with {config['password']} refused")

    metadataServices.register_builder("REFUSES", build)
    try:
        request = Request(configure(metadata={"service": "REFUSES", "password": "xyzzy"}))
        with pytest.raises(PluginError) as caught:
            request.get_experiment("x")
        logging.getLogger("bioimageit_core").exception("it failed", exc_info=caught.value)
        request.close()
    finally:
        metadataServices.unregister_builder("REFUSES")

    written = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "refused" in written
    assert "xyzzy" not in written + str(caught.value) + repr(request.config)


def test_progress_and_messages_are_logged(configure: Configure, tmp_path: Path) -> None:
    request = Request(configure())
    request.notify("three cells")
    request.notify_error("a fourth")
    request.close()
    request.notify("after the end")

    written = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "three cells" in written
    assert "ERROR" in written
    assert "after the end" not in written


def test_without_log_there_is_no_file(configure: Configure, tmp_path: Path) -> None:
    request = Request(configure(), log=False)
    request.notify("hello")
    request.close()

    assert not (tmp_path / "logs").exists()


def test_a_request_that_is_forgotten_logs_no_more(configure: Configure) -> None:
    gc.collect()  # those of other tests
    handlers = logging.getLogger("bioimageit_core").handlers
    before = len(handlers)
    request = Request(configure())
    assert len(handlers) == before + 1

    del request
    gc.collect()

    assert len(handlers) == before


def test_a_request_is_a_context(configure: Configure) -> None:
    with Request(configure()) as request:
        assert request.create_experiment("e").name == "e"


def test_plugins_find_the_requests_configuration(configure: Configure) -> None:
    request = Request(configure(fiji="/opt/fiji"))

    assert ConfigAccess.instance() is request.config
    assert ConfigAccess.instance().get("fiji") == "/opt/fiji"


def test_the_shared_request_is_made_once_and_anew_for_a_file(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(APIAccess, "_current", None)
    first = APIAccess.instance()

    second = APIAccess.instance(configure(user={"name": "grace"}))

    assert first is not second
    assert APIAccess.instance() is second
    assert second.config.user_name == "grace"


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The package `bioimageit_formats`, as published plugins know it: it remembers which files it was given."""
    given: list[str] = []

    class FormatsAccess:
        def __init__(self, path: str) -> None:
            if "broken" in path:
                raise ValueError("no formats")
            given.append(path)

    module = types.ModuleType("bioimageit_formats")
    module.FormatsAccess = FormatsAccess  # type: ignore[attr-defined]
    module.__spec__ = types.SimpleNamespace(name="bioimageit_formats")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "bioimageit_formats", module)
    return given


def test_connect_gives_the_format_table_to_the_package_that_plugins_read(
    configure: Configure, companion: list[str], tmp_path: Path
) -> None:
    mine = tmp_path / "formats.json"
    mine.write_text(json.dumps({"formats": []}))

    Request(configure()).connect()
    Request(configure(formats={"file": str(mine)})).connect()
    Request(configure(formats={"file": "/no/such/file"})).connect()

    assert companion[0].endswith("formats.json")
    assert companion[1:] == [str(mine)]


def test_a_companion_that_breaks_is_a_warning(
    configure: Configure, companion: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.json").write_text("{}")

    Request(configure(formats={"file": str(tmp_path / "broken.json")})).connect()

    assert "bioimageit_formats does not take" in caplog.text


def test_a_configured_format_table_reaches_the_service(configure: Configure, tmp_path: Path) -> None:
    table = tmp_path / "formats.json"
    table.write_text('{"formats": [{"name": "spectra", "extension": "spc", "reader": "r", "viewer": "v"}]}')
    (tmp_path / "a.spc").write_text("1")
    request = Request(configure(metadata={"service": "LOCAL", "import_mode": "copy"}, formats={"file": str(table)}))

    data = request.import_data(request.create_experiment("e"), str(tmp_path / "a.spc"))

    assert data.format == "spectra"
