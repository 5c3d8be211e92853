"""Show the edges or blobs of an image."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.filters import EDGE_METHODS, edges
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, filter, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--method", choices=EDGE_METHODS, default="sobel", help="method")
    options.add_argument(
        "--sigma",
        type=edge.number(0.1, 1000),
        default=1.0,
        help="standard deviation for the Laplacian of Gaussian, in pixels",
    )
    edge.by_option(options, "plane")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, edges(image, given.method, sigma=given.sigma, by=given.by))


if __name__ == "__main__":
    edge.run(main)
