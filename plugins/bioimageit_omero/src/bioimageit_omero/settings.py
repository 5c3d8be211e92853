"""Which server, whose account: from the configuration, the environment or the keyring."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import ConfigError

__all__ = ["DEFAULT_PORT", "Settings"]

DEFAULT_PORT = 4064

_KEYRING_SERVICE = "bioimageit-omero"
_TABLES = ("csv", "omero")


@dataclass(frozen=True)
class Settings:
    """How to reach an OMERO server, and how to keep data there.

    What the configuration does not say is looked for in the environment (``OMERO_HOST``, ``OMERO_PORT``,
    ``OMERO_USER``, ``OMERO_PASSWORD`` or ``OMERO_PASS``, ``OMERO_SESSION_KEY``, ``OMERO_GROUP``), a password then in
    the keyring (``keyring set bioimageit-omero user@host``).

    Attributes
    ----------
    host
        Name of the server, or a URL such as ``wss://omero.example.org/omero-ws``.
    session_key
        Identity of a session that is open already; goes before user and password.
    group
        Group that new experiments are made in; the user's default for ``''``.
    originals
        Whether the imported file is kept beside the pixels that are made of it, so that its bytes come back.
    tables
        ``csv``: tables are kept as the files that they are; ``omero``: beside the file there is an OMERO.table.
    cache_dir
        Where local copies for tools are made; a temporary directory for ``''``.
    """

    host: str = ""
    port: int = DEFAULT_PORT
    username: str = ""
    password: str = field(default="", repr=False)
    session_key: str = field(default="", repr=False)
    group: str = ""
    originals: bool = True
    tables: str = "csv"
    cache_dir: str = ""

    @classmethod
    def from_config(cls, config: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
        """Read the configuration that stands beside ``"service": "OMERO"``.

        Raises
        ------
        ConfigError
            A value has the wrong type.
        """
        env = os.environ if environment is None else environment

        def text(key: str, *variables: str) -> str:
            value = config.get(key)
            if value in (None, ""):
                return next((env[name] for name in variables if env.get(name)), "")
            return str(value)

        tables = text("tables") or "csv"
        if tables not in _TABLES:
            raise ConfigError(f"OMERO: 'tables' must be one of {', '.join(_TABLES)}, not {tables!r}")
        return cls(
            host=text("host", "OMERO_HOST"),
            port=_port(text("port", "OMERO_PORT")),
            username=text("username", "OMERO_USER"),
            password=text("password", "OMERO_PASSWORD", "OMERO_PASS"),
            session_key=text("session_key", "OMERO_SESSION_KEY"),
            group=text("group", "OMERO_GROUP"),
            originals=bool(config.get("originals", True)),
            tables=tables,
            cache_dir=text("cache_dir"),
        )

    def credentials(self) -> tuple[str, str]:
        """Return user and password; a session's identity is both.

        Raises
        ------
        ConfigError
            There are none; the message says where they can stand.
        """
        if self.session_key:
            return self.session_key, self.session_key
        password = self.password or (self._from_keyring() if self.username else "")
        if not self.username or not password:
            lacking = "user" if not self.username else f"password of {self.username!r}"
            raise ConfigError(
                f"OMERO: no {lacking}: set OMERO_USER and OMERO_PASSWORD (or OMERO_SESSION_KEY), or store the password "
                f"with 'keyring set {_KEYRING_SERVICE} {self.username or 'USER'}@{self.host}'"
            )
        return self.username, password

    def _from_keyring(self) -> str:
        try:
            import keyring

            return keyring.get_password(_KEYRING_SERVICE, f"{self.username}@{self.host}") or ""
        except Exception:  # noqa: BLE001 - a backend of the keyring may be anybody's; without it there is no password
            return ""


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigError(f"OMERO: 'port' must be a number from 1 to 65535, not {text!r}")
    return int(text)
