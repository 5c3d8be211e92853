"""Copies of images in open formats that are imported in place of the files that they were made from."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.paths import storable_name

if TYPE_CHECKING:
    from bioimageit_core.images.converting import CopyForm
    from bioimageit_core.images.writing import Told

__all__ = ["ORIGIN", "Copy", "copies_of"]

ORIGIN = "ConvertedFrom"
"""The key of a copy's metadata that says which file it was made from."""


@dataclass(frozen=True)
class Copy:
    """A copy that is to be made.

    Attributes
    ----------
    name
        Of the data.
    scene
        Which image of the file; None for all of them.
    origin
        What is recorded of the original: ``Name``, ``Size``, ``SHA256``, ``Scene``, and what the copy is written as.
    """

    source: str
    form: CopyForm
    name: str
    scene: int | None
    origin: Mapping[str, Any]

    @contextlib.contextmanager
    def written(self, told: Told | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Make it; give its path, which lasts as long as the ``with`` block, and its metadata."""
        from bioimageit_core.images.converting import convert

        folder = tempfile.mkdtemp(prefix="bioimageit-")
        try:
            stem = storable_name(self.name)
            target = Path(folder, stem if stem.endswith(self.form.suffix) else f"{stem}{self.form.suffix}")
            facts = convert(self.source, target, self.form, self.scene, told)
            said = facts.document()
            if self.scene is not None:
                said.pop("Scenes", None)
            yield str(target), said | {ORIGIN: dict(self.origin)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def copies_of(path: str, form_name: str, name: str = "", *, each: bool = False) -> list[Copy]:
    """Say which copies are to be made of a file.

    Parameters
    ----------
    name
        Of the data, or with `each` what their names begin with; by default that of the file.
    each
        One of each image in the file, not one of all.

    Raises
    ------
    ImageReadError
        The file cannot be read.
    UnsupportedError
        There is no such form.
    """
    from bioimageit_core.exchange.content import digest
    from bioimageit_core.images.converting import copy_form, stem_of
    from bioimageit_core.images.reading import read_facts

    path = os.path.abspath(os.path.expanduser(path))
    form, count = copy_form(form_name), len(read_facts(path).scenes)
    sha256, size = digest(path)
    origin: dict[str, Any] = {"Name": os.path.basename(path), "Size": size, "SHA256": sha256, "To": form.name}
    stem = stem_of(os.path.basename(path))
    if not each:
        return [Copy(path, form, name or f"{stem}{form.suffix}", None, origin)]
    stem, width = name or stem, len(str(count - 1))
    return [
        Copy(path, form, f"{stem}_{scene:0{width}}{form.suffix}", scene, origin | {"Scene": scene})
        for scene in range(count)
    ]
