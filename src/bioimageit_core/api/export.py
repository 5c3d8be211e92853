"""What is known of tools, as a JSON file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.serialize import to_document
from bioimageit_core.core.utils import generate_uuid

if TYPE_CHECKING:
    from bioimageit_core.api.tools import ToolRequests

__all__ = ["export_tools"]


def export_tools(requests: ToolRequests, path: str) -> None:
    """Write all tools as ``{"tools": [...]}``; one that cannot be read says so under ``error``.

    Raises
    ------
    ToolsServiceError
        The file cannot be written; what was there before stays.
    """
    tools = []
    for index in requests.search_tool():
        entry = {**to_document(index), "fullname": index.fullname()}
        try:
            entry |= to_document(requests.get_tool(index.fullname()))
        except ToolsServiceError as error:
            entry["error"] = str(error)
        tools.append(entry)
    text = json.dumps({"tools": tools}, indent=4, ensure_ascii=False, default=str)
    partial = f"{path}.{generate_uuid()[:8]}.part"
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if os.path.lexists(partial):
            os.remove(partial)
        raise ToolsServiceError(f"{path!r} cannot be written: {error.strerror or error}") from error
