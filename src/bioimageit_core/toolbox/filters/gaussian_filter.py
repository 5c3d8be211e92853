"""Smooth an image with a Gaussian."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.filters import gaussian
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, smooth, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--sigma", type=edge.number(0.01, 1000), default=1.0, help="standard deviation")
    options.add_argument(
        "--unit", choices=("pixel", "physical"), default="pixel", help="unit of the standard deviation"
    )
    edge.by_option(options, "volume")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, gaussian(image, given.sigma, unit=given.unit, by=given.by))


if __name__ == "__main__":
    edge.run(main)
