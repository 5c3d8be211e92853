"""What all parts of a store share: its files, documents, lists and journal."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.core.formats import FormatTable, load_formats
from bioimageit_core.core.records import Record
from bioimageit_core.plugins.store.documents import Documents, guarded, may_not_last
from bioimageit_core.plugins.store.files import Files
from bioimageit_core.plugins.store.journal import Journal, changes_between
from bioimageit_core.plugins.store.layout import Layout
from bioimageit_core.plugins.store.listing import Listings
from bioimageit_core.plugins.store.sources import check_modes

__all__ = ["StoreBase", "told"]

_C = TypeVar("_C", bound=type)


def told(cls: _C) -> _C:
    """Let the public methods of a class tell of trouble with its filesystem as the contract asks."""
    for name, method in list(vars(cls).items()):
        if not name.startswith("_") and inspect.isfunction(method):
            setattr(cls, name, _told(method))
    return cls


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    doing = method.__name__.replace("_", " ")

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _telling(doing):
            return method(*args, **kwargs)

    @functools.wraps(method)
    def wrapped_generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _telling(doing):
            yield from method(*args, **kwargs)

    return wrapped_generator if inspect.isgeneratorfunction(method) else wrapped


@contextmanager
def _telling(doing: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        if not error.filename:
            raise guarded(error, doing) from error
        raise NotFoundError("file or directory", str(error.filename)) from error
    except OSError as error:
        raise guarded(error, doing) from error


@told
class StoreBase:
    """Experiments on a filesystem.

    Parameters
    ----------
    import_mode
        What `import_data` and `import_dir` do with a file when they are not told: ``copy``, ``link`` or ``reference``.
    trusted_dirs
        Directories that documents may point into although they lie outside their experiment.
    who
        Whose name the journal gets.
    """

    def __init__(self, files: Files, *, import_mode: str = "copy", trusted_dirs: Any = (), who: str = "") -> None:
        check_modes(import_mode, "keep")
        self.files = files
        self.documents = Documents(files, [trusted_dirs] if isinstance(trusted_dirs, str) else trusted_dirs)
        self.journal = Journal(files, who)
        self.listings = Listings(self.documents)
        self._import_mode = import_mode
        self._formats: FormatTable | None = None
        self._keys: dict[str, tuple[object, list[str]]] = {}
        weakref.finalize(self, _flush, self.listings, files)  # at the latest when the process ends

    def use_formats(self, formats: FormatTable) -> None:
        """Take a format table other than the default one."""
        self._formats = formats

    def act_for(self, who: str) -> None:
        """Say for whom changes are made, where `bioimageit_core.core.acting` does not say otherwise."""
        self.journal.who = who

    @property
    def formats(self) -> FormatTable:
        """The formats that data may have."""
        if self._formats is None:
            self._formats = load_formats()
        return self._formats

    def flush(self) -> None:
        """Make the lists of all datasets that this service added to whole for other software, and let go of them."""
        _flush(self.listings, self.files)
        self.listings.let_go()

    def get_experiment(self, md_uri: str) -> Experiment:
        return self.documents.read(Experiment, Layout.of_experiment(self.files.absolute(md_uri)).experiment)

    def update_experiment(self, experiment: Experiment) -> None:
        self._update(Layout.of_experiment(experiment.md_uri), experiment)

    def _held(self, layout: Layout) -> AbstractContextManager[None]:
        """Be the only writer in an experiment; where there is none, none is begun."""
        if self.files.locks_work and not self.files.exists(layout.experiment):
            raise NotFoundError("experiment", layout.experiment)
        return self.files.lock(layout.ours)

    def _update(self, layout: Layout, record: Record) -> None:
        """Write what changed in a record, and tell the journal."""
        with self._held(layout):
            if changed := self.documents.change(record):
                self._log_change(layout, record, *changed)

    def _log_change(self, layout: Layout, record: Record, before: Any, after: Any) -> None:
        changes = list(changes_between(before, after))
        old, new = ({path: pair[index] for path, *pair in changes} for index in (0, 1))
        line = self.journal.line(layout, "update", record.md_uri, uuid=record.uuid, old=old, new=new)
        self.journal.append(layout, [line])

    def _sync(self, layout: Layout) -> None:
        try:
            self.files.sync(layout.root)
        except OSError as error:
            raise may_not_last(error, layout.root) from error


def _flush(listings: Listings, files: Files) -> None:
    for md_uri in listings.waiting():
        try:
            with files.lock(Layout.of_record(md_uri).ours):
                listings.flush(md_uri)
        except (BioImageITError, OSError):  # it waits in the log, where we read it, and a check tells of it
            continue
