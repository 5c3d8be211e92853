"""Who copies the blocks of a tutorial, file by file, has the example that is installed and tested."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r'^```\w+ title="(?P<title>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
_INCLUDED = re.compile(r'--8<-- "(?P<path>[^":]+)(?::(?P<part>[^"]+))?"')
_MARK = re.compile(r"^\s*# --8<-- \[(start|end):\w+\]$")


def copied_from(page: Path) -> dict[str, list[str]]:
    """Follow a page: the lines of each file that its blocks tell to write."""
    files: dict[str, list[str]] = defaultdict(list)
    for block in _BLOCK.finditer(page.read_text()):
        included = _INCLUDED.fullmatch(block["text"].strip())
        assert included, f"{block['title']} is not shown from the example"
        files[block["title"]] += _lines(ROOT / included["path"], included["part"])
    return files


def _lines(path: Path, part: str | None) -> list[str]:
    lines = path.read_text().splitlines()
    if part is None:
        return lines
    if ":" in part:
        first, last = map(int, part.split(":"))
        return lines[first - 1 : last]
    marks = [number for number, line in enumerate(lines) if line.strip().endswith(f":{part}]")]
    return lines[marks[0] + 1 : marks[1]]


def _said(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip() and not _MARK.match(line)]


@pytest.mark.parametrize(
    ("page", "example", "needed"),
    [
        ("data-plugin", "bioimageit_onefile", {"pyproject.toml", "src/**/*.py"}),
        ("runner-plugin", "bioimageit_nice", {"pyproject.toml", "src/**/*.py"}),
        ("tools-plugin", "bioimageit_toml", {"pyproject.toml", "src/**/*.py", "tests/*"}),
        ("wrap-a-tool", "bioimageit_blobs/src/bioimageit_blobs", {"wrappers/*.*"}),
    ],
)
def test_a_tutorial_shows_all_of_its_example(page: str, example: str, needed: set[str]) -> None:
    folder = ROOT / "examples" / example

    files = copied_from(ROOT / "docs" / "tutorials" / f"{page}.md")

    for name, lines in files.items():
        assert _said(lines) == _said((folder / name).read_text().splitlines()), name
    wanted = {str(path.relative_to(folder)) for pattern in needed for path in folder.glob(pattern) if path.is_file()}
    assert wanted <= set(files)
