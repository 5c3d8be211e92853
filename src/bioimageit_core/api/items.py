"""What runners of other machines execute there: single commands, and whole items that stage through a remote home."""

from __future__ import annotations

import functools
import os
import platform
from threading import Event
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, Finished
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.plugins import far_end

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import RunnerService

__all__ = ["execute"]


def execute(tool: Tool, command: Command, inner: RunnerService, stop: Event | None = None) -> Finished:
    """Execute a command on this machine for a runner on another, or do the item that it stands for.

    Whatever becomes of it is in what is returned.

    Parameters
    ----------
    inner
        Set up for the tool already.
    stop
        When set, it is ended.
    """
    if not command.item:
        return far_end.execute(tool, command, inner, stop)
    host = platform.node()
    try:
        return _do(command, inner, stop)
    except BioImageITError as error:
        return Finished(None, reason=f"cannot be done on {host}: {error}", host=host)
    except Exception as error:  # noqa: BLE001 - of a plugin; it is told where it can be seen
        return Finished(None, reason=f"cannot be done on {host}: {type(error).__name__}: {error}", host=host)


def _do(command: Command, inner: RunnerService, stop: Event | None) -> Finished:
    import msgspec

    from bioimageit_core.jobs.far_items import FarItem, do_item

    far = msgspec.convert(command.item, FarItem)
    options = {key: value for key, value in far.home.items() if key != "service"}
    service = far_end.Home(str(far.home["service"]), options).service(far.user)
    return do_item(far, _in_turns(service), _tool(far.tool, far.tool_uri), inner, stop, command.env)


@functools.lru_cache(maxsize=16)
def _in_turns(service: Any) -> Any:
    """Let the threads of a machine share a service, one at a time; it is the same one for the same configuration."""
    from bioimageit_core.jobs.pipelines import serialized

    return serialized(service)


def _tool(fullname: str, uri: str) -> Tool:
    """Read a tool where its wrapper was on the other machine, else from the toolbox that comes with the package."""
    from bioimageit_core.core.wrappers import read_wrapper
    from bioimageit_core.plugins.tools_factory import toolsServices

    path = uri.removeprefix("file://")
    if os.path.isfile(path):
        return read_wrapper(path)
    found: Tool = toolsServices.get("LOCAL").get_tool(fullname)
    return found
