"""From an Ice interface and an implementation to a servant; what is not implemented is refused loudly."""

from __future__ import annotations

import collections
import sys
import threading
import traceback
from typing import Any

import omero

from .model import returns
from .store import StoreError

__all__ = ["Faults", "Service", "operations_of", "servant_of", "server_error"]


class Faults:
    """What the server was asked, counted, and which write is to fail."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.refused: list[str] = []
        self.countdown = 0
        self.has_fired = False
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        """Count a call."""
        with self._lock:
            self.calls[name] += 1

    def before_write(self) -> None:
        """Fail, if this is the write that is to fail."""
        with self._lock:
            self.countdown -= 1
            if self.countdown != 0:
                return
            self.has_fired = True
        raise StoreError("ResourceError", "no space left on device (injected)")


class Service:
    """The implementation of one interface, for one session: a method for each operation, without ``current``.

    Attributes
    ----------
    session
        The `double.sessions.Factory` that it belongs to.
    context
        Of the call that is answered: the caller, as the store wants to know it. One service answers one call at a time.
    """

    interface: Any = None
    writes: frozenset[str] = frozenset()
    is_stateful = False

    def __init__(self, session: Any) -> None:
        self.session = session
        self.store = session.store
        self.caller: Any = None
        self.current: Any = None
        self.lock = threading.RLock()

    def close(self) -> None:
        """Close a stateful service; its servant is removed by the session."""
        self.session.forget(self)


def server_error(error: Exception) -> Exception:
    """Turn what an implementation raised into what the server would."""
    if isinstance(error, omero.ServerError):
        return error
    if isinstance(error, StoreError):
        kind = getattr(omero, error.kind)
        made = kind()
        made.message, made.serverExceptionClass = error.message, f"double.{error.kind}"
        return made
    made = omero.InternalException()
    made.message = f"{type(error).__name__}: {error}"
    made.serverStackTrace = "".join(traceback.format_exception(error))
    sys.stderr.write(f"the double failed: {made.serverStackTrace}\n")
    return made


def operations_of(interface: Any) -> list[str]:
    """List the operations of an interface."""
    return [n.removeprefix("_op_") for n in dir(interface) if n.startswith("_op_") and not n.startswith("_op_ice_")]


def servant_of(service: Service) -> Any:
    """Make the servant of a service."""
    interface = service.interface
    attributes: dict[str, Any] = {"__init__": lambda self: None}
    for operation in operations_of(interface):
        attributes[operation] = _synchronous(service, interface.__name__, operation)
        attributes[f"{operation}_async"] = _asynchronous(service, interface.__name__, operation)
    return type(f"{interface.__name__}Servant", (interface,), attributes)()


def _answer(service: Service, interface: str, operation: str, arguments: tuple[Any, ...], current: Any) -> Any:
    faults: Faults = service.session.server.faults
    faults.count(f"{interface}.{operation}")
    implementation = getattr(service, operation, None)
    if implementation is None:
        faults.refused.append(f"{interface}.{operation}")
        sys.stderr.write(f"the double does not implement {interface}.{operation}\n")
        raise server_error(StoreError("ApiUsageException", f"the double does not implement {interface}.{operation}"))
    if operation == "destroy":  # a connection may end after its session
        return implementation(*arguments)
    with service.lock, service.store.lock:
        try:
            service.current, service.caller = current, service.session.caller_of(current)
            if operation in service.writes:
                faults.before_write()
            return implementation(*arguments)
        except Exception as error:
            raise server_error(error) from error


def _synchronous(service: Service, interface: str, operation: str) -> Any:
    def call(_: Any, *arguments: Any) -> Any:
        return _answer(service, interface, operation, arguments[:-1], arguments[-1])

    return call


def _asynchronous(service: Service, interface: str, operation: str) -> Any:
    def call(_: Any, callback: Any, *arguments: Any) -> None:
        try:
            result = _answer(service, interface, operation, arguments[:-1], arguments[-1])
        except Exception as error:
            callback.ice_exception(error)
            return
        if not returns(service.interface, operation):
            callback.ice_response()
        else:
            callback.ice_response(result)

    return call
