"""What a server refuses: strangers, copies of cookies, guesses, archives that reach outside of themselves."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

from bioimageit_core.api import Request
from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.web.app import create_app
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import LOOPBACK, Settings

API = "/api/v1"
CURSORS = ("x", "-1", "²", "９", "9" * 30)


@pytest.fixture
def client(request_: Request, tmp_path: Path, users: str) -> Iterator[Client]:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s"), users_file=users))
    with serving(app) as url, Client(base_url=f"{url}{API}", timeout=60) as client:
        yield client


@pytest.fixture
def open_client(request_: Request, tmp_path: Path) -> Iterator[Client]:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s"), max_body=2000))
    with serving(app) as url, Client(base_url=f"{url}{API}", timeout=60) as client:
        client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf"]
        yield client


def attempt(client: Client, password: str, **headers: str) -> Any:
    headers["X-CSRF-Token"] = client.get("/session").json()["csrf"]
    return client.post("/session", json={"name": "grace", "password": password}, headers=headers)


def of_clients(client: Client) -> list[int]:
    """Try to sign in as if others asked, each once."""
    return [attempt(client, "wrong", **{"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(6)]


def test_nobody_is_believed_whom_he_asks_for(client: Client) -> None:
    assert of_clients(client) == [401] * 5 + [429]


def test_a_proxy_that_was_named_is_believed(request_: Request, tmp_path: Path, users: str) -> None:
    settings = Settings(state_dir=str(tmp_path / "s"), users_file=users, proxies=("127.0.0.1",))
    with serving(create_app(request_, settings)) as url, Client(base_url=f"{url}{API}", timeout=60) as client:
        assert of_clients(client) == [401] * 6


def test_wrong_tokens_are_counted(client: Client) -> None:
    answers = [client.get("/experiments", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(21)]

    assert answers == [401] * 20 + [429]


def test_a_copy_of_a_cookie_is_worth_nothing_after_signing_out(client: Client) -> None:
    csrf = attempt(client, "a long password").json()["csrf"]
    copy = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    before = client.get("/experiments").status_code
    client.delete("/session", headers={"X-CSRF-Token": csrf})

    assert before == 200
    assert client.get("/experiments", headers=copy).status_code == 401


@pytest.mark.parametrize("settings", [{"proxies": ("127.0.0.1",)}, {"is_https": True}, {"hosts": ("lab.example",)}])
def test_what_a_proxy_brings_to_others_asks_who_they_are(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--token"):
        Settings(**settings).check_address("127.0.0.1")


def test_a_proxy_has_an_address() -> None:
    with pytest.raises(ConfigError, match="neither an address"):
        Settings(token="x", proxies=("lab",)).check_address("127.0.0.1")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:80@evil.example", "", "[::1"])
def test_a_host_is_one_of_ours_as_a_whole(open_client: Client, host: str) -> None:
    assert open_client.get("/session", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", [*LOOPBACK[::2], "[::1]:8787", "LOCALHOST:1"])
def test_our_hosts_are_answered(open_client: Client, host: str) -> None:
    assert open_client.get("/session", headers={"Host": host}).status_code == 200


def test_a_body_that_comes_in_parts_is_no_larger_than_one_that_is_told(open_client: Client) -> None:
    answers = [
        open_client.post("/experiments", content=content, headers={"Content-Type": "application/json"})
        for content in (b"x" * 3000, iter([b"x" * 1500] * 2))
    ]

    assert [answer.status_code for answer in answers] == [413, 413]


def test_a_name_that_tells_no_format_is_the_clients_mistake(open_client: Client) -> None:
    experiment = open_client.get("/experiments").json()["items"][0]["id"]
    answers = [
        open_client.post(f"/experiments/{experiment}/uploads", params={"name": "a.svg", **more}, content=b"<svg/>")
        for more in ({}, {"format": "nothing"})
    ]

    assert [answer.status_code for answer in answers] == [422, 422]


def test_a_cursor_that_no_page_told_is_the_clients_mistake(
    open_client: Client, request_: Request, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("area\n1\n")
    (entry,) = request_.get_workspace_experiments()
    table = request_.import_data(entry["info"], str(tmp_path / "t.csv"), format_="tablecsv")
    experiment = f"/experiments/{open_client.get('/experiments').json()['items'][0]['id']}"
    data = f"{experiment}/datasets/data"
    items = open_client.get(f"{data}/data").json()["items"]
    lists = ["/experiments", "/tools", "/users", "/audit", f"{experiment}/history", f"{data}/data", f"{data}/runs"]
    lists += ["/jobs", *(f"/data/{item['id']}/table" for item in items if item["name"] == table.name)]
    assert len(lists) == 9
    answers = {
        place: {open_client.get(place, params={"cursor": cursor}).status_code for cursor in CURSORS} for place in lists
    }

    assert {place for place, told in answers.items() if told != {422}} == set()


@pytest.mark.parametrize("entry", ["../a", "/a", "b/../../a", "b\\..\\a"])
def test_an_archive_does_not_reach_outside_of_itself(open_client: Client, entry: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, "x")
    experiment = open_client.get("/experiments").json()["items"][0]["id"]
    asked = {"name": "a.zarr", "zip": "true", "format": "imagezarr"}
    answer = open_client.post(f"/experiments/{experiment}/uploads", params=asked, content=packed.getvalue())

    assert answer.status_code == 422


def test_what_was_uploaded_is_downloaded_and_never_shown_by_the_browser(open_client: Client) -> None:
    experiment = open_client.get("/experiments").json()["items"][0]["id"]
    asked = {"name": "a.svg", "format": "raw"}
    made = open_client.post(f"/experiments/{experiment}/uploads", params=asked, content=b"<svg/>").json()
    headers = open_client.get(f"/data/{made['id']}/file").headers

    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
