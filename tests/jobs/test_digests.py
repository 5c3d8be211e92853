"""Checksums of data and tools."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bioimageit_core.containers import Tool
from bioimageit_core.core.wrappers import read_wrapper, wrapper_directories
from bioimageit_core.jobs.digests import Digests, digest_path, digest_tool


def test_a_file_has_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"content")

    digest = digest_path(str(path))

    assert (digest.sha256, digest.size) == (hashlib.sha256(b"content").hexdigest(), 7)


def test_a_directory_has_the_digest_of_its_files_and_their_names(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name / "c").mkdir(parents=True)
        (tmp_path / name / ".zattrs").write_text("{}")
        (tmp_path / name / "c" / "0").write_text("a")
    (tmp_path / "three" / "c" / "0").rename(tmp_path / "three" / "c" / "1")

    one, two, three = (digest_path(str(tmp_path / name)) for name in ("one", "two", "three"))

    assert one.sha256 == two.sha256 != three.sha256
    assert one.size == 3


def test_a_digest_is_computed_again_when_the_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("a")
    digests = Digests()
    first = digests.of(str(path))
    assert digests.of(str(path)) is first

    path.write_text("bb")

    assert digests.of(str(path)).sha256 == hashlib.sha256(b"bb").hexdigest()


def wrapper(folder: Path, text: str = "<tool><macros><import>macros.xml</import></macros></tool>") -> Tool:
    (folder / "tool.xml").write_text(text)
    return Tool(uri=str(folder / "tool.xml"))


def test_a_tool_is_its_wrapper_its_macros_and_the_scripts_beside_it(tmp_path: Path) -> None:
    (tmp_path / "macros.xml").write_text("<macros><import>more.xml</import></macros>")
    (tmp_path / "more.xml").write_text("<macros/>")
    (tmp_path / "script.py").write_text("")
    (tmp_path / "other_tool.xml").write_text("<tool/>")
    (tmp_path / "README.md").write_text("")
    (tmp_path / ".shed.yml").write_text("")
    (tmp_path / "test-data").mkdir()

    digest = digest_tool(wrapper(tmp_path))

    assert set(digest.files) == {"tool.xml", "macros.xml", "more.xml", "script.py"}


def test_a_change_of_any_of_them_is_a_change_of_the_tool(tmp_path: Path) -> None:
    (tmp_path / "macros.xml").write_text("<macros/>")
    before = digest_tool(wrapper(tmp_path)).sha256

    (tmp_path / "macros.xml").write_text("<macros> </macros>")

    assert digest_tool(wrapper(tmp_path)).sha256 != before


def test_a_tool_without_a_file_is_its_command() -> None:
    one, two = Tool(id="a", version="1", command="x"), Tool(id="a", version="1", command="y")

    assert digest_tool(one).sha256 == digest_tool(Tool(id="a", version="1", command="x")).sha256
    assert digest_tool(one).sha256 != digest_tool(two).sha256


def test_what_a_tool_shares_with_others_is_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "collection" / "blur"
    shared = tmp_path / "collection" / "shared"
    folder.mkdir(parents=True)
    shared.mkdir()
    (shared / "__init__.py").write_text("")
    (shared / "code.py").write_text("a = 1\n")
    (tmp_path / "collection" / "macros.xml").write_text("<macros/>")
    (folder / "blur.xml").write_text(
        '<tool id="blur" version="1" profile="23.0"><macros><import>../macros.xml</import></macros>'
        "<command>true</command></tool>"
    )
    tool = read_wrapper(folder / "blur.xml")
    before = digest_tool(tool)

    (shared / "code.py").write_text("a = 2\n")

    assert set(before.files) == {"blur.xml", "../macros.xml", "../shared/__init__.py", "../shared/code.py"}
    assert digest_tool(tool).sha256 != before.sha256
    assert wrapper_directories(tool) == [str(tmp_path / "collection")]
