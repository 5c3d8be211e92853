"""The configuration: a JSON file, or defaults where there is none.

Relative paths in it are relative to the current directory, as they have always been, and ``~`` is the user's home.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.core.secrets import find_secrets, mask, redact, resolve

__all__ = ["CONFIG_VARIABLE", "Config", "ConfigAccess", "read_json", "user_config_path"]

CONFIG_VARIABLE = "BIOIMAGEIT_CONFIG"

_APP = "bioimageit"
_SECTIONS = ("metadata", "process", "runner")
_TYPES: dict[str, tuple[type, str]] = {
    "user": (dict, 'an object such as {"name": "ada"}'),
    "user.name": (str, "a string"),
    "workspace": (str, "a path, as a string"),
    "log_dir": (str, "a path, as a string"),
    "metadata": (dict, 'an object such as {"service": "LOCAL"}'),
    "metadata.service": (str, "the name of a data plugin, as a string"),
    "process": (dict, 'an object such as {"service": "LOCAL"}'),
    "process.service": (str, "the name of a tools plugin, as a string"),
    "process.categories": (str, "a path, as a string"),
    "runner": (dict, 'an object such as {"service": "LOCAL"}'),
    "runner.service": (str, "the name of a runner plugin, as a string"),
    "formats": (dict, 'an object such as {"file": "./formats.json"}'),
    "formats.file": (str, "a path, as a string"),
    "fiji": (str, "a path, as a string"),
}
_PATHS = ("workspace", "log_dir", "fiji", "formats.file", "process.categories", "process.xml_dirs")


class Config:
    """What the user has configured, completed by defaults.

    Parameters
    ----------
    config_file
        A JSON file. Without one the file that the environment variable ``BIOIMAGEIT_CONFIG`` names is taken, else the
        user's (`user_config_path`) if there is one, else defaults alone.

    Attributes
    ----------
    config_file
        The file that was read; empty where defaults serve.
    config
        What it says, with defaults; secrets are still references in it.

    Raises
    ------
    ConfigError
        The file cannot be read, is not JSON, or a value in it is of the wrong type.
    """

    def __init__(self, config_file: str | os.PathLike[str] = "") -> None:
        self.config_file = os.fspath(config_file) or _find_config_file()
        self.config: dict[str, Any] = {}
        self._secrets: set[str] = set()
        self._has_own_workspace = False
        self.load(self.config_file)

    def load(self, config_file: str | os.PathLike[str]) -> None:
        """Read `config_file` in place of what is there; defaults alone where it is empty."""
        self.config_file = os.fspath(config_file)
        document = read_json(self.config_file, "configuration") if self.config_file else {}
        if not isinstance(document, dict):
            raise ConfigError(f"configuration {self.config_file}: expected an object, got {_shown(document)}")
        _check(document, self.config_file)
        self.config = _complete(document)
        self._secrets = find_secrets(self.config)
        self._has_own_workspace = "workspace" in document

    def is_key(self, key: str) -> bool:
        """Say whether the configuration has `key`."""
        return key in self.config

    def get(self, key: str, *default: Any) -> Any:
        """Return what stands under `key`, or the default if one is given.

        Raises
        ------
        ConfigError
            Nothing stands under `key`, and there is no default.
        """
        if key in self.config:
            return self.config[key]
        if default:
            return default[0]
        where = self.config_file or "the defaults (no file was given)"
        raise ConfigError(f"configuration {where}: no key {key!r}; there are {', '.join(sorted(self.config))}")

    @property
    def user_name(self) -> str:
        """Who works: ``user.name``, else the name at the operating system."""
        name = self.config["user"].get("name", "")
        return str(resolve(name, "user.name")) if name else _os_user()

    @property
    def workspace(self) -> str:
        """Where experiments are made."""
        return str(resolve(self.config["workspace"], "workspace"))

    @property
    def has_own_workspace(self) -> bool:
        """Whether the user configured a workspace; else it is the default one, made when it is first used."""
        return self._has_own_workspace

    @property
    def log_dir(self) -> str:
        """Where logs are written."""
        return str(resolve(self.config["log_dir"], "log_dir"))

    @property
    def formats_file(self) -> str:
        """The table of formats; empty for the one that comes with the package."""
        return str(resolve(self.config["formats"].get("file", ""), "formats.file"))

    def service_name(self, section: str) -> str:
        """Say which service the section ``metadata``, ``process`` or ``runner`` chooses."""
        return str(self.config[section]["service"])

    def service_options(self, section: str) -> dict[str, Any]:
        """Return what stands beside ``service``, with references to secrets resolved.

        Raises
        ------
        ConfigError
            A reference leads nowhere.
        """
        written = {key: value for key, value in self.config[section].items() if key != "service"}
        options: dict[str, Any] = resolve(written, section, self._secrets)
        self._secrets |= find_secrets(options)
        return options

    def mask(self, text: str) -> str:
        """Replace every secret of this configuration in `text`."""
        return mask(text, self._secrets)

    def __repr__(self) -> str:
        return f"Config({self.config_file!r}: {redact(self.config)!r})"


class ConfigAccess:
    """The configuration of this process, which published plugins read here."""

    _current: ClassVar[Config | None] = None

    def __init__(self, config_file: str = "") -> None:
        self.use(Config(config_file))

    @classmethod
    def instance(cls, config_file: str = "") -> Config:
        """Return the process's configuration: made at the first call, and anew whenever a file is given."""
        if config_file or cls._current is None:
            cls._current = Config(config_file)
        return cls._current

    @classmethod
    def use(cls, config: Config) -> None:
        """Make `config` the process's configuration."""
        cls._current = config


def user_config_path() -> str:
    """Say where the user's own configuration is looked for."""
    import platformdirs

    return os.path.join(platformdirs.user_config_dir(_APP, appauthor=False), "config.json")


def read_json(path: str, what: str) -> Any:
    """Read a JSON file that the user wrote.

    Raises
    ------
    ConfigError
        It cannot be read, or is not JSON; the message says `what` it is, and where it breaks.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} {path}: not a text in UTF-8 (byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{what} {path!r} cannot be read: {reason}") from error
    if not text.strip():
        raise ConfigError(f"{what} {path}: the file is empty; expected JSON")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        is_cut_off = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        reason = "the JSON is cut off" if is_cut_off else f"not JSON ({error.msg})"
        raise ConfigError(f"{what} {path}: {reason} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ConfigError(f"{what} {path}: the JSON is nested too deeply") from error


def _find_config_file() -> str:
    named = os.environ.get(CONFIG_VARIABLE, "")
    if named:
        return named
    users = user_config_path()
    return users if os.path.isfile(users) else ""


def _check(document: Mapping[str, Any], path: str) -> None:
    for field, (type_, expected) in _TYPES.items():
        section, _, key = field.partition(".")
        holder = document.get(section) if key else document
        if isinstance(holder, Mapping) and (key or section) in holder:
            value = holder[key or section]
            if not isinstance(value, type_):
                _refuse(path, field, expected, value)
    for section in _SECTIONS:
        if document.get(section, {}).get("service", "LOCAL").strip() == "":
            _refuse(path, f"{section}.service", "the name of a plugin", "")
    xml_dirs = document.get("process", {}).get("xml_dirs", [])
    if not isinstance(xml_dirs, list) or not all(isinstance(item, str) for item in xml_dirs):
        _refuse(path, "process.xml_dirs", "a list of paths", xml_dirs)
    _check_env(document.get("env", []), path)


def _check_env(env: Any, path: str) -> None:
    expected = 'a list of objects such as {"name": "VAR", "value": "x"}'
    if not isinstance(env, list):
        _refuse(path, "env", expected, env)
    for index, item in enumerate(env):
        if not (isinstance(item, Mapping) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str)):
            _refuse(path, f"env[{index}]", 'an object such as {"name": "VAR", "value": "x"}', item)


def _refuse(path: str, field: str, expected: str, value: Any) -> None:
    raise ConfigError(f"configuration {path}: field {field!r}: expected {expected}, got {_shown(redact(value))}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    import platformdirs

    config = dict(document)
    data_dir = platformdirs.user_data_dir(_APP, appauthor=False)
    config["user"] = dict(config.get("user", {}))
    config.setdefault("workspace", os.path.join(data_dir, "workspace"))
    config.setdefault("log_dir", platformdirs.user_log_dir(_APP, appauthor=False))
    config["formats"] = dict(config.get("formats", {}))
    for section in _SECTIONS:
        config[section] = {"service": "LOCAL", **config.get(section, {})}
    for field in _PATHS:
        section, _, key = field.partition(".")
        holder = config[section] if key else config
        if (key or section) in holder:
            holder[key or section] = _expand_home(holder[key or section])
    return config


def _expand_home(value: Any) -> Any:
    if isinstance(value, list):
        return [os.path.expanduser(item) for item in value]
    return os.path.expanduser(value)


def _os_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, as in some containers
        return "unknown"
