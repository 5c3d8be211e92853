"""Signing in by an OpenID Connect provider, which runs in a process of its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bioimageit_core.api import Request
from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.web.app import create_app
from bioimageit_core.web.security.provider import FLOW_COOKIE
from bioimageit_core.web.security.users import Users
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import OidcSettings, Settings

SESSION = "/api/v1/session"
Make = Callable[..., httpx.Client]


@pytest.fixture
def make_client(request_: Request, tmp_path: Path, users: str, issuer: str) -> Iterator[Make]:
    """Serve with a provider where this server is registered, and give clients of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    body = {"redirect_uris": [f"http://127.0.0.1:{port}{SESSION}/provider/callback"]}
    known = httpx.post(f"{issuer}/oauth2/clients", json=body).json()
    with ExitStack() as stack:

        def make(port: int = port, users_file: str = users, **more: Any) -> httpx.Client:
            given = {"issuer": issuer, "client_id": known["client_id"], "client_secret": known["client_secret"], **more}
            settings = Settings(state_dir=str(tmp_path / "s"), users_file=users_file, oidc=OidcSettings(**given))
            url = stack.enter_context(serving(create_app(request_, settings), port=port))
            return stack.enter_context(httpx.Client(base_url=url))

        yield make


def sign_in(client: httpx.Client, sub: str, action: str = "authorize") -> httpx.Response:
    """Go to the provider, say there who one is, and come back."""
    away = client.get(f"{SESSION}/provider")
    asked = httpx.post(away.headers["location"], data={"sub": sub, "action": action})
    return client.get(asked.headers["location"])


def test_whoever_the_provider_vouches_for_has_the_role_of_the_users_file(make_client: Make, tmp_path: Path) -> None:
    client = make_client()
    assert client.get(SESSION).json()["sign_in"] == ["password", "provider"]

    answer = sign_in(client, "1")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get(SESSION).json()["role"] == "reader"
    assert client.get("/api/v1/experiments").status_code == 200
    told = [json.loads(line) for line in (tmp_path / "s" / "audit.jsonl").read_text().splitlines()]
    assert (told[-1]["user"], told[-1]["about"]) == ("grace", {"signed_in": "grace"})


def test_a_user_who_is_removed_is_out_at_once(make_client: Make, users: str) -> None:
    client = make_client()
    sign_in(client, "1")
    Users(users).remove("grace")

    assert client.get("/api/v1/experiments").status_code == 401


@pytest.mark.parametrize(("role", "place"), [("", "/#/?refused=unknown"), ("reader", "/")])
def test_who_is_in_no_users_file_has_the_role_of_all_others_or_none(make_client: Make, role: str, place: str) -> None:
    client = make_client(default_role=role)

    assert sign_in(client, "2").headers["location"] == place
    assert client.get(SESSION).json()["role"] == (role or None)


@pytest.mark.parametrize(("claim", "sub"), [("preferred_username", "3"), ("email", "2"), ("nickname", "1")])
def test_a_claim_that_names_nobody_lets_nobody_in(make_client: Make, claim: str, sub: str) -> None:
    client = make_client(claim=claim, default_role="owner")

    assert sign_in(client, sub).headers["location"] == "/#/?refused=failed"
    assert client.get(SESSION).json()["role"] is None


def test_an_address_that_the_provider_verified_may_be_the_name(make_client: Make) -> None:
    client = make_client(claim="email", default_role="annotator")
    sign_in(client, "1")

    assert client.get(SESSION).json()["user"] == "grace@lab.example"


def test_who_denies_it_at_the_provider_is_not_in(make_client: Make) -> None:
    client = make_client()

    assert sign_in(client, "1", "deny").headers["location"].startswith("/#/?refused=")
    assert client.get(SESSION).json()["role"] is None


def test_a_link_that_another_browser_began_signs_nobody_in(make_client: Make) -> None:
    attacker, victim = make_client(), httpx.Client()
    asked = httpx.post(attacker.get(f"{SESSION}/provider").headers["location"], data={"sub": "1"})
    back = asked.headers["location"]

    assert victim.get(back).headers["location"] == "/#/?refused=stale"
    begun = victim.get(f"{attacker.base_url}{SESSION}/provider")
    assert FLOW_COOKIE in begun.cookies
    assert victim.get(back).headers["location"] == "/#/?refused=stale"
    victim.close()


def test_a_code_serves_once(make_client: Make) -> None:
    client = make_client()
    asked = httpx.post(client.get(f"{SESSION}/provider").headers["location"], data={"sub": "1"})
    cookie = client.cookies[FLOW_COOKIE]
    client.get(asked.headers["location"])
    again = httpx.get(asked.headers["location"], cookies={FLOW_COOKIE: cookie})

    assert again.headers["location"] == "/#/?refused=failed"


def test_the_provider_is_asked_with_state_nonce_and_pkce(make_client: Make) -> None:
    client = make_client()
    away = client.get(f"{SESSION}/provider")
    asked = parse_qs(urlsplit(away.headers["location"]).query)

    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge", "client_id", "redirect_uri"} <= asked.keys()
    assert asked["redirect_uri"] == [f"{client.base_url}{SESSION}/provider/callback"]
    assert "HttpOnly" in away.headers["set-cookie"]
    assert "samesite=lax" in away.headers["set-cookie"].lower()


def test_an_answer_of_another_issuer_is_refused(make_client: Make) -> None:
    client = make_client()
    asked = httpx.post(client.get(f"{SESSION}/provider").headers["location"], data={"sub": "1"})
    answer = client.get(f"{asked.headers['location']}&iss=https://evil.example")

    assert answer.headers["location"] == "/#/?refused=failed"


def test_a_provider_that_does_not_answer_is_said(make_client: Make) -> None:
    client = make_client(port=0, issuer="http://127.0.0.1:9")

    assert client.get(f"{SESSION}/provider").headers["location"] == "/#/?refused=failed"


def test_without_a_provider_there_is_none_to_ask(request_: Request, tmp_path: Path, users: str) -> None:
    settings = Settings(state_dir=str(tmp_path / "s"), users_file=users)
    with serving(create_app(request_, settings)) as url:
        assert httpx.get(f"{url}{SESSION}/provider").status_code == 404


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"issuer": "http://login.example"}, "https://"),
        ({"issuer": "https://login.example", "client_id": ""}, "--oidc-client"),
        ({"issuer": "https://login.example", "default_role": "king"}, "no role 'king'"),
        ({"issuer": "https://login.example"}, "nobody has a role"),
    ],
)
def test_a_provider_that_cannot_serve_is_refused_at_the_start(given: dict[str, str], said: str) -> None:
    settings = Settings(oidc=OidcSettings(**{"client_id": "us", **given}))

    with pytest.raises(ConfigError, match=said):
        settings.check_address("127.0.0.1")
