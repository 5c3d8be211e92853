from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from bioimageit_core.samples import NUCLEI_FILTER, mitosis_dir, nuclei_dir, nuclei_pairs, samples_dir
from bioimageit_core.toolbox.imaging.image import Image, ImageError
from bioimageit_core.toolbox.imaging.writing import write_image
from bioimageit_core.toolbox.montage import montage


def test_a_montage_shows_each_image_with_coloured_outlines(tmp_path: Path) -> None:
    (image, labels), *_ = nuclei_pairs()

    plain = montage([(image, None, "one")], tmp_path / "plain.png")
    outlined = montage(
        [(image, labels, "one <&$x_2$"), (image, None, "two" * 30)], tmp_path / "outlined.png", columns=2
    )

    grey, coloured = (np.asarray(Picture.open(path).convert("RGB")).astype(int) for path in (plain, outlined))
    assert coloured.shape[1] > 1.8 * grey.shape[1]
    colourful = np.ptp(coloured[60:], axis=-1) > 60
    left, right = np.array_split(colourful, 2, axis=1)
    assert left.sum() > 2000 > 10 > right.sum()


def test_a_montage_shows_volumes_and_channels(make: Callable[..., Image], tmp_path: Path) -> None:
    write_image(tmp_path / "a", make("TCZYX"))
    write_image(tmp_path / "empty", make("YX").with_data(np.zeros((24, 32), np.uint16)))

    output = montage([(tmp_path / "a", tmp_path / "empty", ""), (tmp_path / "empty", None, "e")], tmp_path / "m.png")

    with Picture.open(output) as picture:
        assert picture.format == "PNG"


def test_the_same_montage_gives_the_same_bytes(make: Callable[..., Image], tmp_path: Path) -> None:
    write_image(tmp_path / "a", make("YX"))

    one, two = (montage([(tmp_path / "a", None, "t")], tmp_path / name) for name in ("1.png", "2.png"))

    assert one.read_bytes() == two.read_bytes()


def test_what_cannot_be_drawn_is_an_error_and_leaves_no_file(make: Callable[..., Image], tmp_path: Path) -> None:
    write_image(tmp_path / "a", make("YX"))
    write_image(tmp_path / "b", make("YX", "uint8", X=9))

    with pytest.raises(ImageError, match="nothing to draw"):
        montage([], tmp_path / "m.png")
    with pytest.raises(ImageError, match="is not that of"):
        montage([(tmp_path / "a", tmp_path / "b", "")], tmp_path / "m.png")
    with pytest.raises(ImageError, match="No such file"):
        montage([(tmp_path / "c", None, "")], tmp_path / "m.png")
    assert not (tmp_path / "m.png").exists()


def test_the_filter_of_the_nuclei_takes_the_images_and_leaves_the_labels() -> None:
    import re

    taken = [path for path in nuclei_dir().rglob("*") if path.is_file() and re.search(NUCLEI_FILTER, path.name)]

    assert sorted(taken) == [image for image, _ in nuclei_pairs()]
    assert all(labels.is_file() for _, labels in nuclei_pairs())


def test_the_samples_are_within_4_mb_and_have_licences() -> None:
    assert sum(path.stat().st_size for path in samples_dir().rglob("*") if path.is_file()) < 4_000_000
    readme = (samples_dir() / "README.md").read_text(encoding="utf-8")
    assert all(f"licences/{path.name}" in readme for path in (samples_dir() / "licences").iterdir())
    assert len(list(mitosis_dir().glob("*/*.tif"))) == 8
