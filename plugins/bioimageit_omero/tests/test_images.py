"""Images in five dimensions: every pixel type, sizes, channels; read lazily; their files come back."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
tifffile = pytest.importorskip("tifffile")

SHAPE = (2, 3, 4, 5, 6)  # TCZYX
TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "complex64", "complex128"]


def pixels(dtype: str = "uint16", shape: tuple[int, ...] = SHAPE) -> Any:
    return np.arange(np.prod(shape), dtype="int64").astype(dtype).reshape(shape)


def write(path: Path, array: Any, **metadata: Any) -> str:
    tifffile.imwrite(path, array, ome=True, photometric="minisblack", metadata={"axes": "TCZYX", **metadata})
    return str(path)


def bring(service: Any, experiment: Any, path: str, name: str = "a.ome.tif") -> Any:
    return service.import_data(experiment, path, name, "ada", "imagetiff", "2024-01-02", {})


@pytest.mark.parametrize("dtype", TYPES)
def test_every_pixel_type_comes_back_as_it_was(service: Any, experiment: Any, tmp_path: Path, dtype: str) -> None:
    array = pixels(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": "TCZYX"})
    data = bring(service, experiment, str(path))

    seen = service.view_data(data.md_uri)

    assert "/Image/" in data.md_uri
    assert (seen.shape, seen.dtype, seen.axes) == (SHAPE, np.dtype(dtype), "TCZYX")
    assert (np.asarray(seen) == array).all()


@pytest.mark.parametrize(("dtype", "stored"), [("bool", "uint8"), ("float16", "float32"), ("int64", "uint32")])
def test_a_type_that_omero_lacks_becomes_one_that_holds_its_values(
    service: Any, experiment: Any, tmp_path: Path, dtype: str, stored: str
) -> None:
    array = pixels(dtype, (1, 1, 1, 5, 6))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array[0, 0, 0], photometric="minisblack")
    seen = service.view_data(bring(service, experiment, str(path)).md_uri)

    assert seen.dtype == np.dtype(stored)
    assert (np.asarray(seen)[0, 0, 0] == array[0, 0, 0]).all()


def test_values_that_no_pixel_type_holds_are_kept_as_the_file(service: Any, experiment: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.full((4, 4), 2**40, "int64"), photometric="minisblack")
    data = bring(service, experiment, str(path))

    assert "/File/" in data.md_uri
    assert Path(service.get_data_uri(data)).read_bytes() == path.read_bytes()


def test_sizes_with_units_and_channels_are_in_omero(service: Any, experiment: Any, tmp_path: Path, place: Any) -> None:
    from omero.gateway import BlitzGateway

    path = write(
        tmp_path / "a.ome.tif",
        pixels(),
        PhysicalSizeX=0.5,
        PhysicalSizeXUnit="µm",
        PhysicalSizeY=250.0,
        PhysicalSizeYUnit="nm",
        PhysicalSizeZ=2.0,
        Channel={"Name": ["DAPI", "GFP", "Cy5"], "Color": [0x0000FFFF, 0x00FF00FF, -16776961]},
    )
    data = bring(service, experiment, path)

    gateway = BlitzGateway(place.user, place.password, host=place.host, port=place.port, secure=True)
    assert gateway.connect()
    try:
        image = gateway.getObject("Image", int(data.md_uri.rsplit("/", 1)[1]))
        sizes = {axis: getattr(image, f"getPixelSize{axis}")(units=True) for axis in "XYZ"}
        found = {axis: (size.getValue(), size.getSymbol()) for axis, size in sizes.items()}
        text = f"select c.red, c.green, c.blue from Channel c where c.pixels.image.id = {image.getId()} order by c.id"
        rows = gateway.getQueryService().projection(text, None)
        colours = [tuple(value.val for value in row) for row in rows]
        names = image.getChannelLabels()
        lengths = [getattr(image, f"getSize{axis}")() for axis in "TCZYX"]
    finally:
        gateway.close()

    assert found == {"X": (0.5, "µm"), "Y": (250.0, "nm"), "Z": (2.0, "µm")}
    assert names == ["DAPI", "GFP", "Cy5"]
    assert colours == [(0, 0, 255), (0, 255, 0), (255, 0, 0)]
    assert lengths == list(SHAPE)
    seen = service.view_data(data.md_uri)
    assert (seen.sizes["Y"].value, seen.sizes["Y"].unit) == (250.0, "nm")
    assert [channel.name for channel in seen.channels] == ["DAPI", "GFP", "Cy5"]


def test_only_what_is_indexed_is_read(service: Any, experiment: Any, tmp_path: Path, place: Any) -> None:
    array = pixels()
    seen = service.view_data(bring(service, experiment, write(tmp_path / "a.ome.tif", array)).md_uri)
    if place.double is not None:
        place.double.command("reset")

    plane, part, strided = seen[1, 2, 3], seen[0, 0, 1, 1:4, 2:5], seen[:, 1, ::2, ::-2, -1]

    assert (plane == array[1, 2, 3]).all()
    assert (part == array[0, 0, 1, 1:4, 2:5]).all()
    assert (strided == array[:, 1, ::2, ::-2, -1]).all()
    assert strided.shape == array[:, 1, ::2, ::-2, -1].shape
    if place.double is not None:
        calls = place.double.command("calls")["calls"]
        assert calls["RawPixelsStore.getPlane"] == 1
        assert calls["RawPixelsStore.getTile"] == 1 + 4
    with pytest.raises(IndexError):
        seen[2]
    with pytest.raises(IndexError):
        seen[[0, 1]]


@pytest.mark.parametrize("how", ["disconnect", "expire"])
def test_reading_goes_on_after_the_session_was_lost(
    service: Any, experiment: Any, tmp_path: Path, place: Any, how: str
) -> None:
    if place.double is None:
        pytest.skip("a real server cannot be told to lose sessions")
    array = pixels()
    seen = service.view_data(bring(service, experiment, write(tmp_path / "a.ome.tif", array)).md_uri)
    place.double.command(how)

    assert (seen[1, 2, 3] == array[1, 2, 3]).all()


def test_large_planes_are_written_and_read_in_tiles(
    service: Any, experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bioimageit_omero import pixels as module

    monkeypatch.setattr(module, "_LARGE_PLANE", 10)
    monkeypatch.setattr(module, "_TILE", 4)
    array = pixels("float32", (1, 2, 1, 9, 11))
    data = bring(service, experiment, write(tmp_path / "a.ome.tif", array))

    seen = service.view_data(data.md_uri)

    assert (np.asarray(seen) == array).all()
    assert (seen[0, 1, 0, 3:8, 1:10] == array[0, 1, 0, 3:8, 1:10]).all()


def test_the_imported_file_comes_back_byte_by_byte(service: Any, experiment: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.ome.tif", pixels())
    data = bring(service, experiment, path)

    target = service.download_data(data.md_uri, str(tmp_path / "back.tif"))

    assert Path(target).read_bytes() == Path(path).read_bytes()


def test_without_originals_the_pixels_come_back_as_ome_tiff(new_service: Any, tmp_path: Path) -> None:
    service = new_service(originals=False)
    experiment = service.create_experiment(f"test {uuid.uuid4().hex[:12]}", "ada", "now", [], "")
    array = pixels()
    channels = {"Name": ["DAPI", "GFP", "Cy5"], "Color": [0x0000FFFF, 0x00FF00FF, -16776961]}
    about = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "Channel": channels}
    data = bring(service, experiment, write(tmp_path / "a.ome.tif", array, **about))

    path = service.get_data_uri(data)

    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == "TCZYX"
        assert (file.asarray() == array).all()
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata
        assert re.findall(r'<Channel[^>]* Name="(\w+)" Color="(-?\d+)"', file.ome_metadata) == [
            ("DAPI", "65535"),
            ("GFP", "16711935"),
            ("Cy5", "-16776961"),
        ]


def test_a_zarr_image_is_an_image(service: Any, experiment: Any, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = pixels("uint8", (1, 2, 1, 8, 9))
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=2)
    stored = group.create_array("0", shape=array.shape, dtype=array.dtype)
    stored[...] = array
    axes = [{"name": "t"}, {"name": "c"}, *({"name": a, "unit": "micrometer"} for a in "zyx")]
    scale = {"type": "scale", "scale": [1, 1, 2.0, 0.25, 0.25]}
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    group.attrs["omero"] = {"channels": [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"}]}
    data = service.import_data(experiment, str(tmp_path / "a.ome.zarr"), "z", "ada", "imagezarr", "now", {})

    seen = service.view_data(data.md_uri)
    back = Path(service.download_data(data.md_uri, str(tmp_path / "back.zarr")))

    assert (np.asarray(seen) == array).all()
    assert (seen.sizes["X"].value, [c.name for c in seen.channels]) == (0.25, ["DAPI", "GFP"])
    assert (zarr.open_group(str(back), mode="r")["0"][...] == array).all()


def test_a_label_image_made_by_a_tool_is_an_image(service: Any, experiment: Any, tmp_path: Path) -> None:
    from bioimageit_core.containers import ProcessedData, Run

    raw = bring(service, experiment, write(tmp_path / "a.ome.tif", pixels()))
    dataset = service.create_dataset(experiment, "labels")
    run = service.create_run(dataset, Run(process_name="label"))
    new = ProcessedData()
    new.set_info("a labels", "ada", "now", "imagetiff", "")
    new.add_input("image", raw)
    new = service.create_data_uri(dataset, run, new)
    labels = np.zeros((5, 6), "int32")
    labels[1:3, 2:4] = 7
    tifffile.imwrite(new.uri, labels)
    made = service.create_data(dataset, run, new)

    assert "/Image/" in made.md_uri
    assert (np.asarray(service.view_data(made.md_uri)).squeeze() == labels).all()


def test_a_failed_import_leaves_no_image(service: Any, experiment: Any, tmp_path: Path, place: Any) -> None:
    from bioimageit_core.core.exceptions import DataServiceError

    if place.double is None:
        pytest.skip("a real server cannot be told to fail")
    path = write(tmp_path / "a.ome.tif", pixels(shape=(1, 1, 2, 4, 4)))

    def images() -> Any:
        return service.session.rows("select count(i.id) from Image i where i.details.owner.id > :z", {"z": 0})

    before, number = images(), 0
    while True:
        number += 1
        place.double.command(f"fail {number}")
        try:
            bring(service, experiment, path)
            break
        except DataServiceError:
            assert images() == before, f"write {number} left an image"
        finally:
            place.double.command("fail 0")
    assert number > 5
