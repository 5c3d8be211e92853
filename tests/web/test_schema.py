"""The API does what its OpenAPI document says, whatever is asked: schemathesis asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bioimageit_core.api import Request
from bioimageit_core.web.app import create_app
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import Settings

TOKEN = "a-token-of-this-test"


@pytest.mark.slow
def test_schemathesis_finds_nothing(request_: Request, tmp_path: Path) -> None:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s"), token=TOKEN))
    with serving(app) as url:
        httpx.get(f"{url}/api/v1/openapi.json", timeout=60)  # made at the first call; schemathesis is impatient
        command = [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", f"{url}/api/v1/openapi.json"]
        options = ["--max-examples", "5", "--seed", "1", "--generation-database", "none", "--no-color"]
        phases = ["--phases", "examples,coverage,fuzzing", "--request-timeout", "60"]
        # a schema cannot say which names can be stored, nor the grammar of queries: refusing such a value is right
        phases += ["--exclude-checks", "positive_data_acceptance"]
        done = subprocess.run(
            [*command, "-H", f"Authorization: Bearer {TOKEN}", *options, *phases],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=tmp_path,
            check=False,
        )

    assert done.returncode == 0, done.stdout[-9000:]


def test_an_address_tells_all_methods_that_it_takes(request_: Request, tmp_path: Path) -> None:
    app = create_app(request_, Settings(state_dir=str(tmp_path / "s")))
    with serving(app) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        answers = [client.options("/experiments"), client.get("/service/undo")]
        missing = client.get("/nothing")

    assert [(each.status_code, each.headers["allow"]) for each in answers] == [(405, "GET, POST"), (405, "POST")]
    assert json.loads(missing.text)["status"] == 404
