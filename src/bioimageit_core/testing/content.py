"""The content of a file or directory as a value, to keep and to compare."""

from __future__ import annotations

import os

from bioimageit_core.core.exceptions import DataServiceError

__all__ = ["Content", "read_content", "write_content"]

Content = bytes | dict[str, bytes]
"""A file's bytes, or those of each file of a directory by its relative path."""


def read_content(path: str) -> Content:
    """Read a file, or every file of a directory.

    Raises
    ------
    DataServiceError
        It cannot be read.
    """
    try:
        if not os.path.isdir(path):
            with open(path, "rb") as file:
                return file.read()
        content = {}
        for folder, _, names in sorted(os.walk(path)):
            for name in sorted(names):
                full = os.path.join(folder, name)
                with open(full, "rb") as file:
                    content[os.path.relpath(full, path).replace(os.sep, "/")] = file.read()
        return content
    except (OSError, ValueError) as error:
        raise DataServiceError(f"cannot read {path!r}: {error}") from error


def write_content(content: Content, path: str) -> None:
    """Write a content to a path."""
    if isinstance(content, bytes):
        with open(path, "wb") as file:
            file.write(content)
        return
    for name, part in content.items():
        full = os.path.join(path, *name.split("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(part)
