"""Change the number of pixels along X, Y and Z."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.axes import rescale
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, rescale, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--factor-xy", type=edge.number(0.001, 100), default=1.0, help="factor along Y and X")
    options.add_argument("--factor-z", type=edge.number(0.001, 100), default=1.0, help="factor along Z")
    options.add_argument("--labels", action="store_true", help="the image is a label image")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    factors = {"Y": given.factor_xy, "X": given.factor_xy, "Z": given.factor_z}
    write_image(given.output, rescale(image, factors, labels=given.labels))


if __name__ == "__main__":
    edge.run(main)
