"""The servers that the tests talk to: the double directly, behind a real Glacier2 router, and a real server.

Without the OMERO client every test that needs it is skipped, with the reason; where CI is set that is a failure.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HAS_CLIENT = importlib.util.find_spec("omero") is not None and importlib.util.find_spec("Ice") is not None
GLACIER2 = shutil.which("glacier2router")
IN_CI = bool(os.environ.get("CI"))
START = 60.0

collect_ignore = ["double"]


@dataclass
class Place:
    """A server, and how to get in."""

    host: str
    port: int
    user: str = "ada"
    password: str = field(default="adaada", repr=False)
    double: Double | None = None
    name: str = "double"

    def config(self, **more: Any) -> dict[str, Any]:
        return {"host": self.host, "port": self.port, "username": self.user, "password": self.password, **more}


class Double:
    """The process of the double."""

    def __init__(self, *arguments: str) -> None:
        self._lock = threading.Lock()
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "double", *arguments],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self._answer()["port"])

    def _read(self) -> None:
        for line in self.process.stdout or []:
            self._lines.put(line)

    def _answer(self) -> Any:
        return json.loads(self._lines.get(timeout=START))

    def command(self, text: str) -> Any:
        with self._lock:
            self.process.stdin.write(f"{text}\n")
            self.process.stdin.flush()
            return self._answer()

    def close(self) -> None:
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def router(inner: int, folder: Path) -> Iterator[int]:
    """Run Debian's Glacier2 router in front of a double."""
    port = free_port()
    cert, key, archive = folder / "cert.pem", folder / "key.pem", folder / "cert.p12"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*new, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    pack = ["openssl", "pkcs12", "-export", "-in", str(cert), "-inkey", str(key), "-out", str(archive)]
    subprocess.run([*pack, "-passout", "pass:double"], check=True, capture_output=True)
    settings = {
        "Glacier2.InstanceName": "OMERO.Glacier2",
        "Glacier2.Client.Endpoints": f"ssl -h 127.0.0.1 -p {port}",
        "Glacier2.Server.Endpoints": "tcp -h 127.0.0.1",
        "Glacier2.SessionManager": f"Manager:tcp -h 127.0.0.1 -p {inner}",
        "Glacier2.PermissionsVerifier": f"Verifier:tcp -h 127.0.0.1 -p {inner}",
        "Glacier2.Client.ForwardContext": "1",
        "Glacier2.SessionTimeout": "600",
        "Ice.Plugin.IceSSL": "IceSSL:createIceSSL",
        "IceSSL.CertFile": str(archive),
        "IceSSL.Password": "double",
        "IceSSL.VerifyPeer": "0",
        "Ice.MessageSizeMax": "250000",
        "Ice.ACM.Client.Timeout": "0",
    }
    config = folder / "glacier2.cfg"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    process = subprocess.Popen([str(GLACIER2), f"--Ice.Config={config}"])
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"glacier2router ended with status {process.returncode}", pytrace=False)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail("glacier2router does not listen", pytrace=False)


def lacking(what: str) -> None:
    """Skip, visibly; where CI is set that is a failure."""
    if IN_CI:
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def client() -> None:
    """Need the OMERO client."""
    if not HAS_CLIENT:
        lacking("the OMERO client is not installed: see 'Installing' in README.md")
    from bioimageit_omero.ice import import_client

    import_client()  # quietly: its modules warn when they are compiled, and warnings are errors here


@pytest.fixture
def new_double(client: None) -> Any:
    """Give what starts a double of one's own."""
    return Double


@pytest.fixture(scope="session")
def double_place(client: None) -> Iterator[Place]:
    """Give the double, connected to directly."""
    double = Double()
    try:
        yield Place("127.0.0.1", double.port, double=double)
        assert double.command("calls")["refused"] == [], "the double was asked for what it does not implement"
    finally:
        double.close()


@pytest.fixture(scope="session")
def routed_place(client: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a double behind a real Glacier2 router."""
    if GLACIER2 is None:
        lacking("glacier2router is not installed: apt-get install --no-install-recommends zeroc-glacier2")
    double = Double("--behind-router")
    try:
        with router(double.port, tmp_path_factory.mktemp("glacier2")) as port:
            yield Place("127.0.0.1", port, double=double, name="glacier2")
        assert double.command("calls")["refused"] == [], "the double was asked for what it does not implement"
    finally:
        double.close()


@pytest.fixture(scope="session")
def real_place(client: None) -> Place:
    """Give a real server, where the environment names one."""
    names = ("OMERO_HOST", "OMERO_PORT", "OMERO_USER", "OMERO_PASS")
    if not all(os.environ.get(name) for name in names):
        pytest.skip(f"no real server: set {', '.join(names)}")
    host, port, user, password = (os.environ[name] for name in names)
    return Place(host, int(port), user, password, name="real")


@pytest.fixture(
    scope="session",
    params=[
        "double",
        pytest.param("glacier2", marks=pytest.mark.glacier2),
        *([pytest.param("real", marks=pytest.mark.real)] if os.environ.get("OMERO_HOST") else []),
    ],
)
def place(request: pytest.FixtureRequest) -> Place:
    """Give each server in turn."""
    names = {"double": "double_place", "glacier2": "routed_place", "real": "real_place"}
    found: Place = request.getfixturevalue(names[request.param])
    return found


@pytest.fixture(autouse=True)
def forgetting(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test work among what others left: queries of the double take as long as there are rows."""
    yield
    for name in {"place", "double_place", "routed_place"}.intersection(request.fixturenames):
        if double := request.getfixturevalue(name).double:
            double.command("forget")


def make_service(place: Place, **config: Any) -> Any:
    from bioimageit_omero import OmeroMetadataServiceBuilder

    return OmeroMetadataServiceBuilder()(**place.config(**config))


@pytest.fixture
def new_service(place: Place) -> Iterator[Any]:
    """Give what makes services on the server; all are closed afterwards."""
    made: list[Any] = []

    def make(**config: Any) -> Any:
        made.append(make_service(place, **config))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(new_service: Any) -> Any:
    """Give a service."""
    return new_service()


@pytest.fixture
def experiment(service: Any) -> Any:
    """Give a new experiment."""
    return service.create_experiment(f"test {uuid.uuid4().hex[:12]}", "ada", "2024-02-29", ["Population"], "")
