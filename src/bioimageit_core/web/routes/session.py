"""Signing in and out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from bioimageit_core import __version__
from bioimageit_core.web.problems import PROBLEMS, ProblemError
from bioimageit_core.web.security.provider import FLOW_AGE, FLOW_COOKIE, Provider, RefusedError
from bioimageit_core.web.security.who import (
    begin_session,
    begin_session_of_provider,
    check_csrf,
    csrf_token,
    end_session,
    identify,
    of_provider,
    users_of,
)
from bioimageit_core.web.shapes import Role, Taken
from bioimageit_core.web.site import Site, SiteDep

__all__ = ["router"]

router = APIRouter(
    prefix="/session", tags=["session"], responses={status: PROBLEMS[status] for status in (400, 401, 403, 422, 429)}
)


_AWAY: dict[int | str, dict[str, Any]] = {
    303: {"description": "To the provider, or back to the page."},
    404: PROBLEMS[404],
}


class Session(BaseModel):
    """Who asks, and of what."""

    user: str | None
    role: Role | None
    csrf: str | None = Field(description="What the header X-CSRF-Token must say on every call that changes something.")
    version: str
    services: dict[str, str]
    sign_in: list[str] = Field(description="How one can sign in: password, token, provider; none where nobody need.")


class SignIn(Taken):
    """A name with its password, or a token."""

    name: str = Field(default="", max_length=200)
    password: str = Field(default="", max_length=1000)
    token: str = Field(default="", max_length=1000)


@router.get("")
def who_am_i(request: Request, site: SiteDep) -> Session:
    """Say who asks, and give the token that calls which change something need."""
    return _session(request, site)


@router.post("")
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
    end_session(request)
    return Response(status_code=204)


@router.get("/provider", status_code=303, response_class=RedirectResponse, responses=_AWAY)
async def ask_provider(request: Request, site: SiteDep) -> RedirectResponse:
    """Send the browser to the OpenID Connect provider, to sign in there."""
    provider = _provider(site)
    try:
        url, cookie = await provider.begin(_callback(request, site))
    except RefusedError as error:
        return _refused(request, error.reason)
    answer = RedirectResponse(url, 303)
    answer.set_cookie(
        FLOW_COOKIE,
        cookie,
        max_age=FLOW_AGE,
        path=request.url.path,
        secure=site.settings.is_https,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/provider/callback", status_code=303, response_class=RedirectResponse, responses=_AWAY)
async def come_back(request: Request, site: SiteDep) -> RedirectResponse:
    """Take in whoever comes back from the provider, and send the browser to the page."""
    provider = _provider(site)
    try:
        cookie = request.cookies.get(FLOW_COOKIE, "")
        name = await provider.finish(cookie, request.query_params, _callback(request, site))
        request.state.claimed = name
        if of_provider(name, site) is None:
            raise RefusedError("unknown")
    except RefusedError as error:
        return _refused(request, error.reason)
    begin_session_of_provider(request, name)
    request.state.about = {"signed_in": name}
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(FLOW_COOKIE, path=request.url.path.rpartition("/")[0])
    return answer


def _provider(site: Site) -> Provider:
    if site.provider is None:
        raise ProblemError(404, "no provider is asked here; serve --oidc-issuer names one")
    return site.provider


def _callback(request: Request, site: Site) -> str:
    """Return the address, as browsers see it, to which the provider leads back."""
    url = request.url_for("come_back")
    return str(url.replace(scheme="https") if site.settings.is_https else url)


def _refused(request: Request, reason: str) -> RedirectResponse:
    """Send the browser to the page, which says why he is not in: one of its own sentences, never the provider's."""
    request.state.about = {"refused": reason}
    return RedirectResponse(f"/#/?refused={reason}", 303)


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
    ways = {"password": settings.users_file, "token": settings.token, "provider": settings.oidc}
    return [way for way, is_there in ways.items() if is_there]


def _same(one: str, other: str) -> bool:
    import hmac

    return hmac.compare_digest(one.encode(), other.encode())
