"""Make a mask of what is brighter than its surroundings."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.masks import LOCAL_METHODS, local_threshold
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, threshold, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--method", choices=LOCAL_METHODS, default="gaussian", help="method")
    options.add_argument("--window", type=edge.whole(3, 1001), default=51, help="side of the window in pixels, odd")
    options.add_argument("--offset", type=edge.number(), default=0.0, help="subtracted from the threshold")
    options.add_argument(
        "--k", type=edge.number(-10, 10), default=0.2, help="weight of the standard deviation (Niblack, Sauvola)"
    )
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    mask = local_threshold(image, given.method, window=given.window, offset=given.offset, k=given.k)
    write_image(given.output, mask)


if __name__ == "__main__":
    edge.run(main)
