"""The configuration: a file, or defaults; what is wrong with it is said with file, field and value."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import bioimageit_core
from bioimageit_core.core import config as config_module
from bioimageit_core.core.config import Config, ConfigAccess
from bioimageit_core.core.exceptions import ConfigError

PUBLISHED = {
    "user": {"name": "ada"},
    "workspace": "./workspace/",
    "log_dir": "./workspace/logs/",
    "metadata": {"service": "LOCAL"},
    "process": {"service": "LOCAL", "xml_dirs": ["./tools/"], "categories": "./toolboxes.json"},
    "runner": {"service": "CONDA", "conda_dir": "/opt/conda"},
    "formats": {"file": "./formats.json"},
    "fiji": "/opt/Fiji.app/ImageJ",
    "env": [{"name": "VAR", "value": "x"}],
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the user's, and a home of one's own."""
    monkeypatch.delenv("BIOIMAGEIT_CONFIG", raising=False)
    monkeypatch.setattr(ConfigAccess, "_current", None)
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


def write(tmp_path: Path, document: Any) -> str:
    path = tmp_path / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_defaults_serve_without_a_file_and_create_nothing(tmp_path: Path) -> None:
    config = Config()

    assert [config.service_name(section) for section in ("metadata", "process", "runner")] == ["LOCAL"] * 3
    assert config.workspace.startswith(str(tmp_path / "home"))
    assert config.user_name
    assert not config.has_own_workspace
    assert not (tmp_path / "home").exists()


def test_a_published_file_keeps_its_meaning_to_the_letter(tmp_path: Path) -> None:
    config = Config(write(tmp_path, PUBLISHED))

    assert config.config == PUBLISHED
    assert config.get("workspace") == "./workspace/"
    assert config.service_name("runner") == "CONDA"
    assert config.service_options("runner") == {"conda_dir": "/opt/conda"}
    assert config.is_key("fiji")
    assert not config.is_key("omero")
    assert (config.user_name, config.formats_file) == ("ada", "./formats.json")


def test_a_file_of_little_is_completed(tmp_path: Path) -> None:
    config = Config(write(tmp_path, {"metadata": {"import_mode": "link"}, "x-lab": 3}))

    assert config.config["metadata"] == {"service": "LOCAL", "import_mode": "link"}
    assert config.get("x-lab") == 3


def test_an_unknown_key_says_which_there_are(tmp_path: Path) -> None:
    config = Config(write(tmp_path, {}))

    with pytest.raises(ConfigError, match="no key 'fiji'; there are formats, log_dir"):
        config.get("fiji")
    assert config.get("fiji", None) is None


def test_the_environment_variable_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOIMAGEIT_CONFIG", write(tmp_path, PUBLISHED))

    assert Config().user_name == "ada"


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "none.json")
    monkeypatch.setenv("BIOIMAGEIT_CONFIG", missing)

    for make in (lambda: Config(missing), Config):
        with pytest.raises(ConfigError, match=r"none\.json.*No such file"):
            make()


def test_the_users_file_is_found(tmp_path: Path) -> None:
    path = Path(config_module.user_config_path())
    path.parent.mkdir(parents=True)
    path.write_text('{"user": {"name": "grace"}}')

    assert Config().user_name == "grace"
    assert Config(write(tmp_path, {"user": {"name": "ada"}})).user_name == "ada"


def test_home_is_expanded_in_paths_alone(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    document = {"workspace": "~/w", "process": {"xml_dirs": ["~/t", "./u"]}, "user": {"name": "~ada"}}

    config = Config(write(tmp_path, document))

    assert config.workspace == os.path.join(home, "w")
    assert config.config["process"]["xml_dirs"] == [os.path.join(home, "t"), "./u"]
    assert config.user_name == "~ada"


def test_a_file_with_the_mark_of_windows_editors_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"user": {"name": "ada"}}')

    assert Config(path).user_name == "ada"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"user": {"name": "ada"', "the JSON is cut off at line 1, column 24"),
        ('{"user": "ad', "the JSON is cut off"),
        ("", "the file is empty"),
        ("user: ada", "not JSON"),
        ('{\n"user": {},\n}', "not JSON .* line 3"),
        ("[1, 2]", r"expected an object, got \[1, 2\]"),
        ("[" * 100_000, "nested too deeply"),
        ('{"user": "ada"}', "field 'user': expected an object .* got \"ada\""),
        ('{"user": {"name": 3}}', "field 'user.name': expected a string, got 3"),
        ('{"workspace": ["a"]}', "field 'workspace': expected a path, as a string, got"),
        ('{"metadata": "LOCAL"}', "field 'metadata': expected an object such as"),
        ('{"runner": {"service": null}}', "field 'runner.service': expected the name of a runner plugin"),
        ('{"runner": {"service": " "}}', "field 'runner.service': expected the name of a plugin"),
        ('{"process": {"xml_dirs": "./tools"}}', "field 'process.xml_dirs': expected a list of paths, got \"./tools\""),
        ('{"process": {"categories": {}}}', "field 'process.categories'"),
        ('{"formats": {"file": false}}', "field 'formats.file': expected a path, as a string, got false"),
        ('{"env": {"A": "x"}}', "field 'env': expected a list"),
        ('{"env": [{"name": "A", "value": 1}]}', r"field 'env\[0\]'"),
    ],
)
def test_what_is_wrong_is_said_with_file_field_and_value(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(ConfigError, match=said) as caught:
        Config(path)

    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["a\0b", "."])
def test_what_cannot_be_opened_is_a_config_error(path: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Config(path)


def test_a_file_that_is_no_text_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\x89PNG\xff")

    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        Config(path)


def test_secrets_are_resolved_when_the_service_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"metadata": {"service": "OMERO", "password": "${ENV:OMERO_PASSWORD}", "paths": ["${ENV:BASE}/x"]}}
    config = Config(write(tmp_path, document))

    with pytest.raises(
        ConfigError, match=r"field 'metadata.password': the environment variable 'OMERO_PASSWORD' is not"
    ):
        config.service_options("metadata")
    monkeypatch.setenv("OMERO_PASSWORD", "xyzzy")
    monkeypatch.setenv("BASE", "/base")

    assert config.service_options("metadata") == {"password": "xyzzy", "paths": ["/base/x"]}
    assert config.config["metadata"]["password"] == "${ENV:OMERO_PASSWORD}"
    assert config.mask("login with xyzzy at /base/x") == "login with *** at /base/x"


def test_secrets_come_from_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "keyring.get_password", lambda service, user: {"omero/ada": "swordfish"}.get(f"{service}/{user}")
    )
    config = Config(write(tmp_path, {"metadata": {"service": "OMERO", "pw": "${KEYRING:omero/ada}"}}))

    assert config.service_options("metadata") == {"pw": "swordfish"}
    assert config.mask("swordfish") == "***"
    for reference, said in (("omero/bob", "no password of 'bob' for 'omero'"), ("omero", "is written")):
        other = Config(write(tmp_path, {"metadata": {"pw": f"${{KEYRING:{reference}}}"}}))
        with pytest.raises(ConfigError, match=said):
            other.service_options("metadata")


def test_a_keyring_that_breaks_is_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str) -> str:
        raise RuntimeError("no backend")

    monkeypatch.setattr("keyring.get_password", fail)
    config = Config(write(tmp_path, {"metadata": {"pw": "${KEYRING:omero/ada}"}}))

    with pytest.raises(ConfigError, match="the keyring cannot be read: no backend"):
        config.service_options("metadata")


def test_no_representation_shows_a_secret(tmp_path: Path) -> None:
    document = {
        "metadata": {"service": "X", "password": "p-one", "host": "a.org", "url": "postgresql://ada:p-two@db/x"},
        "runner": {"api_key": "p-three", "nested": [{"accessToken": "p-four"}], "secret": {"deep": "p-five"}},
        "env": [{"name": "MY_TOKEN", "value": "p-six"}, {"name": "COLOUR", "value": "red"}],
    }
    config = Config(write(tmp_path, document))

    shown = repr(config)

    assert "p-" not in shown
    assert "a.org" in shown
    assert "red" in shown
    assert "p-" not in config.mask("p-one p-two p-three p-four p-five p-six")


@pytest.mark.parametrize("write_secret", [str, repr, json.dumps, quote, lambda text: quote(text, safe="")])
def test_a_secret_is_masked_however_it_is_written(tmp_path: Path, write_secret: Callable[[str], str]) -> None:
    secret = "a/b's\\ \u00e9%"
    config = Config(write(tmp_path, {"metadata": {"password": secret}}))

    masked = config.mask(f"refused: {write_secret(secret)} at a.org")

    assert masked.replace("'", "").replace('"', "") == "refused: *** at a.org"


def test_the_processes_configuration_is_made_once_and_anew_for_a_file(tmp_path: Path) -> None:
    first = ConfigAccess.instance()
    assert ConfigAccess.instance() is first

    second = ConfigAccess.instance(write(tmp_path, PUBLISHED))

    assert second.get("fiji") == "/opt/Fiji.app/ImageJ"
    assert ConfigAccess.instance() is second
    ConfigAccess("")
    assert not ConfigAccess.instance().is_key("fiji")


def test_the_published_names_are_those_of_the_package() -> None:
    assert bioimageit_core.ConfigAccess is ConfigAccess
    assert bioimageit_core.Config is Config


def test_a_user_whom_the_system_does_not_know_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", fail)

    assert Config().user_name == "unknown"
