"""Bio-Formats is asked in a process of its own; a program stands in for Java here, which says what Java would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioimageit_core.images import bioformats
from bioimageit_core.images.model import ImageReadError, UnknownImageError

OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
  <Instrument ID="Instrument:0"><Objective ID="Objective:0" Model="Plan" NominalMagnification="63.0"/></Instrument>
  <Image ID="Image:0" Name="worm"><ObjectiveSettings ID="Objective:0"/>
    <Pixels DimensionOrder="XYCZT" SizeX="7" SizeY="5" SizeC="1" SizeZ="1" SizeT="3" Type="uint16"
      PhysicalSizeX="42.6" PhysicalSizeXUnit="nm"><Channel Name="ChA"/></Pixels></Image>
</OME>"""


def let_java(folder: Path, patch: pytest.MonkeyPatch, output: str, error: str = "", status: int = 0) -> None:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    (folder / "output").write_text(output)
    (folder / "error").write_text(error)
    java.write_text(f'#!/bin/sh\ncat "{folder}/output"; cat "{folder}/error" >&2; exit {status}\n')
    java.chmod(0o755)
    (folder / "bioformats_package.jar").write_bytes(b"")
    patch.setenv("JAVA_HOME", str(folder))
    patch.setenv(bioformats.JAR_VARIABLE, str(folder / "bioformats_package.jar"))


def test_its_ome_xml_is_read_whatever_is_written_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_java(tmp_path, monkeypatch, f"a warning of a logger\n{OME}")

    said = bioformats.facts("/images/worm.czi")

    assert said.shape == (3, 1, 1, 5, 7)
    assert (said.pixel_sizes, said.units) == ({"X": 42.6}, {"X": "nm"})
    assert [channel.name for channel in said.channels] == ["ChA"]
    assert said.objective == {"Model": "Plan", "NominalMagnification": 63.0}
    assert said.reader == "bio-formats"
    with pytest.raises(ImageReadError, match="no scene 1: Bio-Formats finds 1"):
        bioformats.facts("/images/worm.czi", 1)


def test_a_format_that_it_does_not_know_is_told_from_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = 'Exception in thread "main" loci.formats.UnknownFormatException: Unknown file format: a.xyz'
    (tmp_path / "one").mkdir()
    let_java(tmp_path / "one", monkeypatch, "", unknown, 1)
    with pytest.raises(UnknownImageError, match="Bio-Formats does not know the format"):
        bioformats.facts("/images/a.xyz")

    (tmp_path / "two").mkdir()
    let_java(tmp_path / "two", monkeypatch, "", "java.io.EOFException: cut off", 1)
    with pytest.raises(ImageReadError, match=r"Bio-Formats cannot read it: java\.io\.EOFException") as caught:
        bioformats.facts("/images/a.czi")
    assert not isinstance(caught.value, UnknownImageError)
