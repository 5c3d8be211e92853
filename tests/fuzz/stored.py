"""What an experiment keeps besides its documents; who may write in its folder may have written it.

Each reader puts the bytes in place of such a file and asks the home as a user would. The home may refuse with an error
of ours, and changes nothing that lies outside of the experiment.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.plugins.data_local import LocalMetadataService

__all__ = ["READERS", "examples"]

_OURS = ".bioimageit"
_ENTRY = "0123456789ab"


class _Home:
    """An experiment with two annotated data, one of them in the trash; every input gets a copy of it."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.service = LocalMetadataService(durable=False)
        self._pristine, self.experiment, self._outside = folder / "pristine", folder / "w" / "e", folder / "w" / "else"
        (folder / "w").mkdir()
        (folder / "a.tif").write_bytes(b"pixels")
        experiment = self.service.create_experiment("e", "ada", "2024-01-01", ["Day"], str(folder / "w"))
        data = [
            self.service.import_data(experiment, str(folder / "a.tif"), name, "ada", "imagetiff", "2024-01-01", {})
            for name in ("a", "b")
        ]
        dataset = self.service.get_dataset(experiment.raw_dataset.url)
        self.change = self.service.annotate_data(dataset, {each.md_uri: {"Day": "1"} for each in data})
        self.service.delete_data(experiment.md_uri, [data[1].md_uri])
        (entry,) = (self.experiment / _OURS / "trash").iterdir()
        entry.rename(entry.with_name(_ENTRY))
        shutil.copytree(self.experiment, self._pristine)
        shutil.copytree(self.experiment, self._outside)
        self._seen = self._look()

    @property
    def document(self) -> str:
        return str(self.experiment / "experiment.md.json")

    @contextlib.contextmanager
    def holding(self, file: str, content: bytes) -> Iterator[LocalMetadataService]:
        """Put the bytes in place of a file of the experiment."""
        shutil.rmtree(self.experiment)
        shutil.copytree(self._pristine, self.experiment)
        path = self.experiment / _OURS / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        yield LocalMetadataService(durable=False)
        assert self._look() == self._seen, "something outside of the experiment was changed"

    def _look(self) -> dict[str, bytes]:
        files = (path for path in self._outside.parent.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files if not path.is_relative_to(self.experiment)}


_home = functools.cache(_Home)


def _asked(*questions: Callable[[], object]) -> None:
    """Ask all, whatever was answered before: an error of ours is an answer."""
    for question in questions:
        try:
            question()
        except BioImageITError as error:
            assert str(error).strip()


def _journal(content: bytes) -> None:
    home = _home()
    with home.holding("journal.jsonl", content) as service:
        data = str(home.experiment / "data" / "a.md.json")
        _asked(
            lambda: service.get_history(home.document),
            lambda: service.get_history(home.document, data),
            lambda: list(service.check_experiment(home.document)),
            lambda: service.undo_change(home.document),
            lambda: service.undo_change(home.document, home.change),
            lambda: list(service.repair_experiment(home.document)),
        )


def _pending(content: bytes) -> None:
    home = _home()
    with home.holding("pending/data.jsonl", content) as service:
        dataset = str(home.experiment / "data" / "raw_dataset.md.json")
        _asked(
            lambda: service.get_dataset(dataset),
            lambda: list(service.check_experiment(home.document)),
            lambda: list(service.repair_experiment(home.document)),
        )


def _trash(content: bytes) -> None:
    home = _home()
    with home.holding(f"trash/{_ENTRY}/trash.json", content) as service:
        _asked(
            lambda: service.get_trash(home.document),
            lambda: list(service.check_experiment(home.document)),
            lambda: service.restore(home.document),
            lambda: service.finish_deletions(home.document),
            lambda: service.purge_trash(home.document),
        )


READERS = {"journal": _journal, "pending": _pending, "trash": _trash}
_FILES = {"journal": "journal.jsonl", "trash": f"trash/{_ENTRY}/trash.json"}


def examples(reader: str) -> tuple[bytes, ...]:
    """Return what such a file holds."""
    if reader == "pending":
        return (b'["1","a.md.json"]\n["2","b.md.json","b.tif"]\n',)
    return ((_home().experiment / _OURS / _FILES[reader]).read_bytes(),)
