"""Put tiles together by the places in their names."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.reading import read_image
from imaging.tiling import stitch_tiles
from imaging.writing import write_image


def main() -> None:
    """Read the options, stitch, write."""
    options = edge.parser(__doc__)
    options.add_argument("--input", required=True, action="append", help="tile to read; may be given several times")
    options.add_argument("--name", action="append", default=[], help="name of each, in the same order")
    edge.output_option(options)
    given = options.parse_args()
    names = given.name or [Path(path).name for path in given.input]
    tiles = [(name, read_image(path)) for name, path in zip(names, given.input, strict=True)]
    write_image(given.output, stitch_tiles(tiles))


if __name__ == "__main__":
    edge.run(main)
