from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from bioimageit_core.containers import (
    IO_INPUT,
    IO_PARAM,
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    RawData,
    Run,
    Tool,
    ToolParameterContainer,
)
from bioimageit_core.containers.html import thumbnail
from bioimageit_core.images.thumbnails import thumbnail_of

EVIL = "<script>alert('x')</script>\"&"


class Parsed(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def full_containers() -> list[Any]:
    experiment = Experiment(
        EVIL, EVIL, EVIL, EVIL, EVIL, DatasetInfo(EVIL, EVIL), [DatasetInfo(EVIL, EVIL)], keys=[EVIL]
    )
    dataset = Dataset(name=EVIL, uris=[Container(EVIL, EVIL)])
    raw = RawData(name=EVIL, author=EVIL, date=EVIL, format=EVIL, uri=EVIL, key_value_pairs={EVIL: [EVIL]})
    processed = ProcessedData(name=EVIL, uri=EVIL)
    processed.set_output(EVIL, EVIL)
    processed.add_input(EVIL, raw)
    run = Run(process_name=EVIL)
    run.add_parameter(EVIL, EVIL)
    run.add_input(EVIL, EVIL, EVIL, EVIL)
    given = ToolParameterContainer(EVIL, EVIL, EVIL, EVIL, EVIL, IO_PARAM, default_value=EVIL)
    given.select_info.add(EVIL, EVIL)
    image = ToolParameterContainer(EVIL, EVIL, io=IO_INPUT, is_data=True, format=EVIL)
    tool = Tool(EVIL, EVIL, EVIL, description=EVIL, inputs=[given, image], outputs=[image])
    return [experiment, dataset, raw, processed, run, tool]


@pytest.mark.parametrize("container", full_containers(), ids=lambda each: type(each).__name__)
def test_every_text_is_escaped(container: Any) -> None:
    html = container._repr_html_()

    parsed = Parsed(html)
    assert not parsed.open
    assert "script" not in parsed.tags
    assert EVIL in parsed.text
    assert {name for name, _ in parsed.attributes} <= {"class"}


@pytest.mark.parametrize("kind", [Experiment, Dataset, Data, RawData, ProcessedData, Run, Tool])
def test_an_empty_container_has_a_view_too(kind: type) -> None:
    assert not Parsed(kind()._repr_html_()).open


def test_a_long_dataset_shows_its_first_data_and_how_many_more() -> None:
    dataset = Dataset(name="d", uris=[Container(f"uri{i}") for i in range(50)])

    text = Parsed(dataset._repr_html_()).text

    assert "50 data" in text
    assert "uri19" in text
    assert "uri20" not in text
    assert "and 30 more" in text


def test_a_data_that_is_an_image_has_a_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "a & b.tif"
    image = np.zeros((300, 400), np.uint16)
    image[:, 200:] = 900
    tifffile.imwrite(path, image)

    html = RawData(name="a & b.tif", uri=str(path))._repr_html_()

    source = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert source is not None
    pixels = decoded(base64.b64decode(source[1]))
    assert pixels.shape == (120, 160, 3)
    assert pixels[:, :75].max() == 0
    assert pixels[:, 85:].min() == 255


@pytest.mark.parametrize(
    ("shape", "axes", "dtype"),
    [
        ((5, 6), "YX", "uint8"),
        ((4, 5, 6), "ZYX", "uint16"),
        ((2, 3, 4, 5, 6), "TZCYX", "uint16"),
        ((7, 5, 6), "CYX", "float32"),
        ((5, 6, 3), "YXS", "uint8"),
    ],
)
def test_a_thumbnail_is_made_of_any_axes(tmp_path: Path, shape: tuple[int, ...], axes: str, dtype: str) -> None:
    path = tmp_path / "a.ome.tif"
    image = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    tifffile.imwrite(path, image, metadata={"axes": axes}, photometric="rgb" if "S" in axes else "minisblack")

    png = thumbnail(RawData(name=path.name, uri=str(path)))

    assert png is not None
    assert decoded(png).shape == (5, 6, 3)
    assert decoded(png).max() == (89 if "S" in axes else 255)  # colours are shown as they are


def test_notebooks_show_the_picture_that_all_views_show(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.arange(30, dtype=np.uint16).reshape(5, 6))
    labels = ProcessedData(name="a", uri=str(path))
    labels.set_output("labels", "Labels")

    assert thumbnail(labels) == thumbnail_of(str(path), 160, "a labels Labels").read_bytes()
    assert thumbnail(labels) != thumbnail(RawData(name="a", uri=str(path)))


def test_what_is_no_image_has_no_thumbnail(tmp_path: Path) -> None:
    cut_off = tmp_path / "cut.tif"
    tifffile.imwrite(cut_off, np.zeros((50, 50), np.uint8))
    cut_off.write_bytes(cut_off.read_bytes()[:100])
    text = tmp_path / "a.csv"
    text.write_text("a,b")

    for path in (cut_off, text, tmp_path / "missing.tif", tmp_path):
        assert thumbnail(RawData(name=path.name, uri=str(path))) is None
    assert "<img" not in RawData(name="a", uri=str(cut_off))._repr_html_()


def decoded(png: bytes) -> np.ndarray:
    from matplotlib.image import imread

    return np.rint(imread(io.BytesIO(png), format="png") * 255).astype(np.uint8)


def test_the_label_of_an_output_is_shown_as_it_will_read() -> None:
    output = ToolParameterContainer("o", description="${tool.name} on ${on_string}: ${x}", is_data=True)

    text = Parsed(Tool("blur", "Blur", "1.0", outputs=[output])._repr_html_()).text

    assert "Blur on the input: …" in text
    assert "$" not in text
