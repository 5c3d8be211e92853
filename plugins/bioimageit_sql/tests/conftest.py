"""A real PostgreSQL, access to the tables that bypasses the service, and writes that fail."""

from __future__ import annotations

import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from bioimageit_sql.service import connect

from bioimageit_core.testing import FaultCounter

_UP_WITHIN = 30.0  # seconds


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "postgresql: needs PostgreSQL (Debian's package postgresql, or initdb on the path)"
    )


@dataclass
class Cluster:
    """A PostgreSQL of this session, reached through a socket in `directory`."""

    directory: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://test@/{database}?host={self.directory}"

    def execute(self, statement: str) -> None:
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(statement))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """Start a PostgreSQL that keeps nothing safe; where it is missing, that is a failure under ``CI=true``."""
    programs = _find_programs()
    directory = Path(tempfile.mkdtemp(prefix="pg-"))  # a short path: that of a socket has 107 bytes at most
    owner = _owner(directory)
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(directory)}
    options: dict[str, Any] = {"env": env, "cwd": directory, **owner}
    make = ["-D", "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run([programs / "initdb", *make], check=True, stdout=subprocess.DEVNULL, **options)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(directory),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "64MB",
        "max_connections": "60",
    }
    arguments = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen([programs / "postgres", "-D", "data", *arguments], stdout=log, stderr=log, **options)
    cluster = Cluster(directory, process)
    try:
        _wait(cluster)
        yield cluster
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown
        process.wait(20)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_postgresql_url(postgresql: Cluster) -> str:
    """Give a database for tests that do not mind what others keep in it; making one takes longer than most tests."""
    postgresql.execute("CREATE DATABASE shared")
    return postgresql.url("shared")


@pytest.fixture
def postgresql_url(postgresql: Cluster) -> Iterator[str]:
    """Give a database that has nothing in it, not even the schema."""
    name = f"t{uuid.uuid4().hex[:12]}"
    postgresql.execute(f"CREATE DATABASE {name}")
    yield postgresql.url(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _find_programs() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    program = found[-1] if found else shutil.which("initdb")
    if program is None:
        reason = "no PostgreSQL: initdb is not on the path, nor in /usr/lib/postgresql (apt-get install postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; with CI=true a service must not be missing", pytrace=False)
        pytest.skip(reason)
    return Path(program).parent


def _owner(directory: Path) -> dict[str, Any]:
    """Say who runs the server: it refuses to run as root."""
    if os.getuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(directory, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait(cluster: Cluster) -> None:
    deadline = time.monotonic() + _UP_WITHIN
    while True:
        try:
            cluster.execute("SELECT 1")
        except sa.exc.OperationalError:
            if cluster.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((cluster.directory / "log").read_text(), pytrace=False)
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty SQLite database once; copying it is faster than running the migrations."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    service = connect(f"sqlite:///{path}")
    _ = service.database.engine
    service.close()
    return path


@pytest.fixture
def read_row() -> Callable[[Any, str], dict[str, Any]]:
    """Give an access to the documents in the tables."""

    def read(service: Any, md_uri: str) -> dict[str, Any]:
        _, table, id_ = md_uri.split("/")
        engine = sa.create_engine(service.database.engine.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            text = connection.scalar(sa.text(f"SELECT document FROM {table} WHERE id = {int(id_)}"))
        document: dict[str, Any] = json.loads(text)
        return document

    return read


@pytest.fixture
def make_fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Make a statement, a commit or the storing of a file fail."""

    def make(service: Any) -> Any:
        counter = FaultCounter()

        def before(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
                counter.before_write()

        sa.event.listen(service.database.engine, "before_cursor_execute", before)
        sa.event.listen(service.database.engine, "commit", lambda _connection: counter.before_write())
        put = service.contents._put_file

        def put_file(*arguments: Any) -> None:
            counter.before_write()
            put(*arguments)

        monkeypatch.setattr(service.contents, "_put_file", put_file)
        return counter.at

    return make
