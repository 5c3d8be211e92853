"""Project an image along Z, T or C."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.axes import PROJECTIONS, project
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, project, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--method", choices=tuple(PROJECTIONS), default="max", help="method")
    options.add_argument("--axis", choices=("Z", "T", "C"), default="Z", help="axis")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, project(image, given.method, given.axis))


if __name__ == "__main__":
    edge.run(main)
