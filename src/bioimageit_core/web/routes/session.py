"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from bioimageit_core import __version__
from bioimageit_core.web.problems import PROBLEMS, Problem, ProblemError
from bioimageit_core.web.security.who import (
    begin_session,
    check_csrf,
    csrf_token,
    identify,
    users_of,
)
from bioimageit_core.web.shapes import Role, Taken
from bioimageit_core.web.site import Site, SiteDep

__all__ = ["router"]

router = APIRouter(prefix="/session", tags=["session"], responses={403: PROBLEMS[403]})


class Session(BaseModel):
    """Who asks, and of what."""

    user: str | None
    role: Role | None
    csrf: str | None = Field(description="What the header X-CSRF-Token must say on every call that changes something.")
    version: str
    services: dict[str, str]
    sign_in: list[str] = Field(description="How one can sign in: password, token; none where nobody need.")


class SignIn(Taken):
    """A name with its password, or a token."""

    name: str = Field(default="", max_length=200)
    password: str = Field(default="", max_length=1000)
    token: str = Field(default="", max_length=1000)


@router.get("")
def who_am_i(request: Request, site: SiteDep) -> Session:
    """Say who asks, and give the token that calls which change something need."""
    return _session(request, site)


@router.post("", responses={401: PROBLEMS[401], 429: {"model": Problem, "description": "Too many attempts."}})
def sign_in(request: Request, site: SiteDep, body: SignIn) -> Session:
    """Sign in."""
    check_csrf(request)
    client = request.client.host if request.client else ""
    request.state.claimed = body.name
    site.limiter.check(client, body.name)
    if body.token and site.settings.token and _same(body.token, site.settings.token):
        begin_session(request, None)
    else:
        user = users_of(site).check(body.name, body.password) if site.settings.users_file else None
        if user is None:
            raise ProblemError(401, "name and password do not fit, or the token is not this server's")
        begin_session(request, user)
    return _session(request, site)


@router.delete("", status_code=204)
def sign_out(request: Request) -> Response:
    """Sign out."""
    check_csrf(request)
    request.session.clear()
    return Response(status_code=204)


def _session(request: Request, site: Site) -> Session:
    who = identify(request, site)
    config = site.request.config
    return Session(
        user=who.name if who else None,
        role=who.role if who else None,
        csrf=csrf_token(request),
        version=__version__,
        services={section: config.service_name(section) for section in ("metadata", "process", "runner")}
        if who
        else {},
        sign_in=_ways(site),
    )


def _ways(site: Site) -> list[str]:
    settings = site.settings
    ways = {"password": settings.users_file, "token": settings.token}
    return [way for way, is_there in ways.items() if is_there]


def _same(one: str, other: str) -> bool:
    import hmac

    return hmac.compare_digest(one.encode(), other.encode())
