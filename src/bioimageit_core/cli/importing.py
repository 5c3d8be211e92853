"""Import what a user names: files one by one, folders as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import BioImageITError, NotFoundError

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment

__all__ = ["Imported", "import_paths", "is_folder"]


@dataclass
class Imported:
    """What an import did."""

    experiment: Experiment
    before: int
    after: int = 0
    succeeded: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def new(self) -> int:
        """How many data there are more than before."""
        return self.after - self.before

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "experiment": self.experiment.md_uri,
            "imported": self.new,
            "total": self.after,
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures.items()],
        }

    def text(self) -> str:
        """Say it."""
        if not self.after and not self.failures:
            return "nothing found to import; --recursive looks in folders below, and --filter may leave out too much"
        lines = [f"{self.new} new data; {self.experiment.name!r} has {self.after} imported data now"]
        lines += [f"not imported: {path}: {reason}" for path, reason in self.failures.items()]
        return "\n".join(lines)


def import_paths(
    session: Session,
    experiment: Experiment,
    paths: Sequence[str],
    values: Mapping[str, str],
    directory: Mapping[str, Any],
    common: Mapping[str, Any],
    *,
    each_scene: bool = False,
) -> Imported:
    """Import files and folders; what fails is told and stops nothing.

    Raises
    ------
    NotFoundError
        One of the paths is not there; nothing is imported.
    """
    for path in paths:
        if not os.path.exists(path):
            raise NotFoundError("file or folder", path)
    request = session.request
    done = Imported(experiment, request.get_raw_dataset(experiment).size())
    with session.progress("importing") as progress:
        for number, path in enumerate(paths):
            try:
                if is_folder(path):
                    request.import_dir(experiment, path, **directory, **common, each_scene=each_scene)
                else:
                    look = {} if directory.get("describe") is None else {"describe": directory["describe"]}
                    take = request.import_scenes if each_scene else request.import_data
                    take(experiment, path, key_value_pairs=values, **common, **look)
                    progress.notify_progress(100 * (number + 1) // len(paths), os.path.basename(path))
            except (BioImageITError, OSError) as error:
                done.after = _count(session, experiment) if len(paths) == 1 else 0
                if len(paths) == 1 and not done.new > 0:
                    raise
                done.failures[path] = str(error)
            else:
                done.succeeded += 1
    done.after = _count(session, experiment)
    return done


def _count(session: Session, experiment: Experiment) -> int:
    request = session.request
    return request.get_raw_dataset(request.get_experiment(experiment.md_uri)).size()


def is_folder(path: str) -> bool:
    """Say whether a path is a folder of data, and not one data that is a folder, as Zarr is."""
    if not os.path.isdir(path):
        return False
    return not path.rstrip("/\\").lower().endswith(".zarr")
