"""Cut an image into tiles."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.reading import read_image
from imaging.tiling import split_tiles
from imaging.writing import write_image


def main() -> None:
    """Read the options, split, write each tile."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--size", type=edge.whole(1, 100000), default=512, help="side of a tile in pixels")
    options.add_argument("--overlap", type=edge.whole(0, 99999), default=0, help="overlap of neighbours in pixels")
    edge.output_option(options, "--output-dir", "directory to write OME-TIFFs into")
    given = options.parse_args()
    image = read_image(given.input)
    for name, tile in split_tiles(image, given.size, given.overlap):
        write_image(Path(given.output_dir) / f"{name}.ome.tiff", tile)


if __name__ == "__main__":
    edge.run(main)
