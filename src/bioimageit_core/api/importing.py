"""What one can ask about what comes into experiments: files, their images one by one, folders."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.copying import ORIGIN, Copy, copies_of
from bioimageit_core.api.describing import Describer, add_facts, is_cheap_to_describe, is_image
from bioimageit_core.api.detecting import AUTO, common_format, format_of
from bioimageit_core.api.services import Services
from bioimageit_core.core.exceptions import BioImageITError, DataServiceError
from bioimageit_core.core.utils import format_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from bioimageit_core.containers import Experiment, RawData
    from bioimageit_core.core.observer import Observer

__all__ = ["ImportRequests"]


@dataclass(frozen=True)
class _How:
    """What is said of all that one call imports."""

    experiment: Experiment
    author: str
    format: str
    date: str
    mode: str | None
    on_conflict: str | None
    describe: bool
    convert: str
    pairs: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class ImportRequests(Services):
    """The part of `Request` about imports."""

    def import_data(
        self,
        experiment: Experiment,
        data_path: str,
        name: str = "",
        author: str = "",
        format_: str = AUTO,
        date: str = "now",
        key_value_pairs: Mapping[str, Any] | type | None = None,
        *,
        mode: str | None = None,
        on_conflict: str | None = None,
        describe: bool = True,
        convert: str = "",
    ) -> RawData:
        """Import one file, or a Zarr directory, into the raw dataset.

        What an image says of itself (sizes, pixel sizes, channels, objective, date of acquisition), who read that and
        in which version goes to its `metadata`, under the names of the OME data model.

        Parameters
        ----------
        name
            By default the file's.
        format_
            By default, and for ``auto``, what the file's name suggests, else its first bytes.
        key_value_pairs
            Annotations; the keys join the experiment's.
        mode
            ``copy``, ``link`` (a hard link) or ``reference`` (the file stays where it is); by default what the service
            is configured to do.
        on_conflict
            Where a file of that name with other content is there: ``keep`` both, ``error`` or ``replace``.
        describe
            Whether to look into the file.
        convert
            ``ome-zarr`` (0.5), ``ome-zarr-0.4`` or ``ome-tiff``: import a copy in that form, with smaller resolutions,
            in chunks, compressed without loss. All images of the file are in it.

        Raises
        ------
        UnsupportedError
            The service does not know `mode` or `on_conflict`, or there is no such form to convert to.
        ConfigError
            There is no such format, or nothing suggests one.
        ImageReadError
            It cannot be converted.
        """
        pairs = dict(key_value_pairs) if isinstance(key_value_pairs, Mapping) else {}
        user, when = author or self.config.user_name, format_date(date)
        how = _How(experiment, user, format_, when, mode, on_conflict, describe, convert, pairs)
        return self._take(data_path, name, how)[0]

    def import_scenes(
        self,
        experiment: Experiment,
        data_path: str,
        name: str = "",
        author: str = "",
        format_: str = AUTO,
        date: str = "now",
        key_value_pairs: Mapping[str, Any] | None = None,
        *,
        mode: str | None = None,
        on_conflict: str | None = None,
        describe: bool = True,
        convert: str = "",
    ) -> list[RawData]:
        """Import each image (scene, series, field) of a file as a data of its own, in a file of its own.

        A file that holds one image is imported as it is.

        Parameters
        ----------
        name
            What the names of the data begin with; by default that of the file.
        mode, on_conflict, describe
            As in `import_data`.
        convert
            What the images are written as: see `import_data`. By default OME-TIFF, where there are several.

        Raises
        ------
        ImageReadError
            One of the images cannot be read; those before it are imported.
        """
        user, when = author or self.config.user_name, format_date(date)
        how = _How(experiment, user, format_, when, mode, on_conflict, describe, convert, dict(key_value_pairs or {}))
        return self._take(data_path, name, how, each=True)

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
        describe: bool | None = None,
        convert: str = "",
        each_scene: bool = False,
    ) -> None:
        """Import every file of a directory whose name matches a regular expression; observers hear how far it is.

        Parameters
        ----------
        filter_
            Regular expression that is searched for in the names; empty for all.
        format_
            By default what the names suggest, if all suggest the same; ``auto`` gives each file its own.
        directory_tag_key
            If not empty, each data gets this key with the name of the directory that it stood in.
        observers
            Who hears of the progress of this import, beside the observers of the request.
        mode, on_conflict, convert
            As in `import_data`.
        recursive
            Whether to import what lies in directories below, too.
        describe
            Whether to look into each file, as `import_data` does. By default yes, but not into more than 1,000 files
            that are small (less than 1 MiB in the mean): it would take longer than to copy them, and
            `describe_images` can do it later.
        each_scene
            Whether each image of a file becomes a data of its own, as with `import_scenes`.

        Raises
        ------
        UnsupportedError
            The service does not know `mode`, `on_conflict` or `recursive`.
        ConfigError
            There is no such format, or the names suggest none, or several.
        DataServiceError
            Some files were not imported; all others were.
        """
        if describe is None:
            describe = is_cheap_to_describe(os.path.expanduser(dir_uri), filter_, recursive=bool(recursive))
        everyone = [*self.observers, *(observers or ())]
        user, when = author or self.config.user_name, format_date(date)
        how = _How(experiment, user, format_, when, mode, on_conflict, describe, convert)
        if convert or each_scene or format_ == AUTO:
            paths = _sources(dir_uri, filter_, recursive)
            self._take_each(paths, how, directory_tag_key, everyone, each_scene)
            return
        if not format_:
            paths = _sources(dir_uri, filter_, recursive)
            if not paths:
                return
            how = dataclasses.replace(how, format=common_format(self.formats, paths))
        self._take_dir(dir_uri, filter_, how, directory_tag_key, everyone, recursive)

    def _take(
        self,
        path: str,
        name: str,
        how: _How,
        *,
        each: bool = False,
        told: Callable[[int, str], None] | None = None,
    ) -> list[RawData]:
        """Import one file as it is, or the copies of it that are wanted."""
        convert = how.convert
        each = each and self._holds_several(path, how)
        if each and not convert:
            convert = "ome-tiff"
        if not convert:
            return [self._take_file(path, name, how)]
        if how.mode not in (None, "copy"):
            raise DataServiceError(f"a file that is converted is copied; it cannot be imported with mode {how.mode!r}")
        copies = copies_of(path, convert, name, each=each)
        told = told or self.notify_observers
        parts = [functools.partial(_scaled, told, number, len(copies)) for number in range(len(copies))]
        return [self._take_copy(copy, how, part) for copy, part in zip(copies, parts, strict=True)]

    def _holds_several(self, path: str, how: _How) -> bool:
        from bioimageit_core.images.reading import read_facts

        if not is_image(self.formats.get(format_of(self.formats, path, how.format))):
            return False
        return len(read_facts(os.path.expanduser(path)).scenes) > 1

    def _take_file(self, path: str, name: str, how: _How) -> RawData:
        format_ = format_of(self.formats, path, how.format)
        describer = Describer()
        said: Mapping[str, Any] = {}
        if how.describe and is_image(self.formats.get(format_)):
            said = describer(os.path.expanduser(path))
        name = name or os.path.basename(path.rstrip("/\\"))
        data = self._import(path, name, format_, how, said)
        self._warn(describer, self.observers)
        return data

    def _take_copy(self, copy: Copy, how: _How, told: Callable[[int, str], None]) -> RawData:
        """Import a copy, or find the data that an earlier call made of the same file in the same way."""
        text = copy.name.replace("\\", "\\\\").replace('"', '\\"')
        for data in self.query(how.experiment, "data", f'name=="{text}"'):  # type: ignore[attr-defined]
            if data.metadata.get(ORIGIN) == copy.origin:
                return data  # type: ignore[no-any-return]
        with copy.written(lambda part: told(int(100 * part), f"convert {copy.name}")) as (path, said):
            return self._import(path, copy.name, copy.form.format, dataclasses.replace(how, mode="copy"), said)

    def _import(self, path: str, name: str, format_: str, how: _How, said: Mapping[str, Any]) -> RawData:
        """Import a file by the service, with what is known of it."""
        from bioimageit_core.plugins.structure import accepts

        importing = self.data_service.import_data
        mode = how.mode if how.mode != "copy" or accepts(importing, "mode") else None  # what else would it do
        metadata = dict(said) if said and accepts(importing, "metadata") else None
        function, given = self._find("import_data", mode=mode, on_conflict=how.on_conflict, metadata=metadata)
        about = (path, name, how.author, format_, how.date, dict(how.pairs))
        data: RawData = function(how.experiment, *about, **given)
        if add_facts(data, said):
            self.data_service.update_raw_data(data)
        return data

    def _take_dir(
        self, directory: str, filter_: str, how: _How, tag: str, observers: list[Observer], recursive: bool | None
    ) -> None:
        """Import a directory by the service, with what the files say of themselves."""
        from bioimageit_core.plugins.structure import accepts

        describer = Describer() if how.describe and is_image(self.formats.get(how.format)) else None
        hears = accepts(self.data_service.import_dir, "describe")
        options = {"mode": how.mode, "on_conflict": how.on_conflict, "recursive": recursive}
        function, given = self._find("import_dir", **options, describe=describer if hears else None)
        about = (filter_, how.author, self.formats.get(how.format).name, how.date, tag, observers)
        function(how.experiment, directory, *about, **given)
        if describer is not None:
            if not hears:
                self._describe_sources(how.experiment, _sources(directory, filter_, recursive), describer)
            self._warn(describer, observers)

    def _describe_sources(self, experiment: Experiment, paths: Sequence[str], describer: Describer) -> None:
        """Say of data that were just imported what their sources say, where the service could not be told."""
        by_name = {os.path.basename(path): path for path in paths}
        for data in self.query(experiment, "data"):  # type: ignore[attr-defined]
            path = by_name.get(data.name, "")
            if path and "Reader" not in data.metadata and add_facts(data, describer(path)):
                self.data_service.update_raw_data(data)

    def _take_each(self, paths: Sequence[str], how: _How, tag: str, observers: Sequence[Observer], each: bool) -> None:
        """Import files one by one; what fails is told at the end and stops nothing."""

        def tell(percent: int, message: str) -> None:
            for observer in observers:
                observer.notify_progress(percent, message)

        failures = []
        for number, path in enumerate(paths):
            told = functools.partial(_scaled, tell, number, len(paths))
            told(0, f"import {os.path.basename(path)}")
            pairs = {tag: os.path.basename(os.path.dirname(path))} if tag else {}
            try:
                self._take(path, "", dataclasses.replace(how, pairs=pairs), each=each, told=told)
            except (BioImageITError, OSError) as error:
                failures.append(str(error))
        tell(100, "import done")
        if failures:
            some = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
            raise DataServiceError(f"{len(failures)} of {len(paths)} files were not imported: {some}")

    def _warn(self, describer: Describer, observers: Sequence[Observer]) -> None:
        if text := describer.warning():
            for observer in observers:
                observer.notify_warning(text)


def _sources(directory: str, filter_: str, recursive: bool | None) -> list[str]:
    from bioimageit_core.plugins.store.sources import sources_in

    return list(sources_in(os.path.expanduser(directory), filter_, bool(recursive)))


def _scaled(told: Callable[[int, str], None], number: int, count: int, percent: int, message: str) -> None:
    """Tell of the progress of one of several parts as that of the whole."""
    told((100 * number + percent) // count, message)
