"""Secrets of a configuration: resolved late, and kept out of logs and representations."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from bioimageit_core.core.exceptions import ConfigError

__all__ = ["REDACTED", "find_secrets", "is_secret_key", "mask", "redact", "resolve"]

REDACTED = "***"

_REFERENCE = re.compile(r"\$\{(ENV|KEYRING):([^}]*)\}")
_SECRET_KEY = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|auth|(^|[_-])key(id)?$|[a-z]Key$", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^/\s:@]*:)(?P<password>[^/\s]+)(?=@)", re.IGNORECASE)
_URL_FIELD = re.compile(r"(?<=[?&])(?P<field>[\w.-]+)=(?P<value>[^&\s'\"]+)")
_SIGNATURES = {"sig", "signature", "x-amz-signature", "x-goog-signature"}
_SHORTEST = 4  # masking what is shorter would make every log unreadable


def is_secret_key(key: str) -> bool:
    """Say whether what stands under `key` is to be kept secret.

    Examples
    --------
    >>> [is_secret_key(key) for key in ("password", "api_key", "keys", "host")]
    [True, True, False, False]
    """
    return _SECRET_KEY.search(key) is not None


def resolve(value: Any, field: str = "", secrets: set[str] | None = None) -> Any:
    """Replace ``${ENV:NAME}`` and ``${KEYRING:service/user}`` in every string of `value` by what they refer to.

    Parameters
    ----------
    value
        Anything that JSON can hold; not modified.
    field
        Where `value` stands, for messages.
    secrets
        Gets what was found in the keyring, or is the whole of a string: it is to be masked elsewhere.

    Raises
    ------
    ConfigError
        A reference leads nowhere.

    Examples
    --------
    >>> import os; os.environ["COLOUR"] = "red"
    >>> resolve({"a": ["${ENV:COLOUR}ish"]})
    {'a': ['redish']}
    """
    if isinstance(value, str):
        return _resolve_text(value, field, set() if secrets is None else secrets)
    if isinstance(value, Mapping):
        return {key: resolve(item, f"{field}.{key}" if field else str(key), secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, f"{field}[{index}]", secrets) for index, item in enumerate(value)]
    return value


def redact(value: Any) -> Any:
    """Copy `value` with every secret in it replaced; references to secrets are no secrets and stay.

    Examples
    --------
    >>> redact({"host": "a.org", "password": "x", "url": "ftp://ada:x@a.org"})
    {'host': 'a.org', 'password': '***', 'url': 'ftp://ada:***@a.org'}
    """
    if isinstance(value, Mapping):
        return {
            key: REDACTED if _is_secret_item(value, key) and not _is_harmless(item) else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if isinstance(value, str):
        return _without_url_secrets(value)
    return value


def find_secrets(value: Any) -> set[str]:
    """Collect the secrets that stand in `value`, to be masked elsewhere.

    Examples
    --------
    >>> find_secrets({"host": "a.org", "password": "xyzzy"})
    {'xyzzy'}
    """
    return {secret for secret in _walk(value, is_secret=False) if len(secret) >= _SHORTEST}


def mask(text: str, secrets: Iterable[str]) -> str:
    """Replace every one of `secrets`, and passwords inside URLs, in `text`.

    Examples
    --------
    >>> mask("login as ada with xyzzy failed", {"xyzzy"})
    'login as ada with *** failed'
    >>> mask("cannot read https://ada:p@ss@a.org/x?version=2&token=abc", ())
    'cannot read https://ada:***@a.org/x?version=2&token=***'
    """
    for written in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        text = text.replace(written, REDACTED)
    return _without_url_secrets(text)


def _without_url_secrets(text: str) -> str:
    """Replace passwords in URLs, and fields of their queries that are named like one or sign them."""

    def field(match: re.Match[str]) -> str:
        name = match["field"]
        is_secret = is_secret_key(name) or name.lower() in _SIGNATURES
        return f"{name}={REDACTED}" if is_secret else match[0]

    text = _URL_PASSWORD.sub(lambda match: match["before"] + REDACTED, text)
    return _URL_FIELD.sub(field, text) if "=" in text else text


def _forms(secret: str) -> set[str]:
    # as it is, and as it stands in URLs, in representations and in JSON
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
    }


def _walk(value: Any, *, is_secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(item, is_secret=is_secret or _is_secret_item(value, key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, is_secret=is_secret)
    elif isinstance(value, str):
        if is_secret and not _is_harmless(value):
            yield value
        yield from (match["password"] for match in _URL_PASSWORD.finditer(value))


def _is_secret_item(holder: Mapping[Any, Any], key: Any) -> bool:
    # {"password": "x"}, and {"name": "PASSWORD", "value": "x"} as in the configuration's "env"
    return is_secret_key(str(key)) or (key == "value" and is_secret_key(str(holder.get("name", ""))))


def _resolve_text(text: str, field: str, secrets: set[str]) -> str:
    def look_up(match: re.Match[str]) -> str:
        found = _look_up(match[1], match[2], field)
        if len(found) >= _SHORTEST and (match[1] == "KEYRING" or match[0] == text):
            secrets.add(found)
        return found

    return _REFERENCE.sub(look_up, text)


def _is_harmless(value: Any) -> bool:
    # empty, or nothing but a reference
    return (
        value in ("", None)
        or isinstance(value, bool)
        or (isinstance(value, str) and _REFERENCE.fullmatch(value) is not None)
    )


def _look_up(source: str, name: str, field: str) -> str:
    where = f"configuration, field {field!r}: " if field else "configuration: "
    if source == "ENV":
        found = os.environ.get(name)
        if found is None:
            raise ConfigError(f"{where}the environment variable {name!r} is not set")
        return found
    service, separator, user = name.rpartition("/")
    if not separator or not service:
        raise ConfigError(f"{where}a reference to the keyring is written ${{KEYRING:service/user}}, not {name!r}")
    return _look_up_in_keyring(service, user, where)


def _look_up_in_keyring(service: str, user: str, where: str) -> str:
    import keyring

    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # a backend of the keyring may be anybody's
        raise ConfigError(f"{where}the keyring cannot be read: {error}") from error
    if found is None:
        raise ConfigError(
            f"{where}the keyring has no password of {user!r} for {service!r}; 'keyring set {service} {user}' stores one"
        )
    return str(found)
