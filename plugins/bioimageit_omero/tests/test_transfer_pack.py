"""A pack for OMERO's command line: what omero-cli-transfer looks for is there, and says what the experiment says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
tifffile = pytest.importorskip("tifffile")
ome_types = pytest.importorskip("ome_types")


@pytest.fixture
def experiment(tmp_path: Path) -> tuple[Any, Any]:
    from bioimageit_core.containers import ProcessedData, Run
    from bioimageit_core.plugins.data_local import LocalMetadataService

    home = LocalMetadataService()
    (tmp_path / "home").mkdir()
    made = home.create_experiment("Kc <167>", "ada", "2024-05-01", ["Gene"], str(tmp_path / "home"))
    tifffile.imwrite(
        tmp_path / "a & b.tif",
        np.zeros((2, 8, 9), "uint16"),
        ome=True,
        photometric="minisblack",
        metadata={"axes": "CYX", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm"},
    )
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    pairs = {"Gene": ["p53", "p63"], "Day": 3}
    raw = home.import_data(made, str(tmp_path / "a & b.tif"), "a & b", "ada", "imagetiff", "2024-05-02", pairs)
    home.import_data(made, str(tmp_path / "notes.csv"), "notes", "ada", "tablecsv", "2024-05-02", {})
    dataset = home.create_dataset(made, "labels")
    run = home.create_run(dataset, Run(process_name="label_v1"))
    result = ProcessedData()
    result.set_info("labels of a", "ada", "2024-05-03", "imagetiff", "")
    result.add_input("image", raw)
    result.set_output("o", "Labels")
    result = home.create_data_uri(dataset, run, result)
    tifffile.imwrite(result.uri, np.ones((8, 9), "int32"))
    home.create_data(dataset, run, result)
    return home, home.get_experiment(made.md_uri)


def path_of(annotations: dict[str, Any], made: Any) -> str:
    """Find the file as omero-cli-transfer does: in the XML annotation that has a path."""
    import xml.etree.ElementTree as ET

    (found,) = [annotations[r.id] for r in made.annotation_refs if type(annotations[r.id]).__name__ == "XMLAnnotation"]
    node = ET.fromstring(ome_types.to_xml(found.value, canonicalize=True))
    return next(child.text for child in node.iter() if child.tag.endswith("Path") and child.text.strip())


def test_a_pack_says_what_the_experiment_says(experiment: tuple[Any, Any], tmp_path: Path) -> None:
    from bioimageit_omero.transfer_pack import write_pack

    packed = write_pack(*experiment, tmp_path / "pack")
    ome = ome_types.from_xml((tmp_path / "pack" / "transfer.xml").read_bytes())
    annotations = {a.id: a for a in ome.structured_annotations}
    names = {d.name: [i.id for i in d.image_refs] for d in ome.datasets}
    image, labels = ome.images
    pairs = {
        annotations[r.id].namespace: [(m.k, m.value) for m in annotations[r.id].value.ms]
        for r in image.annotation_refs
        if type(annotations[r.id]).__name__ == "MapAnnotation"
    }

    assert (packed.images, packed.files, packed.not_held) == (2, 1, [])
    assert (ome.projects[0].name, len(ome.projects[0].dataset_refs)) == ("Kc <167>", 2)
    assert [annotations[r.id].value for r in ome.projects[0].annotation_refs] == experiment[1].keys
    assert names == {"data": ["Image:1"], "labels": ["Image:2"]}
    assert (image.name, image.pixels.size_c, image.pixels.type.value) == ("a & b", 2, "uint16")
    assert (image.pixels.physical_size_x, image.pixels.physical_size_x_unit.value) == (250.0, "nm")
    assert pairs["openmicroscopy.org/omero/client/mapAnnotation"] == [("Gene", "p53"), ("Gene", "p63"), ("Day", "3")]
    assert labels.name == "labels of a"
    for made in ome.images:
        assert tifffile.imread(tmp_path / "pack" / path_of(annotations, made)).shape[-2:] == (8, 9)
    attached = [annotations[r.id] for d in ome.datasets for r in d.annotation_refs]
    assert [a.binary_file.file_name for a in attached] == ["notes.csv", "run.md.json"]
    assert all((tmp_path / "pack" / path_of(annotations, a)).stat().st_size == a.binary_file.size for a in attached)


def test_a_folder_that_is_not_empty_is_left_alone(experiment: tuple[Any, Any], tmp_path: Path, capsys: Any) -> None:
    from bioimageit_omero.transfer_pack import main

    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine").write_text("x")

    assert main([experiment[1].md_uri, str(tmp_path / "pack")]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "pack").iterdir()] == ["mine"]
