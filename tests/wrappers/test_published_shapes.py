"""The ways in which published wrappers are written, each in a wrapper of its own with tests of its own."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from bioimageit_core.core.wrappers.reader import read_definition
from bioimageit_core.jobs.tool_tests import run_tool_tests

SHAPES = Path(__file__).parent / "published" / "shapes"
WRAPPERS = sorted(path.name for path in SHAPES.glob("*.xml") if "macros.xml" not in path.name)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wrappers with their test data."""
    top = tmp_path_factory.mktemp("shapes")
    shutil.copytree(SHAPES, top, dirs_exist_ok=True)
    write_test_data(top / "test-data")
    return top


def write_test_data(data: Path) -> None:
    data.mkdir(exist_ok=True)
    blobs = np.zeros((16, 20), dtype=np.uint8)
    blobs[2:6, 3:8] = 200
    blobs[9:14, 11:17] = 120
    tifffile.imwrite(data / "blobs.tiff", blobs)
    tifffile.imwrite(data / "mask.tiff", (blobs > 0).astype(np.uint8) * 255)
    tifffile.imwrite(data / "wide.tiff", np.zeros((2, 300), dtype=np.uint8))
    Image.fromarray(blobs).save(data / "blobs.png")
    (data / "one.txt").write_text("one\n")
    (data / "two.txt").write_text("two\n")
    (data / "cells.csv").write_text("label,area\n1,20\n2,30\n")
    table = "label\tarea\tx\n1\t20\t5.5\n2\t30\t14\n"
    (data / "cells.tsv").write_text(table)
    (data / "cells.txt").write_text(table)
    (data / "areas.tsv").write_text("area\n20\n30\n")
    (data / "cells_changed.tsv").write_text(table.replace("14", "15"))
    (data / "cells_pattern.txt").write_text("label.*\n\\d\t20.*\n\\d\t\\d+\t14$\n")
    (data / "crlf.txt").write_bytes(b"x y\r\n1 2\r\n3 4")
    _write_fruits(data)
    _write_images(data, blobs)


def _write_fruits(data: Path) -> None:
    fruits = "banana\napple\ncherry\n"
    texts = {
        "fruits": fruits,
        "fruits_sorted": "apple\nbanana\ncherry\n",
        "fruits2": fruits.replace("apple", "apricot"),
        "fruits_re": "ban.*\na[p]+le\n.*\n",
        "fruits_rem": "banana\napp.*\n",
        "fruits_part": "nana\nerry\n",
        "fruits_nonl": fruits.rstrip(),
    }
    for name, text in texts.items():
        (data / f"{name}.txt").write_text(text)
    (data / "fruits.txt.gz").write_bytes(gzip.compress(fruits.encode(), mtime=0))


def _write_images(data: Path, blobs: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    mask = np.where(blobs > 0, 255.0, 0.0)
    tifffile.imwrite(data / "weighted.tiff", (blobs - 0.25 * mask).astype(np.float32))
    tifffile.imwrite(data / "max_float.tiff", mask.astype(np.float32))
    labels = (blobs == 200).astype(np.uint16) + (blobs == 120).astype(np.uint16) * 2
    tifffile.imwrite(data / "labels.tiff", labels)
    tifffile.imwrite(data / "relabelled.tiff", np.where(labels == 1, 7, np.where(labels == 2, 3, 0)).astype(np.uint16))
    off = labels.copy()
    off[0, 0] += 2
    tifffile.imwrite(data / "labels_off.tiff", off)
    zarr.create_array(str(data / "small.zarr"), data=blobs, chunks=(16, 20))
    with zipfile.ZipFile(data / "images.zip", "w") as archive:
        archive.write(data / "blobs.png", "folder/blobs.PNG")
        archive.writestr("one.txt", "one\n")


@pytest.mark.parametrize("name", WRAPPERS)
def test_its_own_tests_pass(shapes: Path, name: str) -> None:
    report = run_tool_tests([shapes / name])

    assert {(result.number, result.status, result.reason) for result in report.results} == {
        (number, "pass", "") for number, _ in enumerate(read_definition(str(shapes / name)).test_nodes, start=1)
    }
