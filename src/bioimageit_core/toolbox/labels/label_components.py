"""Number the connected objects of a mask."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.labels import label_components
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, label, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--connectivity", choices=("full", "faces"), default="full", help="connectivity")
    edge.by_option(options, "volume")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    write_image(given.output, label_components(image, connectivity=given.connectivity, by=given.by))


if __name__ == "__main__":
    edge.run(main)
