"""The tools whose wrappers lie in local directories."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import (
    Pipeline,
    Tool,
    ToolIndexContainer,
    ToolsCategoryContainer,
)
from bioimageit_core.core import yaml_text
from bioimageit_core.core.exceptions import ConfigError, ToolNotFoundError, ToolsServiceError
from bioimageit_core.core.wrappers.pipelines import read_pipeline
from bioimageit_core.plugins.contracts import ToolsService

__all__ = ["LocalToolsService", "LocalToolsServiceBuilder", "plugin_info"]

plugin_info = {"name": "LOCAL", "type": "tools", "builder": "LocalToolsServiceBuilder"}

_SKIPPED = frozenset({"test-data", "test_data", "tool-data", "static", "__pycache__", "node_modules"})
_ROOTS = ("", "root")


@dataclass(frozen=True)
class _Entry:
    """A wrapper in the index."""

    index: ToolIndexContainer
    categories: tuple[str, ...]


class LocalToolsServiceBuilder:
    """Builds the service once."""

    def __init__(self) -> None:
        self._instance: LocalToolsService | None = None

    def __call__(
        self, xml_dirs: Sequence[str] | str = (), categories: str = "", toolbox: bool = True, **_ignored: Any
    ) -> LocalToolsService:
        """Give the service for the directories of a configuration."""
        if self._instance is None:
            directories = [xml_dirs] if isinstance(xml_dirs, str) else list(xml_dirs)
            self._instance = LocalToolsService(directories, categories, toolbox=toolbox)
        return self._instance


class LocalToolsService(ToolsService):
    """Finds wrappers in directories, and reads them when they are asked for.

    Nothing is read before the first question; a wrapper that cannot be read stops no other one and is listed by
    `broken_tools`.

    Parameters
    ----------
    xml_dirs
        Directories that are searched, with those in them.
    categories
        A JSON file of categories, beside those that ``.shed.yml`` files name; empty for none.
    toolbox
        Whether the tools that come with the package are there too.
    """

    def __init__(self, xml_dirs: Iterable[str] = (), categories: str = "", *, toolbox: bool = True) -> None:
        self._directories = [os.path.abspath(os.path.expanduser(os.fspath(path))) for path in xml_dirs if path]
        self._categories_file = os.path.expanduser(os.fspath(categories)) if categories else ""
        if toolbox:
            self._directories.append(os.path.join(os.path.dirname(os.path.dirname(__file__)), "toolbox"))
        self._entries: dict[str, _Entry] | None = None
        self._broken: dict[str, str] = {}

    def search(self, keyword: str = "") -> list[ToolIndexContainer]:
        """List the tools whose name, id or description contains `keyword`, in any case; all for ``''``."""
        wanted = keyword.strip().lower()
        found = [
            entry.index
            for entry in self._index().values()
            if wanted in f"{entry.index.name}\n{entry.index.id}\n{entry.index.description}".lower()
        ]
        return sorted(found, key=lambda item: (item.name.lower(), item.id, item.version))

    def get_tool(self, fullname: str) -> Tool:
        """Read the tool of a full name, ``{id}_v{version}``; a bare id stands for the only tool that has it.

        Raises
        ------
        ToolNotFoundError
            No tool has that name.
        """
        entries = list(self._index().values())
        exact = [entry for entry in entries if entry.index.fullname() == fullname]
        found = exact or [entry for entry in entries if entry.index.id == fullname]
        if not found or (len(found) > 1 and not exact):
            names = [entry.index.fullname() for entry in found or entries]
            similar = names if found else difflib.get_close_matches(fullname, names, 3)
            raise ToolNotFoundError(fullname, similar)
        return self.read_tool(found[0].index.uri)

    def read_tool(self, uri: str) -> Tool:
        """Read the tool that a wrapper describes.

        Raises
        ------
        ToolsServiceError
            The wrapper cannot be read; the message names file and line.
        """
        from bioimageit_core.core.wrappers.engine import read_wrapper

        path = os.path.abspath(uri)
        try:
            tool = read_wrapper(path)
        except ToolsServiceError as error:
            self._broken[path] = str(error)
            raise
        tool.categories = list(_shed_categories(os.path.dirname(path)))
        return tool

    def get_categories(self, parent: str) -> list[ToolsCategoryContainer]:
        """List the categories in the category `parent`; those at the top for ``''`` or ``'root'``."""
        wanted = _ROOTS if parent in _ROOTS else (parent,)
        return [category for category, _ in self._categories() if category.parent in wanted]

    def get_category_tools(self, category: str) -> list[ToolIndexContainer]:
        """List the tools of a category, by its id or name."""
        key = category.lower()
        listed: set[str] = set()
        names = {key}
        for item, tools in self._categories():
            if key in (item.id.lower(), item.name.lower()):
                names |= {item.id.lower(), item.name.lower()}
                listed |= set(tools)
        return [
            entry.index
            for entry in self._index().values()
            if names & {name.lower() for name in entry.categories}
            or listed & {entry.index.id, entry.index.fullname(), entry.index.uri}
        ]

    def get_pipeline(self, uri: str) -> Pipeline:
        """Read a pipeline from its JSON or YAML file.

        Raises
        ------
        ToolsServiceError
            It cannot be read; the message names the file and the field.
        """
        return read_pipeline(uri)

    def broken_tools(self) -> dict[str, str]:
        """Give the wrappers that cannot be read: path and reason."""
        self._index()
        return dict(self._broken)

    def refresh(self) -> None:
        """Forget what was found, so that the directories are searched again."""
        self._entries = None
        self._broken = {}

    def _index(self) -> dict[str, _Entry]:
        if self._entries is None:
            self._entries = self._search_directories()
        return self._entries

    def _search_directories(self) -> dict[str, _Entry]:
        from bioimageit_core.core.wrappers.reader import read_head

        entries: dict[str, _Entry] = {}
        for directory in self._directories:
            if not os.path.isdir(directory):
                self._broken[directory] = "there is no such directory"
                continue
            for path, categories in _wrappers(directory):
                try:
                    head = read_head(path)
                except ToolsServiceError as error:
                    self._broken[path] = str(error)
                    continue
                if head is not None and path not in entries:
                    id_, name, version, description = head
                    entries[path] = _Entry(ToolIndexContainer(id_, name, version, path, description), categories)
        return entries

    def _categories(self) -> list[tuple[ToolsCategoryContainer, tuple[str, ...]]]:
        """Give the categories with the tools that they list by themselves."""
        found = list(_read_categories(self._categories_file)) if self._categories_file else []
        known = {name.lower() for item, _ in found for name in (item.id, item.name)}
        for entry in self._index().values():
            for name in entry.categories:
                if name.lower() not in known:
                    known.add(name.lower())
                    found.append((ToolsCategoryContainer(id=name, name=name, parent="root"), ()))
        return found


def _wrappers(directory: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give the XML files below a directory, each with the categories of its own."""
    for top, inner, names in os.walk(directory):
        inner[:] = sorted(name for name in inner if name not in _SKIPPED and not name.startswith("."))
        wrappers = sorted(name for name in names if name.endswith(".xml") and not name.startswith("."))
        if wrappers:
            categories = tuple(_shed_categories(top))
            for name in wrappers:
                yield os.path.join(top, name), categories


def _shed_categories(directory: str) -> list[str]:
    """Read the categories of the ``.shed.yml`` of a directory; a file that is wrong names none."""
    path = os.path.join(directory, ".shed.yml")
    if not os.path.isfile(path):
        return []
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml_text.decode(file.read())
    except (OSError, ValueError):
        return []
    names = document.get("categories") if isinstance(document, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _read_categories(path: str) -> Iterator[tuple[ToolsCategoryContainer, tuple[str, ...]]]:
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the categories cannot be read: {error}") from error
    items = document.get("categories") if isinstance(document, dict) else document
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConfigError(f"{path}: a list of categories is expected, under the key 'categories'")
    for item in items:
        name = str(item.get("name") or item.get("id") or "")
        tools = item.get("tools") or []
        yield (
            ToolsCategoryContainer(
                id=str(item.get("id") or name),
                name=name,
                description=str(item.get("description") or item.get("doc") or item.get("help") or ""),
                parent=str(item.get("parent") or "root"),
                thumbnail=str(item.get("thumbnail") or ""),
            ),
            tuple(str(tool) for tool in tools) if isinstance(tools, list) else (),
        )
