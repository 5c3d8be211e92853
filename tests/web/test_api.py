"""The API on a LOCAL home: who may do what, pages, ids, and problems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

from bioimageit_core.api import Request
from bioimageit_core.containers import Container, Experiment, Job, ProcessedData, Run
from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.web.app import create_app
from bioimageit_core.web.security.users import Users
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import Settings

API = "/api/v1"


@pytest.fixture
def open_client(request_: Request, tmp_path: Path) -> Iterator[Client]:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s")))
    with serving(app) as url, Client(base_url=url, timeout=60) as client:
        client.headers["X-CSRF-Token"] = client.get(f"{API}/session").json()["csrf"]
        yield client


@pytest.fixture
def client(request_: Request, tmp_path: Path, users: str) -> Iterator[Client]:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s"), users_file=users))
    with serving(app) as url, Client(base_url=url, timeout=60) as client:
        yield client


def sign_in(client: Client, password: str) -> Any:
    csrf = client.get(f"{API}/session").json()["csrf"]
    answer = client.post(f"{API}/session", json={"name": "grace", "password": password}, headers={"X-CSRF-Token": csrf})
    client.headers["X-CSRF-Token"] = answer.json().get("csrf") or csrf
    return answer


def data_url(client: Client) -> str:
    return f"{API}/experiments/{client.get(f'{API}/experiments').json()['items'][0]['id']}/datasets/data/data"


def test_pages_follow_each_other_without_gap(open_client: Client) -> None:
    first = open_client.get(data_url(open_client), params={"limit": 2}).json()
    second = open_client.get(data_url(open_client), params={"limit": 2, "cursor": first["next"]}).json()

    assert [item["name"] for item in first["items"] + second["items"]] == ["a0.tif", "a1.tif", "a2.tif"]
    assert (first["total"], second["next"]) == (3, None)


def test_a_window_anywhere_is_read_at_once(open_client: Client) -> None:
    asked = {"limit": 1, "offset": 1}
    window = open_client.get(data_url(open_client), params=asked).json()
    after = open_client.get(data_url(open_client), params={**asked, "cursor": window["next"], "offset": 0}).json()
    selected = open_client.get(data_url(open_client), params={**asked, "query": "name!=a0.tif"}).json()
    beyond = open_client.get(data_url(open_client), params={"offset": 2**53 - 1}).json()

    assert [page["items"][0]["name"] for page in (window, after, selected)] == ["a1.tif", "a2.tif", "a2.tif"]
    assert (after["next"], selected["next"], beyond["items"]) == (None, None, [])
    assert open_client.get(data_url(open_client), params={"offset": -1}).status_code == 422


def test_results_have_the_annotations_of_their_origin_where_they_are_asked_for(
    open_client: Client, request_: Request
) -> None:
    made_of_the_first(request_)
    where = data_url(open_client).replace("/datasets/data/", "/datasets/made/")
    (plain,) = open_client.get(where).json()["items"]
    (item,) = open_client.get(where, params={"inherited": True}).json()["items"]

    assert (plain["key_values"], item["key_values"]) == ({}, {"Day": "0"})


def test_a_lineage_says_what_can_be_looked_at_as_an_image(open_client: Client, request_: Request) -> None:
    made_of_the_first(request_)
    first = open_client.get(data_url(open_client)).json()["items"][0]["id"]
    nodes = open_client.get(f"{API}/data/{first}/lineage").json()["nodes"]

    assert {node["name"]: node["is_image"] for node in nodes} == {"a0.tif": True, "t": False, "sizes": False}


def test_the_history_is_short_and_says_what_was_changed(open_client: Client, request_: Request) -> None:
    experiment = made_of_the_first(request_)
    request_.annotate_data(
        experiment, {data.md_uri: {"Long": "b" * 100} for data in request_.query(experiment, "data")}
    )
    place = data_url(open_client).partition("/datasets/")[0]
    items = open_client.get(f"{place}/history").json()["items"]

    assert items[0]["summary"] == f"annotate Long={'b' * 60}…"
    assert "result made/t" in [item["summary"] for item in items]


def made_of_the_first(request_: Request) -> Experiment:
    """Add a dataset with a table that was made of the first image."""
    (entry,) = request_.get_workspace_experiments()
    experiment: Experiment = entry["info"]
    dataset = request_.create_dataset(experiment, "made")
    run = Run()
    run.set_process("sizes", "sizes.xml")
    run.set_dataset(dataset)
    run = request_.create_run(dataset, run)
    result = ProcessedData()
    table = Path(experiment.md_uri).parent / "made" / "t.csv"
    table.write_text("area\n1\n")
    result.set_info("t", "ada", "2024-01-01", "tablecsv", str(table))
    result.run = Container(run.md_uri, run.uuid)
    result.add_input("input", request_.query(experiment, "data")[0])
    result.set_output("table", "Sizes")
    request_.create_data(dataset, run, result)
    return request_.get_experiment(experiment.md_uri)


def test_experiments_come_in_pages(open_client: Client) -> None:
    for name in ("Second", "Third"):
        open_client.post(f"{API}/experiments", json={"name": name}).raise_for_status()
    whole = open_client.get(f"{API}/experiments").json()
    first = open_client.get(f"{API}/experiments", params={"limit": 2}).json()
    second = open_client.get(f"{API}/experiments", params={"limit": 2, "cursor": first["next"]}).json()

    assert [each["id"] for each in first["items"] + second["items"]] == [each["id"] for each in whole["items"]]
    assert (len(first["items"]), first["total"], second["next"], whole["next"]) == (2, 3, None, None)


def test_jobs_come_in_pages_that_new_jobs_do_not_shift(request_: Request, tmp_path: Path) -> None:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s")))
    with serving(app) as url, Client(base_url=url, timeout=60) as client:
        board = app.state.site.board
        ids = [board.add(Job(), "ada", "").id for _ in range(3)]  # fail at once: they have no tool
        first = client.get(f"{API}/jobs", params={"limit": 2}).json()
        board.add(Job(), "ada", "")
        second = client.get(f"{API}/jobs", params={"limit": 2, "cursor": first["next"]}).json()
        later = client.get(f"{API}/jobs", params={"cursor": "5"})

    assert [job["id"] for job in first["items"] + second["items"]] == ids[::-1]
    assert (first["total"], second["next"]) == (3, None)
    assert (later.status_code, later.json()["detail"]) == (422, "'5' is no cursor of this list")


def test_a_query_error_tells_its_place(open_client: Client) -> None:
    answer = open_client.get(data_url(open_client), params={"query": "Day>=1 AND )"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["place"]["start"] == 11


def test_a_file_is_read_by_ranges(open_client: Client) -> None:
    id_ = open_client.get(data_url(open_client)).json()["items"][1]["id"]
    answer = open_client.get(f"{API}/data/{id_}/file", headers={"Range": "bytes=2-4"})

    assert (answer.status_code, answer.content) == (206, b"\1\1\1")


@pytest.mark.parametrize("id_", ["x", "../../etc/passwd", "L3RtcC94", "%00"])
def test_an_id_that_the_server_did_not_make_leads_nowhere(open_client: Client, id_: str) -> None:
    assert open_client.get(f"{API}/data/{id_}/file").status_code == 404


def test_annotations_can_be_undone(open_client: Client) -> None:
    experiment = data_url(open_client).removesuffix("/datasets/data/data")
    body = {"query": "Day=1", "set": {"Dose": "5"}}
    change = open_client.post(f"{experiment}/annotations", json=body).json()
    selected = open_client.get(data_url(open_client), params={"query": "Dose=5"}).json()["total"]
    open_client.post(f"{experiment}/annotations/{change['change']}/undo")

    assert (change["count"], selected) == (1, 1)
    assert open_client.get(data_url(open_client), params={"query": "Dose=5"}).json()["total"] == 0


def test_without_its_csrf_token_nothing_is_changed(open_client: Client) -> None:
    answer = open_client.post(f"{API}/experiments", json={"name": "b"}, headers={"X-CSRF-Token": "x"})

    assert answer.status_code == 403


def test_another_host_is_refused(open_client: Client) -> None:
    assert open_client.get(f"{API}/session", headers={"Host": "evil.example"}).status_code == 400


def test_nobody_reads_before_he_signs_in(client: Client) -> None:
    assert client.get(f"{API}/experiments").status_code == 401
    assert sign_in(client, "wrong password").status_code == 401
    assert sign_in(client, "a long password").json()["role"] == "reader"
    assert client.get(f"{API}/experiments").status_code == 200


def test_a_reader_changes_nothing_and_reads_no_audit(client: Client) -> None:
    sign_in(client, "a long password")

    assert client.post(f"{API}/experiments", json={"name": "b"}).status_code == 403
    assert client.get(f"{API}/audit").status_code == 403


def test_signing_in_can_be_tried_five_times_a_minute(client: Client) -> None:
    assert [sign_in(client, "wrong password").status_code for _ in range(6)][-1] == 429


def test_a_removed_user_is_out_at_once(client: Client, users: str) -> None:
    sign_in(client, "a long password")
    Users(users).remove("grace")

    assert client.get(f"{API}/experiments").status_code == 401


def test_passwords_and_tokens_are_kept_as_hashes(users: str) -> None:
    token = Users(users).new_token("grace")
    text = Path(users).read_text()

    assert "$argon2id$" in text
    assert token not in text
    assert "a long password" not in text


def test_other_addresses_need_a_token_or_users() -> None:
    with pytest.raises(ConfigError, match="--token"):
        Settings().check_address("0.0.0.0")
