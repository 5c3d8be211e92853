"""What the errors of the client mean."""

from __future__ import annotations

from bioimageit_core.core.exceptions import ConflictError, DataServiceError

__all__ = ["is_lost", "message_of", "translated"]

_NOT_BEGUN = {
    "ObjectNotExistException",
    "RemovedSessionException",
    "SessionTimeoutException",
    "SessionNotExistException",
    "ConnectionRefusedException",
    "CloseConnectionException",
    "CommunicatorDestroyedException",
    "ObjectAdapterDeactivatedException",
}
_UNKNOWN = {
    "ConnectionLostException",
    "ConnectionTimeoutException",
    "TimeoutException",
    "ForcedCloseConnectionException",
}


def translated(error: Exception) -> Exception:
    """Make an error of the library from what the client raised."""
    name = type(error).__name__
    if name == "OptimisticLockException":
        return ConflictError(f"OMERO: somebody else changed it in the meantime: {message_of(error)}")
    if name.endswith("SecurityViolation"):
        return DataServiceError(f"OMERO: not permitted: {message_of(error)}")
    module = type(error).__module__
    if module.split(".")[0] in ("omero", "Ice", "Glacier2", "IcePy"):
        return DataServiceError(f"OMERO: {name}: {message_of(error)}")
    return error


def message_of(error: Exception) -> str:
    """Say in one line what the client said."""
    text = getattr(error, "message", None) or getattr(error, "reason", None) or getattr(error, "err", None)
    if text is None:
        text = str(error)
    return " ".join(str(text).split())[:500]


def is_lost(error: Exception, *, is_write: bool) -> bool:
    """Say whether a call failed for want of a connection and may be made again; a write, only if it had not begun."""
    name = type(error).__name__
    return name in _NOT_BEGUN or (not is_write and name in _UNKNOWN)
