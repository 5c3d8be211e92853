"""The users of a server: a JSON file with their roles, and passwords and tokens hashed."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, get_args

from bioimageit_core.core.exceptions import ConfigError, ConflictError, InvalidNameError, NotFoundError
from bioimageit_core.web.shapes import Role

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["ROLES", "User", "Users", "is_user_name"]

ROLES: tuple[Role, ...] = get_args(Role)
_NAME = re.compile(r"[^\W_][\w.@+-]{0,99}")
_SHORTEST = 8


def is_user_name(text: str) -> bool:
    """Tell whether somebody can be called so here.

    Examples
    --------
    >>> is_user_name("ada@lab.example"), is_user_name("ada <b>")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class User:
    """Somebody who may ask.

    Attributes
    ----------
    password
        Hashed by Argon2id; empty for one who signs in elsewhere.
    tokens
        SHA-256 of each token; tokens are random, so that a fast hash serves.
    """

    name: str
    role: Role
    password: str = field(default="", repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)

    @property
    def stamp(self) -> str:
        """Changes with the password, so that sessions from before it end."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:16]


class Users:
    """Users in a file, read again when it changes.

    Parameters
    ----------
    path
        A JSON file, made with the first user, readable by its owner alone.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    def all(self) -> list[User]:
        """Return all users, by name.

        Raises
        ------
        ConfigError
            The file cannot be read.
        """
        self._refresh()
        return sorted(self._users.values(), key=lambda user: user.name)

    def get(self, name: str) -> User | None:
        """Return the user of a name."""
        self._refresh()
        return self._users.get(name)

    def check(self, name: str, password: str) -> User | None:
        """Return the user if the password is his; it takes as long where there is none of that name."""
        from argon2.exceptions import Argon2Error, InvalidHashError

        user = self.get(name)
        stored = user.password if user is not None and user.password else _nobody()
        with contextlib.suppress(Argon2Error, InvalidHashError):
            if _hasher().verify(stored, password) and user is not None and user.password:
                return user
        return None

    def of_token(self, token: str) -> User | None:
        """Return whose token it is."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        self._refresh()
        for user in self._users.values():
            if any(hmac.compare_digest(digest, known) for known in user.tokens):
                return user
        return None

    def add(self, name: str, role: str, password: str = "") -> User:
        """Add a user; without a password he signs in elsewhere, or has a token.

        Raises
        ------
        InvalidNameError
            Name, role or password cannot be used.
        ConflictError
            There is one of that name.
        """
        if not is_user_name(name):
            raise InvalidNameError("user", name, "letters, digits and . _ @ + - only, at most 100")
        if role not in ROLES:
            raise InvalidNameError("role", role, f"it is one of {', '.join(ROLES)}")
        if password and len(password) < _SHORTEST:
            raise InvalidNameError("password", "…", f"it has at least {_SHORTEST} characters")
        with self._held() as users:
            if name in users:
                raise ConflictError(f"there is a user {name!r} already; remove him first to change him")
            users[name] = User(name, role, _hasher().hash(password) if password else "")
            return users[name]

    def remove(self, name: str) -> None:
        """Remove a user; his sessions and tokens end.

        Raises
        ------
        NotFoundError
            There is none of that name.
        """
        with self._held() as users:
            if users.pop(name, None) is None:
                raise NotFoundError("user", name)

    def new_token(self, name: str) -> str:
        """Give a user another token, and return it: it is told this once only."""
        token = secrets.token_urlsafe(32)
        with self._held() as users:
            user = users.get(name)
            if user is None:
                raise NotFoundError("user", name)
            digest = hashlib.sha256(token.encode()).hexdigest()
            users[name] = User(user.name, user.role, user.password, (*user.tokens, digest))
        return token

    def _refresh(self) -> None:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            self._users, self._seen = {}, None
            return
        now = (status.st_mtime_ns, status.st_size, status.st_ino)
        if now != self._seen:
            self._users, self._seen = _read(self.path), now

    @contextlib.contextmanager
    def _held(self) -> Iterator[dict[str, User]]:
        from filelock import FileLock

        os.makedirs(os.path.dirname(os.path.abspath(self.path)), mode=0o700, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            users = _read(self.path) if os.path.exists(self.path) else {}
            yield users
            _write(self.path, users)


def _read(path: str) -> dict[str, User]:
    from bioimageit_core.core.config import read_json

    document = read_json(path, "users file")
    try:
        found = [
            User(
                str(item["name"]), item["role"], str(item.get("password", "")), tuple(map(str, item.get("tokens", ())))
            )
            for item in document["users"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"users file {path!r} is not one: {error}") from error
    for user in found:
        if user.role not in ROLES:
            raise ConfigError(f"users file {path!r}: {user.name!r} has no role {user.role!r} ({', '.join(ROLES)})")
    return {user.name: user for user in found}


def _write(path: str, users: dict[str, User]) -> None:
    text = json.dumps({"users": [asdict(users[name]) for name in sorted(users)]}, indent=4, ensure_ascii=False)
    partial = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError(f"users file {path!r} cannot be written: {error.strerror or error}") from error


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


_NOBODY: list[str] = []


def _nobody() -> str:
    """Return the hash of a password that nobody has."""
    if not _NOBODY:
        _NOBODY.append(_hasher().hash(secrets.token_urlsafe(32)))
    return _NOBODY[0]
