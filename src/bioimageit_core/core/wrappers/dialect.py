"""Which of the two dialects a wrapper is written in."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from bioimageit_core.core.wrappers.document import text_of

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["PLACEHOLDER", "dialect_of"]

PLACEHOLDER = re.compile(r"\$\{\s*(\w+)\s*\}|\$(\w+)")
_OWN_FORMATS = frozenset(
    [
        "imagetiff",
        "imagezarr",
        "tablecsv",
        "arraycsv",
        "numbercsv",
        "trackmatemodel",
        "movietxt",
        "bioformat",
        "imagepng",
        "imagejpeg",
    ]
)
_GALAXY_ONLY = (
    "macros",
    "configfiles",
    "environment_variables",
    "stdio",
    "requirements/requirement",
    "inputs/conditional",
    "inputs/repeat",
    "inputs/section",
    "outputs/collection",
    "version_command",
    "code",
    "citations",
    "edam_operations",
    "edam_topics",
    "xrefs",
    "creator",
    "outputs/data/filter",
    "outputs/data/change_format",
    "outputs/data/discover_datasets",
    "outputs/data[@from_work_dir]",
    "outputs/data[@format_source]",
)
_DIRECTIVE = re.compile(r"^\s*#\s*(if|for|set|import|from|def|try|silent|echo|while|raw|end)\b", re.MULTILINE)


def dialect_of(root: _Element) -> str:
    """Say ``'plain'`` for the older dialect, ``'galaxy'`` for Galaxy's.

    ``<package>`` is only in the older one; what only Galaxy has decides next; then the older one is known by the names
    of its formats, or by a command that needs neither a template nor a shell.
    """
    if root.find("requirements/package") is not None or root.find("package") is not None:
        return "plain"
    command = root.find("command")
    text = text_of(command)
    if root.get("profile") or any(root.find(path) is not None for path in _GALAXY_ONLY):
        return "galaxy"
    if command is not None and (command.get("detect_errors") or command.get("interpreter")):
        return "galaxy"
    if _DIRECTIVE.search(text) or _needs_shell(text):
        return "galaxy"
    if root.get("type") in ("merge", "sequential"):
        return "plain"
    formats = {
        name.strip()
        for item in root.iter("param", "data")
        for name in (item.get("format") or "").split(",")
        if name.strip()
    }
    if formats & _OWN_FORMATS:
        return "plain"
    placeholders = [match.group(0) for match in PLACEHOLDER.finditer(text)]
    is_simple = "$" not in PLACEHOLDER.sub("", text)
    named = [name for name in placeholders if name != "$__tool_directory__"]
    return "plain" if named and is_simple and all(name.startswith("${") for name in named) else "galaxy"


def _needs_shell(command: str) -> bool:
    """Say whether a command has what only a shell does: operators outside of quotes, substitution, line ends."""
    if "`" in command or "$(" in command or "\\\n" in command:
        return True
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return any(token and not token.strip("();<>|&") for token in lexer)
    except ValueError:
        return False
