"""An experiment of any home as a folder that OMERO's command line imports: ``omero transfer unpack --folder FOLDER``.

    python -m bioimageit_omero.transfer_pack EXPERIMENT FOLDER [--config FILE]

The folder has the files and a ``transfer.xml`` such as omero-cli-transfer writes: OME-XML in which annotations say
where the file of each image is. Nothing of OMERO is needed to write it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Data, Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import BioImageITError, DataServiceError
from bioimageit_core.core.records import document_of
from bioimageit_core.exchange.content import fetch

from bioimageit_omero.annotations import CLIENT, DATA, RUN_NS
from bioimageit_omero.source import ImageSource, open_image
from bioimageit_omero.values import Pairs, storable, texts_of

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["Packed", "main", "write_pack"]

ORIGIN = "bioimageit.org/omero/packed"
"""Namespace of what the experiment knew of a data beside its pairs."""
_PATH_NS = "openmicroscopy.org/cli/transfer"


@dataclass
class Packed:
    """What was written.

    Attributes
    ----------
    not_held
        Data that a pack cannot hold: directories, such as Zarr.
    """

    images: int = 0
    files: int = 0
    not_held: list[str] = field(default_factory=list)


def write_pack(service: DataService, experiment: Experiment, folder: Path) -> Packed:
    """Write an experiment into a new folder: images with their pairs, other files and runs attached to their datasets.

    Raises
    ------
    DataServiceError
        The folder is not empty, ome-types is not installed, or something cannot be read or written.
    """
    try:
        import ome_types
    except ImportError as error:
        raise DataServiceError("a pack is written with ome-types: pip install 'bioimageit-omero[transfer]'") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataServiceError(f"{str(folder)!r} is not empty")
        pack = _Pack(service, folder)
        ome = pack.of(experiment)
        (folder / "transfer.xml").write_text(ome_types.to_xml(ome), encoding="utf-8")
    except OSError as error:
        raise DataServiceError(f"cannot write a pack into {str(folder)!r}: {error}") from error
    return pack.packed


class _Pack:
    """A pack that is being written."""

    def __init__(self, service: DataService, folder: Path) -> None:
        from ome_types import model

        self._model: Any = model
        self._service = service
        self._folder = folder
        self._ome: Any = model.OME()
        self.packed = Packed()

    def of(self, experiment: Experiment) -> Any:
        """Write the files, and give what describes them."""
        model, datasets = self._model, []
        infos = [experiment.raw_dataset, *experiment.processed_datasets]
        for number, info in enumerate(infos, 1):
            datasets.append(self._dataset(info.url, number, is_raw=info is experiment.raw_dataset))
        tags = [self._annotated(model.TagAnnotation, value=storable(key)) for key in experiment.keys]
        refs = [model.DatasetRef(id=dataset.id) for dataset in datasets]
        project = model.Project(id="Project:1", name=storable(experiment.name), dataset_refs=refs, annotation_refs=tags)
        self._ome.projects, self._ome.datasets = [project], datasets
        return self._ome

    def _dataset(self, url: str, number: int, *, is_raw: bool) -> Any:
        dataset = self._service.get_dataset(url)
        made = self._model.Dataset(id=f"Dataset:{number}", name=storable(dataset.name))
        for place, entry in enumerate(dataset.uris, 1):
            read = self._service.get_raw_data if is_raw else self._service.get_processed_data
            self._data(read(entry.md_uri), made, self._room(f"dataset_{number}", f"data_{place}"))
        for place, run in enumerate(self._runs(dataset), 1):
            path = self._room(f"dataset_{number}", f"run_{place}") / "run.md.json"
            path.write_text(json.dumps(document_of(run, lambda uri: uri), indent=4), encoding="utf-8")
            made.annotation_refs.append(self._file(path, RUN_NS, ""))
        return made

    def _runs(self, dataset: Any) -> list[Run]:
        listed = getattr(self._service, "get_dataset_runs", None)
        return list(listed(dataset)) if listed is not None else []

    def _data(self, data: Data, dataset: Any, room: Path) -> None:
        path = Path(fetch(self._service, data, str(room)))
        if path.is_dir():
            self.packed.not_held.append(data.name)
            return
        source = open_image(path)
        if source is None:
            dataset.annotation_refs.append(self._file(path, DATA, data.name))
            self.packed.files += 1
            return
        with contextlib.closing(source):
            dataset.image_refs.append(self._image(data, source, path))
        self.packed.images += 1

    def _image(self, data: Data, source: ImageSource, path: Path) -> Any:
        model, number = self._model, len(self._ome.images) + 1
        sizes = {f"size_{axis}": n for axis, n in zip("tczyx", source.shape, strict=True)}
        pixels = model.Pixels(
            id=f"Pixels:{number}", dimension_order="XYZCT", type=source.pixel_type, metadata_only=True, **sizes
        )
        for axis, size in source.sizes.items():
            setattr(pixels, f"physical_size_{axis.lower()}", size.value)
            setattr(pixels, f"physical_size_{axis.lower()}_unit", size.unit)
        refs = [self._place(path), self._map(ORIGIN, _origin(data))]
        pairs = getattr(data, "key_value_pairs", {})
        texts = [(storable(key), text) for key, value in pairs.items() for text in texts_of(value)]
        if texts:
            refs.append(self._map(CLIENT, texts))
        image = model.Image(id=f"Image:{number}", name=storable(data.name), pixels=pixels, annotation_refs=refs)
        self._ome.images.append(image)
        return model.ImageRef(id=image.id)

    # annotations

    def _annotated(self, kind: Any, **values: Any) -> Any:
        made = kind(id=f"Annotation:{len(self._ome.structured_annotations) + 1}", **values)
        self._ome.structured_annotations.append(made)
        return self._model.AnnotationRef(id=made.id)

    def _map(self, ns: str, pairs: Pairs) -> Any:
        value = self._model.Map(ms=[self._model.Map.M(k=key, value=text) for key, text in pairs])
        return self._annotated(self._model.MapAnnotation, namespace=ns, value=value)

    def _place(self, path: Path) -> Any:
        """Say where the file of an image or of an attached file is, from the folder."""
        from xml.sax.saxutils import escape  # nosec B406

        inner = escape(path.relative_to(self._folder).as_posix())
        xml = f"<CLITransferServerPath><Path>{inner}</Path></CLITransferServerPath>"
        return self._annotated(self._model.XMLAnnotation, namespace=_PATH_NS, value=xml)

    def _file(self, path: Path, ns: str, description: str) -> Any:
        place = self._place(path)
        content = self._model.BinaryFile(
            file_name=path.name,
            size=path.stat().st_size,
            bin_data=self._model.BinData(big_endian=True, length=0, value=b""),
        )
        about = {"description": storable(description)} if description else {}
        return self._annotated(
            self._model.FileAnnotation, namespace=ns, binary_file=content, annotation_refs=[place], **about
        )

    def _room(self, *names: str) -> Path:
        room = self._folder.joinpath(*names)
        room.mkdir(parents=True)
        return room


def _origin(data: Data) -> Pairs:
    """Say whose a data is, since when, and what it was made of."""
    facts: Mapping[str, str] = {"uuid": data.uuid, "author": data.author, "date": data.date, "format": data.format}
    pairs = [(key, storable(str(value))) for key, value in facts.items() if value]
    if isinstance(data, ProcessedData):
        pairs += [("run", data.run.uuid), ("output", storable(str(data.output.get("name", ""))))]
        pairs += [(f"input {storable(each.name)}", each.uuid) for each in data.inputs]
    return [(key, text) for key, text in pairs if text]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a pack, and say what it holds."""
    from bioimageit_core.api import Request

    parser = argparse.ArgumentParser(prog="python -m bioimageit_omero.transfer_pack", description=__doc__)
    parser.add_argument("experiment", help="its URI, or for a folder its path")
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    parser.add_argument("--config", default="", help="configuration of the home that has the experiment")
    options = parser.parse_args(arguments)
    try:
        request = Request(options.config, debug=False, log=False)
        request.connect()
        packed = write_pack(request.data_service, request.get_experiment(options.experiment), options.folder)
    except BioImageITError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{packed.images} images, {packed.files} other files; omero transfer unpack --folder FOLDER\n")
    for name in packed.not_held:
        sys.stderr.write(f"not held, it is a directory: {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
