"""Who asks: by a session in a cookie or by a token, with the role that the users file, or the provider's, gives."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from bioimageit_core.web.problems import ProblemError
from bioimageit_core.web.security.users import ROLES, User, Users
from bioimageit_core.web.shapes import Role
from bioimageit_core.web.site import Site, site_of

__all__ = [
    "SESSION_AGE",
    "Annotator",
    "Identity",
    "Owner",
    "Reader",
    "begin_session",
    "begin_session_of_provider",
    "check_csrf",
    "csrf_token",
    "end_session",
    "identify",
    "of_provider",
    "users_of",
]

SESSION_AGE = 12 * 60 * 60  # seconds
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Identity:
    """Somebody, and what he may do."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Say whether his role is at least `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


def identify(connection: HTTPConnection, site: Site) -> Identity | None:
    """Say who asks; None for somebody who is not known.

    Raises
    ------
    ProblemError
        A token was given that nobody has, or there were many such.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _of_token(token.strip(), connection, site)
    if site.settings.is_open:
        return Identity(site.request.config.user_name, "owner")
    session = connection.session
    if str(session.get("csrf", "")) in site.ended:
        return None
    name, stamp = str(session.get("user", "")), str(session.get("stamp", ""))
    if session.get("by") == "token":
        is_current = bool(site.settings.token) and hmac.compare_digest(stamp, _digest(site.settings.token))
        return Identity(site.request.config.user_name, "owner") if is_current else None
    if session.get("by") == "provider":
        is_current = stamp == _stamp_of_provider(site) and time.time() < float(session.get("until", 0))
        return of_provider(name, site) if is_current else None
    user = users_of(site).get(name) if name and site.settings.users_file else None
    return Identity(user.name, user.role) if user is not None and hmac.compare_digest(stamp, user.stamp) else None


def of_provider(name: str, site: Site) -> Identity | None:
    """Give somebody whom the provider vouches for the role of the users file, or that of all others; None for none."""
    if site.settings.oidc is None or not name:
        return None
    user = users_of(site).get(name) if site.settings.users_file else None
    if user is not None:
        return Identity(user.name, user.role)
    role: Role | None = next((role for role in ROLES if role == site.settings.oidc.default_role), None)
    return Identity(name, role) if role is not None else None


def begin_session_of_provider(request: Request, name: str) -> None:
    """Remember in the cookie whom the provider vouched for; it is asked again after some hours, however busy he is."""
    request.session.clear()
    stamp = _stamp_of_provider(site_of(request))
    request.session.update(by="provider", user=name, stamp=stamp, until=time.time() + SESSION_AGE)
    csrf_token(request)


def begin_session(request: Request, user: User | None) -> None:
    """Remember in the cookie who signed in, without a user by the server's token; what was in it before goes."""
    request.session.clear()
    site = site_of(request)
    if user is None:
        request.session.update(by="token", user="", stamp=_digest(site.settings.token))
    else:
        request.session.update(by="password", user=user.name, stamp=user.stamp)
    csrf_token(request)


def end_session(request: Request) -> None:
    """Forget who signed in; a copy of the cookie that somebody kept is worth nothing either."""
    now = time.time()
    site = site_of(request)
    with site.lock:
        site.ended.update({str(request.session.get("csrf", "")): now + SESSION_AGE})
        for token in [token for token, until in site.ended.items() if until < now]:
            del site.ended[token]
    request.session.clear()


def csrf_token(request: Request) -> str:
    """Return the session's token against forged requests, made at the first call."""
    if "csrf" not in request.session:
        request.session["csrf"] = secrets.token_urlsafe(24)
    return str(request.session["csrf"])


def check_csrf(request: Request) -> None:
    """Refuse what another page could have a browser send.

    Raises
    ------
    ProblemError
        The request changes something, and lacks the token of its session.
    """
    if request.method in _SAFE or request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    given, known = request.headers.get("x-csrf-token", ""), str(request.session.get("csrf", ""))
    if not known or not hmac.compare_digest(given.encode(), known.encode()):
        raise ProblemError(403, "the header X-CSRF-Token is not that of the session (GET /api/v1/session tells it)")


def _require(role: Role) -> Callable[[Request], Identity]:
    def check(request: Request) -> Identity:
        who = identify(request, site_of(request))
        if who is None:
            raise ProblemError(401, "sign in first", {"WWW-Authenticate": "Bearer"})
        check_csrf(request)
        request.state.who = who
        if not who.may(role):
            raise ProblemError(403, f"{who.name} is {who.role}; this is for {role}s")
        return who

    return check


Reader = Annotated[Identity, Depends(_require("reader"))]
Annotator = Annotated[Identity, Depends(_require("annotator"))]
Owner = Annotated[Identity, Depends(_require("owner"))]


def users_of(site: Site) -> Users:
    """Return the users of a server; none where there is no file."""
    with site.lock:
        users = site.__dict__.setdefault("users", Users(site.settings.users_file))
    found: Users = users
    return found


def _of_token(token: str, connection: HTTPConnection, site: Site) -> Identity:
    client = connection.client.host if connection.client else ""
    site.limiter.refuse_guessing(client)
    if site.settings.token and hmac.compare_digest(token.encode(), site.settings.token.encode()):
        return Identity(site.request.config.user_name, "owner")
    user = users_of(site).of_token(token) if site.settings.users_file and token else None
    if user is None:
        site.limiter.refuse_guessing(client, is_wrong=True)
        raise ProblemError(401, "nobody has this token", {"WWW-Authenticate": "Bearer"})
    return Identity(user.name, user.role)


def _stamp_of_provider(site: Site) -> str:
    """Return what changes with the provider, so that sessions from another one end."""
    oidc = site.settings.oidc
    return _digest(f"{oidc.issuer} {oidc.client_id} {oidc.claim}") if oidc is not None else "-"


def _digest(token: str) -> str:
    import hashlib

    return hashlib.sha256(b"session\0" + token.encode()).hexdigest()[:32]
