"""The connection to a server: made when needed, made again when lost; calls, and what their errors mean."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bioimageit_core.core.exceptions import ConfigError, DataServiceError

from bioimageit_omero.failures import is_lost, message_of, translated
from bioimageit_omero.ice import import_client, model, rlong, rstring
from bioimageit_omero.settings import Settings

__all__ = ["ALL_GROUPS", "Session"]

ALL_GROUPS = -1

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_BLOCK = 2**20
_IDLE = 30.0  # seconds after which a connection is tried before it is written to
_KEEP_ALIVE = 60


class Session:
    """A session of a user at a server. May be used by several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._client: Any = None
        self._uuid = settings.session_key
        self._used = 0.0
        self._facts: dict[str, Any] = {}

    # connecting

    def client(self) -> Any:
        """Give the connected client; connect if need be.

        Raises
        ------
        DataServiceError
            The client is not installed, the server cannot be reached, or it refuses the user.
        """
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        omero = import_client()
        if not self.settings.host:
            raise DataServiceError("OMERO: no host: set it in the configuration, or OMERO_HOST in the environment")
        try:
            user, password = self.settings.credentials()
        except ConfigError as error:
            raise DataServiceError(str(error)) from error
        known = [(self._uuid, self._uuid)] if self._uuid else []
        failure: Exception | None = None
        for name, word in [*known, *([] if self.settings.session_key else [(user, password)])]:
            with _quiet():
                client = omero.client(host=self.settings.host, port=self.settings.port)
            client.setAgent("bioimageit-omero")
            try:
                client.createSession(name, word).detachOnDestroy()
            except Exception as error:  # noqa: BLE001 - Ice has no common base; it is translated, not swallowed
                failure = error
                with contextlib.suppress(Exception):
                    client.closeSession()
                continue
            client.enableKeepAlive(_KEEP_ALIVE)
            self._uuid = client.getSessionId()
            atexit.register(self.close)
            return client
        assert failure is not None  # noqa: S101 - the loop ran at least once
        raise self._refused(failure) from failure

    def _refused(self, error: Exception) -> DataServiceError:
        where = f"{self.settings.host}:{self.settings.port}"
        name = type(error).__name__
        if "PermissionDenied" in name or "CannotCreateSession" in name:
            if self.settings.session_key:
                return DataServiceError(f"OMERO: {where} knows no session with the key that is configured")
            return DataServiceError(
                f"OMERO: {where} does not accept user {self.settings.username!r} with this password"
            )
        return DataServiceError(f"OMERO: cannot reach {where}: {name}: {message_of(error)}")

    def forget_connection(self, client: Any) -> None:
        """Give a lost connection up; the next call joins the session again, or makes one."""
        with self._lock:
            if self._client is client:
                self._client = None
        with contextlib.suppress(Exception):
            client.closeSession()

    def close(self) -> None:
        """End the connection, and the session unless it was somebody else's."""
        atexit.unregister(self.close)
        with self._lock:
            client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(Exception):
            if self.settings.session_key:
                client.closeSession()
            else:
                client.killSession()
        if not self.settings.session_key:
            self._uuid = ""

    # calling

    def call(self, operation: Callable[[Any], T], *, is_write: bool = False) -> T:
        """Call `operation` with the client; once more if the session turns out to be lost.

        A write is made again only where the server cannot have begun with it.

        Raises
        ------
        DataServiceError
            The server refuses it, or cannot be reached.
        """
        import_client()
        client = self.client()
        if is_write and time.monotonic() - self._used > _IDLE and not _is_alive(client):
            self.forget_connection(client)
            client = self.client()
        try:
            result = operation(client)
        except Exception as error:
            if isinstance(error, DataServiceError):
                raise
            if not is_lost(error, is_write=is_write):
                raise translated(error) from error
            _logger.info("the session at %s was lost (%s); joining it again", self.settings.host, type(error).__name__)
            self.forget_connection(client)
            try:
                result = operation(self.client())
            except DataServiceError:
                raise
            except Exception as again:
                raise translated(again) from again
        self._used = time.monotonic()
        return result

    def fact(self, name: str, read: Callable[[Any], T]) -> T:
        """Give what the server says once and for all; asked for once."""
        if name not in self._facts:
            self._facts[name] = self.call(read)
        found: T = self._facts[name]
        return found

    @property
    def user(self) -> int:
        """Identity of the user."""
        return self.fact("user", lambda c: int(c.sf.getAdminService().getEventContext().userId))

    @property
    def default_group(self) -> int:
        """Identity of the group that new experiments are made in."""
        if self.settings.group:
            return self.group_named(self.settings.group)
        return self.fact("group", lambda c: int(c.sf.getAdminService().getEventContext().groupId))

    @property
    def database(self) -> str:
        """Identity of the server's database."""
        return self.fact("database", lambda c: str(c.sf.getConfigService().getDatabaseUuid()))

    def groups(self) -> dict[str, int]:
        """Give the names and identities of the user's groups."""
        text = "select g.name, g.id from GroupExperimenterMap m join m.parent g where m.child.id = :user"
        return {name: int(id_) for name, id_ in self.rows(text, {"user": self.user})}

    def group_named(self, name: str) -> int:
        """Find a group of the user by its name or number.

        Raises
        ------
        DataServiceError
            The user is not a member of it.
        """
        groups = self.groups()
        found = groups.get(name, int(name) if name.isdigit() and int(name) in groups.values() else None)
        if found is None:
            raise DataServiceError(f"OMERO: no group {name!r} of this user (groups: {', '.join(sorted(groups))})")
        return found

    # reading

    def objects(self, text: str, parameters: Mapping[str, Any], group: int = ALL_GROUPS) -> list[Any]:
        """Read the objects that an HQL query selects, each once."""
        made = self.call(
            lambda c: c.sf.getQueryService().findAllByQuery(text, _parameters(parameters), _context(c, group))
        )
        return list({(type(o).__name__, o.id.val): o for o in made}.values())

    def rows(self, text: str, parameters: Mapping[str, Any], group: int = ALL_GROUPS) -> list[list[Any]]:
        """Read the values that an HQL query selects."""
        unwrap = import_client().rtypes.unwrap
        found = self.call(
            lambda c: c.sf.getQueryService().projection(text, _parameters(parameters), _context(c, group))
        )
        return [[unwrap(value) for value in row] for row in found]

    @contextlib.contextmanager
    def stateful(self, create: str, *, group: int = ALL_GROUPS, is_write: bool = False) -> Iterator[_Stateful]:
        """Open a stateful service, such as ``createRawFileStore``, and close it after the block."""
        opened = self.call(lambda c: (getattr(c.sf, create)(), _context(c, group)), is_write=is_write)
        service = opened[0]
        try:
            yield _Stateful(*opened)
        except DataServiceError:
            raise
        except Exception as error:
            raise translated(error) from error
        finally:
            with contextlib.suppress(Exception):
                service.close()

    def read_file(self, file_id: int, length: int) -> Iterator[bytes]:
        """Read an original file in blocks."""
        with self.stateful("createRawFileStore") as store:
            store.setFileId(file_id)
            for offset in range(0, length, _BLOCK):
                yield store.read(offset, min(_BLOCK, length - offset))

    # writing

    def save(self, objects: Sequence[Any], group: int) -> list[Any]:
        """Store objects, all or none, and give them back with their identities.

        Raises
        ------
        ConflictError
            Somebody else changed one of them.
        """
        if not objects:
            return []
        found: list[Any] = self.call(
            lambda c: c.sf.getUpdateService().saveAndReturnArray(list(objects), _context(c, group)), is_write=True
        )
        return found

    def delete(self, targets: Mapping[str, Sequence[int]], group: int) -> None:
        """Delete objects, all or none, with the annotations that nothing else has."""
        wanted = {cls: list(ids) for cls, ids in targets.items() if ids}
        if not wanted:
            return
        omero = import_client()

        def submit(client: Any) -> None:
            command = omero.cmd.Delete2(targetObjects=wanted)
            callback = client.submit(command, loops=240, ms=500, ctx=_context(client, group))
            callback.close(True)

        self.call(submit, is_write=True)

    def upload(self, path: Path, name: str, mimetype: str, group: int) -> Any:
        """Store a file as an ``OriginalFile``; its size and checksum are compared.

        Raises
        ------
        DataServiceError
            It cannot be read, or what the server has is not what was sent; then the file is deleted there.
        """
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DataServiceError(f"cannot read {str(path)!r}: {error}") from error
        made = model().OriginalFileI()
        made.name, made.path = rstring(name), rstring("bioimageit/")
        made.size, made.mimetype = rlong(size), rstring(mimetype)
        made.hasher = model().ChecksumAlgorithmI()
        made.hasher.value = rstring("SHA1-160")
        (made,) = self.save([made], group)
        try:
            digest = hashlib.sha1(usedforsecurity=False)
            with path.open("rb") as file, self.stateful("createRawFileStore", group=group, is_write=True) as store:
                store.setFileId(made.id.val)
                offset = 0
                while block := file.read(_BLOCK):
                    digest.update(block)
                    store.write(block, offset, len(block))
                    offset += len(block)
                stored = store.save() if size else None
            if stored is not None and (stored.size.val, stored.hash.val) != (size, digest.hexdigest()):
                raise DataServiceError(f"OMERO: {name!r} arrived with another checksum than it was sent with")
        except (OSError, DataServiceError) as error:
            with contextlib.suppress(DataServiceError):
                self.delete({"OriginalFile": [made.id.val]}, group)
            if isinstance(error, OSError):
                raise DataServiceError(f"cannot read {str(path)!r}: {error}") from error
            raise
        return model().OriginalFileI(made.id.val, False)


class _Stateful:
    """A stateful service whose operations are called in one group."""

    def __init__(self, service: Any, context: dict[str, str]) -> None:
        self._service = service
        self._context = context

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = getattr(self._service, name)
        return lambda *arguments: operation(*arguments, self._context)


def _is_alive(client: Any) -> bool:
    try:
        client.sf.ice_ping()
    except Exception:  # noqa: BLE001 - whatever it is, the connection does not answer
        return False
    return True


def _context(client: Any, group: int) -> dict[str, str]:
    found: dict[str, str] = client.getContext(group)
    return found


def _parameters(values: Mapping[str, Any]) -> Any:
    omero = import_client()

    def wrapped(value: Any) -> Any:
        if isinstance(value, int):
            return rlong(value)
        if isinstance(value, str):
            return rstring(value)
        return omero.rtypes.rlist([wrapped(item) for item in value])

    made = omero.sys.ParametersI()
    for name, value in values.items():
        made.add(name, wrapped(value))
    return made


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client from configuring the root logger, which belongs to the application."""
    root = logging.getLogger()
    guard = logging.NullHandler()
    root.addHandler(guard)
    try:
        yield
    finally:
        root.removeHandler(guard)
