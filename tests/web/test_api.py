"""The API on a LOCAL home: pages, problems and ranges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from bioimageit_core.api import Request
from bioimageit_core.web.app import create_app
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import Settings

API = "/api/v1"


@pytest.fixture
def request_(tmp_path: Path) -> Iterator[Request]:
    (tmp_path / "w").mkdir()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"workspace": str(tmp_path / "w"), "log_dir": str(tmp_path / "l")}))
    with Request(str(config), debug=False, log=False) as request:
        experiment = request.create_experiment("Cells", "ada", keys=["Day"])
        for number in range(3):
            path = tmp_path / f"a{number}.tif"
            path.write_bytes(bytes([number]) * 10)
            request.import_data(experiment, str(path), key_value_pairs={"Day": str(number)})
        yield request


@pytest.fixture
def open_client(request_: Request, tmp_path: Path) -> Iterator[Client]:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s")))
    with serving(app) as url, Client(base_url=url) as client:
        client.headers["X-CSRF-Token"] = client.get(f"{API}/session").json()["csrf"]
        yield client


def data_url(client: Client) -> str:
    return f"{API}/experiments/{client.get(f'{API}/experiments').json()['items'][0]['id']}/datasets/data/data"


def test_pages_follow_each_other_without_gap(open_client: Client) -> None:
    first = open_client.get(data_url(open_client), params={"limit": 2}).json()
    second = open_client.get(data_url(open_client), params={"limit": 2, "cursor": first["next"]}).json()

    assert [item["name"] for item in first["items"] + second["items"]] == ["a0.tif", "a1.tif", "a2.tif"]
    assert (first["total"], second["next"]) == (3, None)


def test_a_query_error_tells_its_place(open_client: Client) -> None:
    answer = open_client.get(data_url(open_client), params={"query": "Day>=1 AND )"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["place"]["start"] == 11


def test_a_file_is_read_by_ranges(open_client: Client) -> None:
    id_ = open_client.get(data_url(open_client)).json()["items"][1]["id"]
    answer = open_client.get(f"{API}/data/{id_}/file", headers={"Range": "bytes=2-4"})

    assert (answer.status_code, answer.content) == (206, b"\1\1\1")
