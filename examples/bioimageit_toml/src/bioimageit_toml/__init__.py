"""A tools plugin that reads tools from a TOML file: a few lines a tool, for small scripts of one's own."""

import os
import tomllib
from typing import Any

from bioimageit_core.containers import (
    IO_INPUT,
    IO_OUTPUT,
    IO_PARAM,
    PARAM_FILE,
    PARAM_NUMBER,
    PARAM_STRING,
    Pipeline,
    Tool,
    ToolIndexContainer,
    ToolParameterContainer,
    ToolsCategoryContainer,
)
from bioimageit_core.core.exceptions import ToolNotFoundError, ToolsServiceError

plugin_info = {"name": "TOML", "type": "tools", "builder": "TomlToolsServiceBuilder"}


class TomlToolsServiceBuilder:
    """Make the service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: TomlToolsService | None = None

    def __call__(self, file: str = "tools.toml", **_ignored: Any) -> "TomlToolsService":
        if not self._instance:
            self._instance = TomlToolsService(file)
        return self._instance


class TomlToolsService:
    """Read tools from a file; it inherits from nothing."""

    def __init__(self, file: str) -> None:
        self.file = os.path.abspath(file)

    # --8<-- [start:read]
    def read_tool(self, uri: str) -> Tool:
        file, _, id_ = uri.partition("#")
        found = [entry for entry in self._entries(file) if entry.get("id") == id_]
        if not found:
            raise ToolNotFoundError(id_)
        entry = found[0]
        tool = Tool(id_, entry.get("name", id_), str(entry.get("version", "1")), uri=uri)
        tool.description, tool.help = entry.get("description", ""), entry.get("help", "")
        tool.command = entry["command"]
        tool.categories = entry.get("categories", [])
        for name, format_ in entry.get("inputs", {}).items():
            tool.inputs.append(ToolParameterContainer(name, type=PARAM_FILE, io=IO_INPUT, is_data=True, format=format_))
        for name, default in entry.get("parameters", {}).items():
            kind = PARAM_NUMBER if isinstance(default, int | float) else PARAM_STRING
            tool.inputs.append(
                ToolParameterContainer(name, type=kind, io=IO_PARAM, default_value=default, value=default)
            )
        for name, format_ in entry.get("outputs", {}).items():
            tool.outputs.append(
                ToolParameterContainer(name, type=PARAM_FILE, io=IO_OUTPUT, is_data=True, format=format_)
            )
        return tool

    def _entries(self, file: str) -> list[dict[str, Any]]:
        try:
            with open(file, "rb") as source:
                entries = tomllib.load(source).get("tool", [])
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ToolsServiceError(f"{file}: {error}") from error
        for number, entry in enumerate(entries, 1):
            if "id" not in entry or "command" not in entry:
                raise ToolsServiceError(f"{file}: tool {number} needs 'id' and 'command'")
        return list(entries)

    # --8<-- [end:read]
    # --8<-- [start:find]
    def _tools(self) -> list[Tool]:
        return [self.read_tool(f"{self.file}#{entry['id']}") for entry in self._entries(self.file)]

    def search(self, keyword: str = "") -> list[ToolIndexContainer]:
        word = keyword.lower()
        tools = [tool for tool in self._tools() if word in f"{tool.id} {tool.name} {tool.description}".lower()]
        return [ToolIndexContainer(tool.id, tool.name, tool.version, tool.uri, tool.description) for tool in tools]

    def get_tool(self, fullname: str) -> Tool:
        for tool in self._tools():
            if tool.fullname() == fullname:
                return tool
        raise ToolNotFoundError(fullname)

    def get_categories(self, parent: str) -> list[ToolsCategoryContainer]:
        names = sorted({name for tool in self._tools() for name in tool.categories})
        return [] if parent else [ToolsCategoryContainer(name, name) for name in names]

    def get_category_tools(self, category: str) -> list[ToolIndexContainer]:
        names = {tool.fullname() for tool in self._tools() if category in tool.categories}
        return [index for index in self.search() if index.fullname() in names]

    def get_pipeline(self, uri: str) -> Pipeline:
        from bioimageit_core.plugins.tools_local import LocalToolsService

        return LocalToolsService().get_pipeline(uri)  # pipelines are files of the same form everywhere

    # --8<-- [end:find]
