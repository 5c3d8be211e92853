"""What a tool does not accept is said of all inputs before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from bioimageit_core.containers import Tool
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.jobs import PreflightError
from bioimageit_core.jobs.image_facts import asks_for_facts, image_facts

WRAPPER = """<tool id="t" name="T" version="1" profile="23.0">
<command><![CDATA[cp '$i' '$o' ## $i.metadata.axes
]]></command>
<inputs><param type="data" name="i" format="tiff">{validator}</param></inputs>
<outputs><data name="o" format="tiff"/></outputs></tool>"""
CHECK = (
    '<validator type="dataset_metadata_in_range" metadata_name="channels" min="1" max="1" message="One channel only"/>'
)


def image(home: Any, name: str, shape: tuple[int, ...], axes: str) -> None:
    path = home.tmp_path / name
    tifffile.imwrite(path, np.zeros(shape, np.uint16), photometric="minisblack", metadata={"axes": axes}, ome=True)
    home.service.import_data(home.experiment, str(path), name, "ada", "imagetiff", "now", {})


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    (tmp_path / "t.xml").write_text(WRAPPER.format(validator=CHECK))
    return read_wrapper(tmp_path / "t.xml")


def test_the_header_of_an_image_tells_what_wrappers_ask(tmp_path: Path) -> None:
    path = tmp_path / "x.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 3, 4, 5), np.uint16), metadata={"axes": "ZCYX"}, photometric="minisblack")

    assert image_facts(str(path)) == {
        "axes": "ZCYX",
        "dtype": "uint16",
        "width": "5",
        "height": "4",
        "channels": "3",
        "depth": "2",
        "frames": "1",
    }


def test_what_is_no_image_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(b"II*\0")
    (tmp_path / "x.csv").write_text("a")

    assert [image_facts(str(tmp_path / name)) for name in ("x.tif", "x.csv", "gone.tif")] == [{}, {}, {}]


def test_headers_are_read_only_for_wrappers_that_ask(tool: Tool, make_tool: Callable[..., Tool]) -> None:
    assert asks_for_facts(tool)
    assert not asks_for_facts(make_tool())


def test_all_images_that_the_wrapper_refuses_are_named_at_once(local: Any, tool: Tool) -> None:
    image(local, "good.ome.tif", (4, 5), "YX")
    image(local, "two.ome.tif", (2, 4, 5), "CYX")
    image(local, "three.ome.tif", (3, 4, 5), "CYX")

    with pytest.raises(PreflightError) as caught:
        local.run(local.job(tool))

    assert len(caught.value.misfits) == 2
    assert all("One channel only" in misfit for misfit in caught.value.misfits)
    assert {misfit.partition(":")[0] for misfit in caught.value.misfits} == {"two.ome.tif", "three.ome.tif"}
    assert local.runner.calls == []


def test_images_that_fit_are_processed(local: Any, tool: Tool) -> None:
    image(local, "good.ome.tif", (4, 5), "YX")

    local.run(local.job(tool))

    assert [data.name for data in local.data()] == ["o_good"]


def test_an_empty_file_is_a_misfit(local: Any, make_tool: Callable[..., Tool]) -> None:
    local.add("", name="empty.txt")

    with pytest.raises(PreflightError, match=r"empty.txt \(input 'i'\): its file is empty"):
        local.run(local.job(make_tool()))


def test_a_microscopes_own_format_is_told_from_another_of_its_kind(local: Any, tmp_path: Path) -> None:
    (tmp_path / "t.xml").write_text(WRAPPER.format(validator="").replace('"tiff">', '"tiff,bmp,ome.tiff">'))
    for name in ("stack.lif", "picture.bmp"):
        (local.tmp_path / name).write_bytes(b"image")
        local.service.import_data(local.experiment, str(local.tmp_path / name), name, "ada", "bioformat", "now", {})

    with pytest.raises(PreflightError) as caught:
        local.run(local.job(read_wrapper(tmp_path / "t.xml")))

    assert list(caught.value.misfits) == [
        "stack.lif (input 'i'): is bioformat, not tiff or bmp or ome.tiff; import it with --convert ome-tiff"
    ]


def test_the_check_may_be_left_out(local: Any, make_tool: Callable[..., Tool]) -> None:
    local.add("", name="empty.txt")

    local.run(local.job(make_tool("write('made')")), preflight=False)

    assert local.contents() == {"o_empty": "made"}


def test_facts_of_pictures_and_of_ome_zarr_come_from_their_headers(tmp_path: Path) -> None:
    import json

    from PIL import Image

    Image.new("RGB", (6, 4)).save(tmp_path / "x.png")
    store = tmp_path / "x.zarr"
    (store / "0").mkdir(parents=True)
    axes = [{"name": name} for name in "czyx"]
    scales = [{"axes": axes, "datasets": [{"path": "0"}]}]
    (store / "zarr.json").write_text(json.dumps({"attributes": {"ome": {"multiscales": scales}}}))
    (store / "0" / "zarr.json").write_text(json.dumps({"shape": [2, 3, 4, 6], "data_type": "uint16"}))
    old = tmp_path / "old.zarr"
    (old / "0").mkdir(parents=True)
    (old / ".zattrs").write_text(json.dumps({"multiscales": scales}))
    (old / "0" / ".zarray").write_text(json.dumps({"shape": [2, 3, 4, 6], "dtype": "<u2"}))

    picture, new = image_facts(str(tmp_path / "x.png")), image_facts(str(store))

    assert (picture["width"], picture["height"], picture["channels"]) == ("6", "4", "3")
    assert (new["axes"], new["dtype"], new["channels"], new["depth"]) == ("CZYX", "uint16", "2", "3")
    assert image_facts(str(old)) == new
    assert image_facts(str(tmp_path)) == {}
