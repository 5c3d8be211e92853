"""Convert an image to another format."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.reading import read_image
from imaging.writing import FORMATS, write_image


def main() -> None:
    """Read the options, convert, say what was written."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--to", choices=FORMATS, default="ome.tiff", help="format")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, image, given.to)
    sizes = " ".join(f"{axis}={image.size(axis)}" for axis in image.axes)
    sys.stdout.write(f"{given.to} {sizes} {image.data.dtype}\n")


if __name__ == "__main__":
    edge.run(main)
