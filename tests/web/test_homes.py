"""What the page asks for, of a home that keeps no history and no files at a path: it speaks to `Request` alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bioimageit_core.api import Request
from bioimageit_core.web.app import create_app
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import Settings

HOMES = {
    "SQL": {"service": "SQL", "url": "sqlite:///{folder}/home.db", "files": "{folder}/files"},
    "FSSPEC": {"service": "FSSPEC", "url": "memory://page-{name}"},
}


@pytest.fixture(params=HOMES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[httpx.Client]:
    if request.param == "SQL":
        pytest.importorskip("bioimageit_sql")
    given = {key: value.format(folder=tmp_path, name=tmp_path.name) for key, value in HOMES[request.param].items()}
    (tmp_path / "w").mkdir()
    workspace = given["url"] if request.param == "FSSPEC" else str(tmp_path / "w")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"workspace": workspace, "log_dir": str(tmp_path / "l"), "metadata": given}))
    with Request(str(config), debug=False, log=False) as asked:
        app = create_app(asked, Settings(state_dir=str(tmp_path / "s")))
        with serving(app) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
            client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf"]
            yield client


def made(client: httpx.Client, tmp_path: Path) -> tuple[str, list[Any]]:
    import numpy as np
    import tifffile

    experiment = client.post("/experiments", json={"name": "Cells", "keys": ["Day"]}).json()["id"]
    for number in range(2):
        path = tmp_path / f"a{number}.tif"
        tifffile.imwrite(path, np.full((30, 40), number + 7, np.uint8))
        sent = {"name": path.name, "Day": str(number)}
        client.post(f"/experiments/{experiment}/uploads", params=sent, content=path.read_bytes()).raise_for_status()
    return experiment, client.get(f"/experiments/{experiment}/datasets/data/data").json()["items"]


def test_images_are_found_and_looked_at(client: httpx.Client, tmp_path: Path) -> None:
    experiment, (first, second) = made(client, tmp_path)
    found = client.get(f"/experiments/{experiment}/datasets/data/data", params={"query": "Day=1"}).json()["items"]

    assert [item["id"] for item in found] == [second["id"]]
    assert client.get(f"/data/{first['id']}/thumbnail").headers["content-type"] == "image/png"
    assert client.get(f"/data/{first['id']}/image").json()["shape"] == [30, 40]
    part = client.get(f"/data/{first['id']}/file", headers={"Range": "bytes=0-1"})
    assert (part.status_code, len(part.content)) == (206, 2)


def test_an_annotation_is_undone_but_where_it_was_changed_since(client: httpx.Client, tmp_path: Path) -> None:
    experiment, (_, second) = made(client, tmp_path)
    place = f"/experiments/{experiment}/annotations"
    change = client.post(place, json={"query": "", "set": {"Day": "9", "Dose": "5"}}).json()
    client.post(place, json={"ids": [second["id"]], "set": {"Day": "8"}})
    undone = client.post(f"{place}/{change['change']}/undo").json()
    items = client.get(f"/experiments/{experiment}/datasets/data/data").json()["items"]

    assert change["count"] == 2
    assert [(item["key_values"]["Day"], item["key_values"].get("Dose", "")) for item in items] == [("0", ""), ("8", "")]
    assert [(kept["data"], kept["key"], kept["found"]) for kept in undone["kept"]] == [(second["id"], "Day", "8")]


def test_what_stands_far_behind_is_read_without_what_is_before(client: httpx.Client, tmp_path: Path) -> None:
    experiment, items = made(client, tmp_path)
    place = f"/experiments/{experiment}/datasets/data/data"
    skipped = client.get(place, params={"offset": 1, "limit": 1}).json()
    beyond = client.get(place, params={"offset": 7}).json()
    first = client.get(place, params={"limit": 1}).json()
    after = client.get(place, params={"cursor": first["next"], "offset": 1}).json()

    assert [item["id"] for item in skipped["items"]] == [items[1]["id"]]
    assert (skipped["next"], beyond["items"], after["items"]) == (None, [], [])
