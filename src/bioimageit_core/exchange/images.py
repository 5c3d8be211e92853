"""Write the images of an experiment as OME-Zarr or OME-TIFF, with where they come from inside."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Data, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import BioImageITError, DataServiceError
from bioimageit_core.core.paths import storable_name
from bioimageit_core.exchange.content import fetch
from bioimageit_core.exchange.exports import Exporting, ExportReport
from bioimageit_core.exchange.image_places import Plate, free_name, plate_of, well_of
from bioimageit_core.jobs.selection import get_origin, iterate_data

if TYPE_CHECKING:
    from bioimageit_core.images.model import OpenImage

__all__ = ["write_tiffs", "write_zarrs"]

_PLATE = "plate.ome.zarr"
_TABLES = ("table", "number", "array", "json", "trackmate", "movie")


@dataclass(frozen=True)
class _Item:
    """An image to write: which, of which dataset, and where to."""

    data: Data
    dataset: str
    target: Path
    labels_of: Path | None = None
    scene: int = 0


def write_zarrs(what: Exporting, version: str = "0.5") -> ExportReport:
    """Write every image as an OME-Zarr: label images into the image that they are of, wells onto a plate.

    Raises
    ------
    DataServiceError
        There is no such version, or the destination cannot be written.
    """
    from bioimageit_core.images import ngff

    ngff.zarr_format(version)
    return _Export(what, ".ome.zarr", version).run()


def write_tiffs(what: Exporting) -> ExportReport:
    """Write every image as an OME-TIFF with smaller resolutions; its description holds where it comes from."""
    return _Export(what, ".ome.tiff", "").run()


class _Export:
    def __init__(self, what: Exporting, suffix: str, version: str) -> None:
        self._what, self._service = what, what.service
        self._suffix, self._version = suffix, version
        self._root = Path(what.destination)
        self._report = ExportReport(str(self._root))
        self._plate: Plate | None = None
        self._runs: dict[str, Run] = {}

    def run(self) -> ExportReport:
        items = list(self._items())
        for number, item in enumerate(items):
            self._tell(number / max(len(items), 1), item.data.name)
            try:
                self._write(item, functools.partial(self._tell_part, number, len(items), item.data.name))
            except BioImageITError as error:
                self._report.left_out.append(f"{item.dataset}/{item.data.name}: {error}")
        if self._plate is not None and not self._what.dry_run:
            self._finish_plate(self._plate)
        self._tell(1.0, "")
        return self._report

    def _items(self) -> Iterator[_Item]:
        """Say what goes where; raw data first, so that labels find the images that they are of."""
        experiment = self._service.get_experiment(self._what.experiment.md_uri)
        places: dict[str, Path] = {}
        for info in (experiment.raw_dataset, *experiment.processed_datasets):
            listed = list(iterate_data(self._service, self._service.get_dataset(info.url)))
            tables = [data for data in listed if data.format.startswith(_TABLES)]
            if tables:
                self._report.facts[f"no images in {info.name}"] = len(tables)
            images = [data for data in listed if not data.format.startswith(_TABLES)]
            wells = [well_of(data.key_value_pairs) if isinstance(data, RawData) else None for data in images]
            if self._version and self._plate is None:
                self._plate = plate_of(wells)
            taken: set[str] = set()
            for data, well in zip(images, wells, strict=True):
                if well is not None and self._plate is not None:
                    target = self._root / _PLATE / self._plate.add(well)
                else:
                    target = self._root / storable_name(info.name) / free_name(data.name, self._suffix, taken)
                places[data.uuid] = target
                yield _Item(data, info.name, target, self._image_of(data, places))

    def _image_of(self, data: Data, places: dict[str, Path]) -> Path | None:
        """Return where the image is that labels were made from; None for what is no label image."""
        from bioimageit_core.images.thumbnails import speaks_of_labels

        if not self._version or not isinstance(data, ProcessedData):
            return None
        output = data.output or {}
        if not speaks_of_labels(" ".join([data.name, *map(str, output.values())])):
            return None
        origin = get_origin(self._service, data)
        return places.get(origin.uuid) if origin is not None else None

    def _write(self, item: _Item, told: Callable[[float], None]) -> None:
        from bioimageit_core.images.reading import open_image

        if self._is_there(item.target, item.data.uuid):
            self._report.present += 1
            return
        with self._local(item.data) as path:
            image = open_image(path)
            if item.labels_of is not None and self._fits(image, item.labels_of):
                self._write_labels(item, image, told)
            elif self._what.dry_run:
                self._report.written += len(image.facts.scenes)
            else:
                count = len(image.facts.scenes)
                if count > 1 and _PLATE in item.target.parts:
                    self._report.left_out.append(f"{item.data.name}: {count - 1} of its scenes: a field is one image")
                    count = 1
                for scene in range(count):
                    self._write_image(item, open_image(path, scene) if scene else image, told)

    def _write_image(self, item: _Item, image: OpenImage, told: Callable[[float], None]) -> None:
        from bioimageit_core.images.model import OpenImage
        from bioimageit_core.images.writing import write_ome_tiff, write_ome_zarr

        target, provenance = item.target, self._provenance(item)
        image = OpenImage(image.facts.replace(name=image.facts.name or item.data.name), image.levels)
        if image.facts.scene:
            stem = target.name.removesuffix(self._suffix)
            target = target.with_name(f"{stem}_{image.facts.scene}{self._suffix}")
            if self._is_there(target, item.data.uuid):
                self._report.present += 1
                return
        if self._version:
            write_ome_zarr(image, target, self._version, provenance=provenance, told=told)
        else:
            write_ome_tiff(image, target, description=json.dumps(provenance, ensure_ascii=False), told=told)
        self._count(target)

    def _fits(self, labels: OpenImage, place: Path) -> bool:
        """Say whether labels are whole numbers and as large as their image."""
        from bioimageit_core.images.reading import read_facts

        if labels.facts.dtype[0] not in "iub" or len(labels.facts.scenes) > 1:
            return False
        if self._what.dry_run and not place.exists():
            return True
        return place.exists() and read_facts(str(place)).shape[-2:] == labels.facts.shape[-2:]

    def _write_labels(self, item: _Item, image: OpenImage, told: Callable[[float], None]) -> None:
        import zarr

        from bioimageit_core.images import ngff
        from bioimageit_core.images.model import OpenImage
        from bioimageit_core.images.writing import write_ome_zarr

        output = str((getattr(item.data, "output", None) or {}).get("name", ""))
        given = "_".join(dict.fromkeys(filter(None, (item.dataset, output))))
        name = re.sub(r"[^\w-]+", "_", given).strip("_") or "labels"
        folder = Path(str(item.labels_of)) / "labels"
        target = folder / name
        if self._is_there(target, item.data.uuid):
            self._report.present += 1
            return
        if self._what.dry_run:
            self._report.written += 1
            return
        zarr.open_group(str(folder), mode="a", zarr_format=ngff.zarr_format(self._version))
        labels = OpenImage(image.facts.replace(is_labels=True, name=name, channels=()), image.levels)
        write_ome_zarr(labels, target, self._version, provenance=self._provenance(item), told=told)
        there = [each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
        group = zarr.open_group(str(folder), mode="a", zarr_format=ngff.zarr_format(self._version))
        group.attrs.update(ngff.attributes(self._version, ngff.labels_metadata(there)))
        self._count(target)

    def _finish_plate(self, plate: Plate) -> None:
        import zarr

        from bioimageit_core.images import ngff

        plate.keep(lambda path: (self._root / _PLATE / path).is_dir())
        if not plate.fields:
            return

        def say(path: str, said: dict[str, Any]) -> None:
            place = str(self._root / _PLATE / path) if path else str(self._root / _PLATE)
            group = zarr.open_group(place, mode="a", zarr_format=ngff.zarr_format(self._version))
            group.attrs.update(ngff.attributes(self._version, said))

        say("", plate.metadata(self._what.experiment.name, self._version))
        for well in plate.fields:
            say(well.row, {})
            say(well.path, plate.well_metadata(well, self._version))
        ngff.check(self._root / _PLATE)
        self._report.facts["plate"] = f"{len(plate.fields)} wells"

    def _is_there(self, target: Path, uuid: str) -> bool:
        """Say whether a former call wrote this very data; what else is there is an error of the one who writes."""
        if not target.exists():
            return False
        if not self._version:
            return True  # an OME-TIFF is there whole or not at all
        import zarr

        try:
            ours = dict(zarr.open_group(str(target), mode="r").attrs).get("bioimageit", {})
        except Exception as error:
            raise DataServiceError(f"{target}: something else is there") from error
        return isinstance(ours, dict) and ours.get("data", {}).get("uuid") == uuid

    @contextlib.contextmanager
    def _local(self, data: Data) -> Iterator[str]:
        """Give a path where the data can be read meanwhile."""
        service = self._service
        if hasattr(service, "get_data_uri") and not getattr(service, "needs_cleanning", bool)():
            yield str(service.get_data_uri(data))
            return
        folder = tempfile.mkdtemp(prefix="bioimageit-")
        try:
            yield fetch(service, data, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _provenance(self, item: _Item) -> dict[str, Any]:
        """Say where a data comes from; paths of this machine are nobody else's business."""
        data = item.data
        about: dict[str, Any] = {
            key: getattr(data, key) for key in ("uuid", "name", "author", "date", "format") if getattr(data, key)
        }
        said: dict[str, Any] = {
            "experiment": {"name": self._what.experiment.name, "uuid": self._what.experiment.uuid},
            "dataset": item.dataset,
            "data": about,
        }
        if isinstance(data, RawData):
            about["key_value_pairs"], about["metadata"] = dict(data.key_value_pairs), dict(data.metadata)
        elif isinstance(data, ProcessedData):
            about["output"] = dict(data.output or {})
            about["inputs"] = [{"name": each.name, "uuid": each.uuid, "type": each.type} for each in data.inputs]
            if data.run.md_uri:
                said["run"] = self._run(data.run.md_uri)
        return json.loads(json.dumps(said, default=str))  # type: ignore[no-any-return]

    def _run(self, md_uri: str) -> dict[str, Any]:
        if md_uri not in self._runs:
            self._runs[md_uri] = self._service.get_run(md_uri)
        run = self._runs[md_uri]
        inputs = [
            {"name": i.name, "dataset": i.dataset, "query": i.query, "origin_output_name": i.origin_output_name}
            for i in run.inputs
        ]
        parameters = {each.name: each.value for each in run.parameters}
        return {"uuid": run.uuid, "tool": run.process_name, "parameters": parameters, "inputs": inputs}

    def _count(self, target: Path) -> None:
        self._report.written += 1
        inner = [path for path in target.rglob("*") if path.is_file()] if target.is_dir() else [target]
        self._report.size += sum(os.path.getsize(path) for path in inner)

    def _tell_part(self, number: int, total: int, name: str, part: float) -> None:
        self._tell((number + part) / total, name)

    def _tell(self, part: float, name: str) -> None:
        for observer in self._what.observers:
            observer.notify_progress(int(100 * part), f"export {name}" if name else "export done")
