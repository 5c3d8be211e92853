"""Undo of annotations in homes that keep no history: the server remembers what the last ones replaced."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioimageit_core.containers import RawData
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.plugins.changes import Kept, Undone

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.containers import Experiment

__all__ = ["Remembered"]

_MOST = 100  # changes
Pairs = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class _Change:
    experiment: str
    wrote: Pairs
    before: Pairs


class Remembered:
    """The last annotations made through this server, forgotten when it ends."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._changes: OrderedDict[str, _Change] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def is_needed(self) -> bool:
        """Whether the home cannot take annotations back by itself."""
        return not callable(getattr(self._request.data_service, "undo_change", None))

    def before(self, pairs: Pairs) -> Pairs:
        """Read what stands where `pairs` will be written; None where nothing does."""
        return {md_uri: self._values(md_uri, values) for md_uri, values in pairs.items()}

    def keep(self, experiment: Experiment, wrote: Pairs, before: Pairs) -> str:
        """Remember a change, and return its name."""
        name = f"server-{uuid.uuid4().hex}"
        with self._lock:
            self._changes[name] = _Change(experiment.md_uri, wrote, before)
            while len(self._changes) > _MOST:
                self._changes.popitem(last=False)
        return name

    def undo(self, experiment: Experiment, name: str) -> Undone:
        """Write what stood there before, but where somebody has written something else since.

        Raises
        ------
        NotFoundError
            No such change is remembered.
        """
        with self._lock:
            change = self._changes.get(name)
            if change is None or change.experiment != experiment.md_uri:
                raise NotFoundError("change", name[:80])
            del self._changes[name]
        kept: list[Kept] = []
        back: dict[str, dict[str, str | None]] = {}
        for md_uri, wrote in change.wrote.items():
            for key, found in self._values(md_uri, wrote).items():
                if found == (wrote[key] or None):
                    back.setdefault(md_uri, {})[key] = change.before[md_uri][key]
                else:
                    kept.append(Kept(md_uri, key, wrote[key], found))
        _, count = self._request.annotate_data(experiment, back) if back else ("", 0)
        return Undone(name, count, tuple(kept))

    def _values(self, md_uri: str, keys: Iterable[str]) -> dict[str, str | None]:
        data = self._request.get_raw_data(md_uri)
        pairs = data.key_value_pairs if isinstance(data, RawData) else {}
        return {key: pairs.get(key) or None for key in keys}
