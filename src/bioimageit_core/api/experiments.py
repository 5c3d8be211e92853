"""What one can ask about experiments: make them and fill them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.services import Services
from bioimageit_core.core.exceptions import ConfigError, InvalidNameError
from bioimageit_core.core.utils import format_date

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment, RawData
    from bioimageit_core.core.observer import Observer

__all__ = ["ExperimentRequests"]


class ExperimentRequests(Services):
    """The part of `Request` about experiments and what comes into them."""

    def create_experiment(
        self,
        name: str,
        author: str = "",
        date: str = "now",
        keys: Sequence[str] | None = None,
        destination: str = "",
    ) -> Experiment:
        """Create an experiment: by default by the configured user, today, in the workspace."""
        if not destination:
            destination = self.default_workspace()
            if destination and not self.config.has_own_workspace:
                os.makedirs(destination, exist_ok=True)
        return self.data_service.create_experiment(
            name, author or self.config.user_name, format_date(date), list(keys or []), destination
        )

    def get_workspace_experiments(self, workspace_uri: str = "") -> list[dict[str, Any]]:
        """List the experiments of a workspace (the configured one): ``{'md_uri': str, 'info': Experiment}`` each."""
        uri = workspace_uri or self.default_workspace()
        if not workspace_uri and uri and not self.config.has_own_workspace and not os.path.isdir(uri):
            return []  # the default place, not used yet
        return self.data_service.get_workspace_experiments(uri)

    def get_experiment(self, md_uri: str) -> Experiment:
        """Read an experiment."""
        return self.data_service.get_experiment(md_uri)

    def update_experiment(self, experiment: Experiment) -> None:
        """Write an experiment's information and keys."""
        self.data_service.update_experiment(experiment)

    def set_key(self, experiment: Experiment, key: str) -> None:
        """Add a key to an experiment's vocabulary."""
        self.set_keys(experiment, [key])

    def set_keys(self, experiment: Experiment, keys: Sequence[str]) -> None:
        """Add keys to an experiment's vocabulary.

        Raises
        ------
        InvalidNameError
            A key is not a text, or says nothing.
        """
        for key in keys:
            if not isinstance(key, str) or not key.strip():
                raise InvalidNameError("key", str(key), "a name is needed")
        for key in keys:
            experiment.set_key(key)
        self.data_service.update_experiment(experiment)

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str = "",
        author: str = "",
        format_: str = "",
        date: str = "now",
        key_value_pairs: Mapping[str, Any] | type | None = None,
        *,
        mode: str | None = None,
        on_conflict: str | None = None,
    ) -> RawData:
        """Import one file, or a Zarr directory, into the raw dataset.

        Parameters
        ----------
        name
            By default the file's.
        format_
            By default what the file's name suggests.
        key_value_pairs
            Annotations; the keys join the experiment's.
        mode
            ``copy``, ``link`` (a hard link) or ``reference`` (the file stays where it is); by default what the service
            is configured to do.
        on_conflict
            Where a file of that name with other content is there: ``keep`` both, ``error`` or ``replace``.

        Raises
        ------
        UnsupportedError
            The service does not know `mode` or `on_conflict`.
        ConfigError
            There is no such format, or the file's name suggests none.
        """
        function, given = self._find("import_data", mode=mode, on_conflict=on_conflict)
        data: RawData = function(
            experiment,
            data_path,
            name or os.path.basename(data_path.rstrip("/\\")),
            author or self.config.user_name,
            self._format_of([data_path], format_),
            format_date(date),
            dict(key_value_pairs) if isinstance(key_value_pairs, Mapping) else {},
            **given,
        )
        return data

    def import_dir(
        self,
        experiment: Experiment,
        dir_uri: str,
        filter_: str = "",
        author: str = "",
        format_: str = "",
        date: str = "now",
        directory_tag_key: str = "",
        observers: Sequence[Observer] | None = None,
        *,
        mode: str | None = None,
        on_conflict: str | None = None,
        recursive: bool | None = None,
    ) -> None:
        """Import every file of a directory whose name matches a regular expression; observers hear how far it is.

        Parameters
        ----------
        filter_
            Regular expression that is searched for in the names; empty for all.
        format_
            By default what the names suggest, if all suggest the same.
        directory_tag_key
            If not empty, each data gets this key with the name of the directory that it stood in.
        observers
            Who hears of the progress of this import, beside the observers of the request.
        mode, on_conflict
            As in `import_data`.
        recursive
            Whether to import what lies in directories below, too.

        Raises
        ------
        UnsupportedError
            The service does not know `mode`, `on_conflict` or `recursive`.
        ConfigError
            There is no such format, or the names suggest none, or several.
        """
        function, given = self._find("import_dir", mode=mode, on_conflict=on_conflict, recursive=recursive)
        paths: list[str] = []
        if not format_:
            from bioimageit_core.plugins.store.importing import sources_in

            paths = list(sources_in(os.path.expanduser(dir_uri), filter_, bool(recursive)))
            if not paths:
                return
        function(
            experiment,
            dir_uri,
            filter_,
            author or self.config.user_name,
            self._format_of(paths, format_),
            format_date(date),
            directory_tag_key,
            [*self.observers, *(observers or ())],
            **given,
        )

    def _format_of(self, paths: Sequence[str], format_: str) -> str:
        if format_:
            return self.formats.get(format_).name
        names = Counter(found.name if (found := self.formats.detect(path)) else "" for path in paths)
        if len(names) == 1 and "" not in names:
            return next(iter(names))
        known = ", ".join(self.formats.names())
        if len(names) == 1:
            what = f"the name {os.path.basename(paths[0])!r} does not tell a format; say which with format_"
        else:
            counts = ", ".join(f"{count} {name or 'unknown'}" for name, count in names.most_common())
            suffix = self._suffix_of(paths, next(name for name, _ in names.most_common() if name))
            what = f"the files are of several formats ({counts}): choose some with the filter, such as '[.]{suffix}$'"
        raise ConfigError(f"{what} (known: {known})")

    def _suffix_of(self, paths: Sequence[str], format_: str) -> str:
        found = (path for path in paths if (known := self.formats.detect(path)) and known.name == format_)
        return os.path.splitext(next(found))[1].lstrip(".")
