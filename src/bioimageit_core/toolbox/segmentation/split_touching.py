"""Split touching objects by a watershed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.reading import read_image
from imaging.segmentation import watershed
from imaging.writing import write_image


def main() -> None:
    """Read the options, split, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--mask", help="mask; without it, what is above the threshold of Otsu")
    options.add_argument("--on", choices=("distance", "intensity"), default="distance", help="landscape")
    options.add_argument(
        "--sigma", type=edge.number(0.1, 1000), default=2.0, help="smoothing in pixels before seeds are looked for"
    )
    edge.by_option(options, "volume")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    mask = read_image(given.mask) if given.mask else None
    write_image(given.output, watershed(image, mask, on=given.on, sigma=given.sigma, by=given.by))


if __name__ == "__main__":
    edge.run(main)
