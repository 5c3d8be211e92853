"""What one can ask about images: their facts, their pixels, and a small picture of them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.reading import local_path
from bioimageit_core.api.services import Services
from bioimageit_core.core.exceptions import UnsupportedError

if TYPE_CHECKING:
    from bioimageit_core.api.describing import Described
    from bioimageit_core.containers import Data, Experiment
    from bioimageit_core.images.model import ImageFacts, OpenImage

__all__ = ["ImageRequests"]


class ImageRequests(Services):
    """The part of `Request` about images."""

    def image_facts(self, data: Data, scene: int = 0) -> ImageFacts:
        """Read what an image says of itself: sizes, pixel sizes with units, channels; not its pixels.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        """
        from bioimageit_core.images.reading import read_facts

        with self._local(data) as path:
            return read_facts(path, scene)

    def open_image(self, data: Data, scene: int = 0) -> OpenImage:
        """Open an image: axes TCZYX, lazily, as dask arrays and as xarray, with all its resolutions.

        Parameters
        ----------
        scene
            Which of the images in the file, from 0.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        UnsupportedError
            The service makes only copies that are removed again; `download_data` gives one to keep.
        """
        from bioimageit_core.images.reading import open_image

        path = self._lasting(data)
        if not path:
            raise UnsupportedError(self._name_of_service("metadata"), f"open {data.name!r} lazily: download it first")
        return open_image(path, scene)

    def open_in_napari(self, data: Data | Sequence[Data], viewer: Any = None, scene: int = 0) -> Any:
        """Show images in napari: a layer for each channel, labels as labels; pixels are read when they are looked at.

        Parameters
        ----------
        data
            One, or several that are laid over each other, as an image and its labels.
        viewer
            A viewer that is there; by default that of napari that is open, else a new one.
        scene
            Which of the images in the files, from 0.

        Returns
        -------
        napari.Viewer
            The viewer. A script that does nothing else then calls ``napari.run()``.

        Raises
        ------
        UnsupportedError
            napari is not installed, or the service makes only copies that are removed again.
        ImageReadError
            It is no image, or damaged.
        """
        from bioimageit_core.images.layers import layers_of
        from bioimageit_core.images.thumbnails import name_for_look

        try:
            import napari
        except ImportError as error:
            hint = "napari is not installed: pip install 'napari[all]'"
            raise UnsupportedError("this machine", f"show images in napari ({hint})") from error
        several = list(data) if isinstance(data, Sequence) else [data]
        opened = [(each, self.open_image(each, scene)) for each in several]
        layers = [layer for each, image in opened for layer in layers_of(image, each.name, name_for_look(each))]
        viewer = viewer or napari.current_viewer() or napari.Viewer()
        for pixels, about, kind in layers:
            viewer.add_layer(napari.layers.Layer.create(pixels, about, kind))
        return viewer

    def describe_images(self, experiment: Experiment, *, anew: bool = False) -> Described:
        """Record in the metadata of raw data what their images say of themselves, where an import did not.

        Parameters
        ----------
        anew
            Also where it is recorded, as after an update of a reader; what images do not state stays as it is.
        """
        from bioimageit_core.api.describing import Described, Describer, add_facts, is_image

        describer, done = Describer(), Described()
        dataset = self.data_service.get_dataset(experiment.raw_dataset.url)
        for number, entry in enumerate(dataset.uris):
            data = self.data_service.get_raw_data(entry.md_uri)
            self.notify_observers(100 * number // len(dataset.uris), f"look into {data.name}")
            if ("Reader" in data.metadata and not anew) or not is_image(self.formats.get(data.format)):
                continue
            with self._local(data) as path:
                found = describer(path)
            if add_facts(data, found, anew=anew):
                self.data_service.update_raw_data(data)
                done.count += 1
            elif not found:
                done.unread[data.name] = next(reversed(describer.unread.values()))
        self.notify_observers(100, "")
        return done

    def thumbnail(self, data: Data, size: int = 256, scene: int = 0) -> Path:
        """Return a small PNG of an image, from a cache where it was made before.

        It shows the middle time point and the maximum along Z; channels in their colours, each with a contrast of its
        own; labels in colours.

        Parameters
        ----------
        size
            Length of the longer side in pixels, 16 to 2048.

        Raises
        ------
        ImageReadError
            It is no image, or damaged.
        """
        from bioimageit_core.images.thumbnails import name_for_look, thumbnail_of

        name = name_for_look(data)
        path = self._lasting(data)
        if path:
            return thumbnail_of(path, size, name, scene)
        with contextlib.ExitStack() as stack:
            known_as = "|".join((self._name_of_service("metadata"), data.md_uri, data.uuid))
            copy = lambda: stack.enter_context(self._local(data))  # noqa: E731 - only where the cache lacks it
            return thumbnail_of(data.name, size, name, scene, known_as=known_as, copy=copy)

    def _lasting(self, data: Data) -> str:
        """Return a path of a data that stays; empty where the service has only copies to be removed."""
        service = self.data_service
        if getattr(service, "needs_cleanning", bool)():
            return ""
        locate = getattr(service, "get_data_uri", None)
        return local_path(str(locate(data) if locate else data.uri))

    @contextlib.contextmanager
    def _local(self, data: Data) -> Iterator[str]:
        """Give a path where the data can be read meanwhile."""
        if path := self._lasting(data):
            yield path
            return
        download = getattr(self.data_service, "download_data", None)
        if download is None:
            raise UnsupportedError(self._name_of_service("metadata"), f"give a local copy of {data.name!r}")
        import tempfile

        folder = tempfile.mkdtemp(prefix="bioimageit-")
        try:
            given = str(download(data.md_uri, folder) or "")
            yield given or os.path.join(folder, *os.listdir(folder)[:1])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
