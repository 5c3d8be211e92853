"""A LOCAL home to be served, and a provider that says who somebody is."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bioimageit_core.api import Request
from bioimageit_core.web.security.users import Users

CLAIMS = (
    {"sub": "1", "preferred_username": "grace", "email": "grace@lab.example", "email_verified": True},
    {"sub": "2", "preferred_username": "mallory", "email": "grace@lab.example"},
    {"sub": "3", "preferred_username": "<b>ada</b>"},
)


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
def users(tmp_path: Path) -> str:
    users = Users(str(tmp_path / "users.json"))
    users.add("grace", "reader", "a long password")
    return users.path


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    """Run a provider in a process of its own, a double made for tests: it takes everybody's word for who he is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    users = [part for claims in CLAIMS for part in ("--user-claims", json.dumps(claims))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *users]
    provider = subprocess.Popen(
        [*command, "--require-registration", "--require-nonce"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(provider, f"{url}/.well-known/openid-configuration")
        yield url
    finally:
        provider.terminate()
        provider.wait(20)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("the provider did not start", pytrace=False)
            time.sleep(0.1)
