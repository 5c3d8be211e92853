"""Subtract the background with a top-hat transform."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.filters import top_hat
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, filter, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--radius", type=edge.whole(1, 200), default=15, help="radius in pixels")
    options.add_argument("--dark", action="store_true", help="keep dark objects")
    edge.by_option(options, "plane")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, top_hat(image, given.radius, dark=given.dark, by=given.by))


if __name__ == "__main__":
    edge.run(main)
