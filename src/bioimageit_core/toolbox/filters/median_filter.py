"""Replace each pixel by the median of its neighbourhood."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.filters import median
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, filter, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--radius", type=edge.whole(1, 50), default=1, help="radius in pixels")
    edge.by_option(options, "plane")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, median(image, given.radius, by=given.by))


if __name__ == "__main__":
    edge.run(main)
