"""What the plugin engine sees, how to get in, and what happens when a session is lost."""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.core.exceptions import ConfigError, DataServiceError, NotFoundError

import bioimageit_omero
from bioimageit_omero.ice import import_client
from bioimageit_omero.settings import Settings
from bioimageit_omero.uris import Ref, Uris


def test_the_plugin_says_what_it_is() -> None:
    assert bioimageit_omero.plugin_info == {"name": "OMERO", "type": "data", "builder": "OmeroMetadataServiceBuilder"}


def test_importing_it_imports_neither_the_client_nor_numpy() -> None:
    code = (
        "import sys, bioimageit_omero; service = bioimageit_omero.OmeroMetadataServiceBuilder()(host='example.org'); "
        "print([m for m in ('omero', 'Ice', 'IcePy', 'numpy', 'tifffile', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_builder_gives_the_same_service_each_time() -> None:
    builder = bioimageit_omero.OmeroMetadataServiceBuilder()

    assert builder(host="example.org") is builder(host="example.org")


def test_without_the_client_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    import_client.cache_clear()
    request.addfinalizer(import_client.cache_clear)
    for name in ("omero", "omero.clients", "omero.gateway"):
        monkeypatch.setitem(sys.modules, name, None)
    service = bioimageit_omero.OmeroMetadataServiceBuilder()(host="example.org", username="ada", password="x")

    with pytest.raises(DataServiceError, match=r"prebuilt wheel.*conda install.*prepare_ice\.py"):
        service.get_experiment("Project:1")


def test_what_the_configuration_does_not_say_comes_from_the_environment() -> None:
    env = {"OMERO_HOST": "h", "OMERO_PORT": "14064", "OMERO_USER": "ada", "OMERO_PASSWORD": "secret-word"}

    settings = Settings.from_config({"service": "OMERO", "host": "other"}, env)

    assert (settings.host, settings.port, settings.credentials()) == ("other", 14064, ("ada", "secret-word"))
    assert "secret-word" not in repr(settings)


def test_a_session_key_goes_before_a_password() -> None:
    settings = Settings.from_config({"host": "h", "username": "ada"}, {"OMERO_SESSION_KEY": "k", "OMERO_PASS": "p"})

    assert settings.credentials() == ("k", "k")


def test_a_password_can_be_in_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    asked = []

    def get_password(service: str, user: str) -> str:
        asked.append((service, user))
        return "from the keyring"

    monkeypatch.setattr(keyring, "get_password", get_password)

    assert Settings.from_config({"host": "h", "username": "ada"}, {}).credentials() == ("ada", "from the keyring")
    assert asked == [("bioimageit-omero", "ada@h")]


@pytest.mark.parametrize("config", [{"port": "many"}, {"port": 0}, {"port": 70000}, {"tables": "paper"}])
def test_a_wrong_configuration_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Settings.from_config(config, {})


@pytest.mark.parametrize(
    "uri", ["", "x", "Image", "Image:", "Image:-1", "Image:1/2", "omero://other:4064/Image/1", "Dataset:1", "9" * 30]
)
def test_a_uri_of_something_else_is_not_found(uri: str) -> None:
    with pytest.raises(NotFoundError):
        Uris("here", 4064).read(uri, "raw data", "Image")


def test_uris_have_a_long_and_a_short_form() -> None:
    uris = Uris("wss://here.example.org/omero-ws", 4064)

    for text in ("omero://here.example.org:4064/Image/7", "Image:7", "Image/7", "image:7", "7"):
        assert uris.read(text, "raw data", "Image") == Ref("Image", 7)


# against servers


def test_a_wrong_password_is_an_error_that_does_not_tell_it(new_service: Any, caplog: pytest.LogCaptureFixture) -> None:
    service = new_service(password="not-the-password")

    with caplog.at_level(logging.DEBUG), pytest.raises(DataServiceError, match="does not accept") as caught:
        service.get_workspace_experiments("")

    assert "not-the-password" not in str(caught.value) + caplog.text


def test_a_server_that_is_not_there_is_an_error_when_it_is_used(client: None) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = bioimageit_omero.OmeroMetadataServiceBuilder()(host="127.0.0.1", port=port, username="a", password="b")

    with pytest.raises(DataServiceError, match="cannot reach"):
        service.get_workspace_experiments("")


def test_a_session_key_is_enough(service: Any, new_service: Any, experiment: Any) -> None:
    key = service.session.client().getSessionId()
    second = new_service(username="", password="", session_key=key)

    assert second.get_experiment(experiment.md_uri).uuid == experiment.uuid
    second.close()
    assert service.get_experiment(experiment.md_uri).uuid == experiment.uuid


def test_a_session_key_that_nobody_knows_is_refused(new_service: Any) -> None:
    with pytest.raises(DataServiceError, match="no session with the key"):
        new_service(session_key=str(uuid.uuid4())).get_workspace_experiments("")


@pytest.mark.parametrize("how", ["disconnect", "expire"])
def test_a_lost_session_is_joined_again(service: Any, experiment: Any, place: Any, tmp_path: Path, how: str) -> None:
    if place.double is None:
        pytest.skip("a real server cannot be told to lose sessions")
    before = service.session.client().getSessionId()
    (tmp_path / "a.txt").write_bytes(b"a")
    place.double.command(how)
    assert service.get_experiment(experiment.md_uri).uuid == experiment.uuid
    place.double.command(how)
    data = service.import_data(experiment, str(tmp_path / "a.txt"), "a", "ada", "raw", "now", {"k": "v"})
    place.double.command(how)
    data.set_key_value_pair("k", "w")
    service.update_raw_data(data)

    assert service.get_raw_data(data.md_uri).key_value_pairs["k"] == "w"
    assert (service.session.client().getSessionId() == before) is (how == "disconnect")


def test_the_clients_logging_leaves_the_applications_alone(service: Any, experiment: Any) -> None:
    handlers = [type(h).__name__ for h in logging.getLogger().handlers]

    assert "StreamHandler" not in handlers


# tables


def test_a_table_is_kept_as_its_file_and_seen_as_columns(service: Any, experiment: Any, tmp_path: Path) -> None:
    content = b"cell,area,n\na,1.5,1\nb,2,2\n"
    (tmp_path / "t.csv").write_bytes(content)
    data = service.import_data(experiment, str(tmp_path / "t.csv"), "t.csv", "ada", "tablecsv", "now", {})

    assert service.view_data(data.md_uri) == {"cell": ["a", "b"], "area": [1.5, 2.0], "n": [1, 2]}
    assert Path(service.get_data_uri(data)).read_bytes() == content


def test_an_omero_table_is_made_beside_the_file_where_that_is_configured(new_service: Any, tmp_path: Path) -> None:
    pytest.importorskip("tables")
    service = new_service(tables="omero")
    experiment = service.create_experiment(f"test {uuid.uuid4().hex}", "ada", "now", [], "")
    (tmp_path / "t.csv").write_bytes(b"cell,area,n\na\xc3\xa9,1.5,1\nb,2,2\n")
    data = service.import_data(experiment, str(tmp_path / "t.csv"), "t.csv", "ada", "tablecsv", "now", {})

    table = service.omero_table(data.md_uri)

    assert table == {"cell": ["a\u00e9", "b"], "area": [1.5, 2.0], "n": [1, 2]}
    assert len(service.get_dataset(experiment.raw_dataset.url).uris) == 1
