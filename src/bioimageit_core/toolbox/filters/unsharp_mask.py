"""Sharpen an image with an unsharp mask."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.filters import unsharp_mask
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, sharpen, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--sigma", type=edge.number(0.01, 1000), default=2.0, help="standard deviation in pixels")
    options.add_argument("--amount", type=edge.number(0, 100), default=1.0, help="amount")
    edge.by_option(options, "plane")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, unsharp_mask(image, given.sigma, given.amount, by=given.by))


if __name__ == "__main__":
    edge.run(main)
