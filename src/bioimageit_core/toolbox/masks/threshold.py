"""Make a mask of what is brighter than a threshold."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.masks import THRESHOLD_METHODS, threshold
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, threshold, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--method", choices=THRESHOLD_METHODS, default="otsu", help="method")
    options.add_argument("--manual", type=edge.number(), default=0.0, help="value for the method 'a given value'")
    options.add_argument("--dark", action="store_true", help="objects are darker than the background")
    edge.by_option(options, "volume")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    mask = threshold(image, given.method, manual=given.manual, dark=given.dark, by=given.by)
    write_image(given.output, mask)


if __name__ == "__main__":
    edge.run(main)
