"""How a server is to be run."""

from __future__ import annotations

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from typing import get_args
from urllib.parse import urlsplit

from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.web.shapes import Role

__all__ = ["LOOPBACK", "OidcSettings", "Settings", "default_state_dir", "is_every_address", "read_secret"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class OidcSettings:
    """An OpenID Connect provider that says who somebody is.

    Attributes
    ----------
    issuer
        Its name as its metadata say it, a URL; ``{issuer}/.well-known/openid-configuration`` describes it.
    client_id, client_secret
        What this server is called there; without a secret it is a public client.
    claim
        The claim that is the name of the user here.
    default_role
        The role of those whom the users file does not list; empty refuses them.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    claim: str = "preferred_username"
    default_role: str = ""

    def check(self) -> None:
        """Refuse what cannot serve.

        Raises
        ------
        ConfigError
            The issuer could be anybody, or we have no name there, or the role is none.
        """
        place = urlsplit(self.issuer)
        is_sure = place.scheme == "https" or (place.scheme == "http" and place.hostname in LOOPBACK)
        if not is_sure or not place.hostname or place.query or place.fragment:
            raise ConfigError(f"the provider {self.issuer!r} is no https:// URL: anybody could answer in its place")
        if not self.client_id:
            raise ConfigError("what is this server called at the provider? Say --oidc-client ID")
        if self.default_role and self.default_role not in get_args(Role):
            raise ConfigError(f"there is no role {self.default_role!r} ({', '.join(get_args(Role))})")


@dataclass(frozen=True)
class Settings:
    """What a server needs to know beside the configuration.

    Attributes
    ----------
    token
        What everybody who has it may do all with, as owner; empty for none.
    users_file
        Where users and their roles are; empty for none.
    oidc
        A provider that says who somebody is; None for none.
    hosts
        Names under which the server may be asked (the ``Host`` header).
    state_dir
        Where the secret, the audit log and cached files are.
    max_upload, max_body
        Sizes in bytes of an uploaded file, and of any other request.
    cache_size
        Bytes of remote files that are kept here at most.
    is_https
        Whether browsers reach the server through HTTPS, so that cookies are sent through that alone.
    proxies
        Addresses or networks of proxies that are believed whom they ask for (``X-Forwarded-For``); nobody else is.
    """

    token: str = field(default="", repr=False)
    users_file: str = ""
    oidc: OidcSettings | None = None
    hosts: tuple[str, ...] = LOOPBACK
    state_dir: str = ""
    max_upload: int = 64 * 1024 * _MIB
    max_body: int = 4 * _MIB
    cache_size: int = 20 * 1024 * _MIB
    is_https: bool = False
    proxies: tuple[str, ...] = ()
    logins_per_minute: int = 5

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches the server is an owner."""
        return not (self.token or self.users_file or self.oidc)

    def check_address(self, host: str) -> None:
        """Refuse to be reached by others where nobody is asked who he is.

        Raises
        ------
        ConfigError
            `host` is not this machine alone, or a proxy brings others, and there is neither token nor users nor
            provider; or nobody whom the provider names could come in; or a proxy has no address.
        """
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ConfigError(f"the proxy {proxy!r} is neither an address nor a network (127.0.0.1)") from error
        if self.oidc is not None:
            self.oidc.check()
            if not (self.users_file or self.oidc.default_role):
                raise ConfigError("nobody has a role: list users by --users FILE, or give all a role by --oidc-role")
        names = [name for name in (host, *self.hosts) if name not in LOOPBACK]
        reached = [*names, *self.proxies, *(["the proxy"] if self.is_https else [])]
        if self.is_open and reached:
            raise ConfigError(
                f"whoever reaches {reached[0]} could do everything: give --token, --users FILE (bioimageit users add) "
                f"or --oidc-issuer, or serve 127.0.0.1"
            )


def is_every_address(host: str) -> bool:
    """Tell whether to listen at `host` is to listen at every address of this machine.

    Examples
    --------
    >>> [is_every_address(host) for host in ("0.0.0.0", "::", "127.0.0.1", "lab.example")]
    [True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def default_state_dir() -> str:
    """Say where the server keeps what is its own."""
    import platformdirs

    return os.path.join(platformdirs.user_data_dir("bioimageit", appauthor=False), "serve")


def read_secret(state_dir: str) -> bytes:
    """Return the server's secret of 64 bytes, made at the first call; it is readable by its owner alone.

    Raises
    ------
    ConfigError
        It cannot be read or written.
    """
    path = os.path.join(state_dir, "secret")
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(64))
        with open(path, "rb") as file:
            secret = file.read()
    except OSError as error:
        raise ConfigError(f"{path!r} cannot be used: {error.strerror or error}") from error
    if len(secret) != 64:
        raise ConfigError(f"{path!r} is damaged: remove it, and links and sessions are made anew")
    return secret
