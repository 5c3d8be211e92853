"""Commands: deleting, moving to another group, giving to another user, permissions of groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import omero

from . import graphs
from .servants import Service
from .store import Caller, Store, StoreError

__all__ = ["Handle"]


def _delete(store: Store, caller: Caller, targets: graphs.Targets, request: Any) -> graphs.Targets:
    return graphs.delete(store, caller, targets, request.childOptions or [], is_dry=request.dryRun)


def _move(store: Store, caller: Caller, targets: graphs.Targets, request: Any) -> graphs.Targets:
    return graphs.move(store, caller, targets, request.groupId, request.childOptions or [])


def _give(store: Store, caller: Caller, targets: graphs.Targets, request: Any) -> graphs.Targets:
    return graphs.give(store, caller, targets, request.userId, request.childOptions or [])


def _permit(store: Store, caller: Caller, targets: graphs.Targets, request: Any) -> graphs.Targets:
    return graphs.change_permissions(store, caller, targets, request.permissions)


_Operation = Callable[[Store, Caller, graphs.Targets, Any], graphs.Targets]
_COMMANDS: tuple[tuple[Any, Any, _Operation], ...] = (
    (omero.cmd.Delete2, omero.cmd.Delete2Response, _delete),
    (omero.cmd.Chgrp2, omero.cmd.Chgrp2Response, _move),
    (omero.cmd.Chown2, omero.cmd.Chown2Response, _give),
    (omero.cmd.Chmod2, omero.cmd.Chmod2Response, _permit),
)


class Handle(Service):
    """A command that was run."""

    interface = omero.cmd.Handle

    def __init__(self, session: Any, request: Any) -> None:
        super().__init__(session)
        self.request = request
        self.response: Any = None

    def run(self, caller: Caller) -> None:
        """Run it."""
        self.response = self._run(self.request, caller)

    def _run(self, request: Any, caller: Caller) -> Any:
        if isinstance(request, omero.cmd.DoAll):
            response = omero.cmd.DoAllRsp()
            with self.store.transaction(caller):
                response.responses = [self._run(part, caller) for part in request.requests]
            response.status = []
            return response
        for kind, response_kind, operation in _COMMANDS:
            if isinstance(request, kind):
                self.session.server.faults.before_write()
                targets = {cls.rsplit(".", 1)[-1]: list(ids) for cls, ids in request.targetObjects.items()}
                everywhere = dataclasses.replace(caller, group=-1)  # whichever group the call is about
                with self.store.transaction(everywhere):
                    done = operation(self.store, everywhere, targets, request)
                return response_kind({f"ome.model.{cls}": ids for cls, ids in done.items()})
        self.session.server.faults.refused.append(type(request).__name__)
        raise StoreError("ApiUsageException", f"the double does not implement the command {type(request).__name__}")

    def addCallback(self, _: Any) -> None:
        """Accept a callback; clients poll."""

    removeCallback = addCallback

    def getRequest(self) -> Any:
        """Give the command."""
        return self.request

    def getResponse(self) -> Any:
        """Give what came of it."""
        return self.response

    def getStatus(self) -> Any:
        """Say how far it is: at its end."""
        status = omero.cmd.Status()
        failed = isinstance(self.response, omero.cmd.ERR)
        status.flags = [omero.cmd.State.FAILURE] if failed else [omero.cmd.State.ALL]
        status.currentStep = status.steps = 1
        return status

    def cancel(self) -> bool:
        """Say that it is too late."""
        return False
