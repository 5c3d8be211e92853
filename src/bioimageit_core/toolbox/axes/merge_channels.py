"""Join images into one with several channels."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.axes import merge_channels
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, merge, write."""
    options = edge.parser(__doc__)
    options.add_argument("--input", required=True, action="append", help="image to read; may be given several times")
    options.add_argument("--name", action="append", default=[], help="name of each, in the same order")
    options.add_argument("--channels", default="", help="names of the channels")
    edge.output_option(options)
    given = options.parse_args()
    names = [name.strip() for name in given.channels.split(",")] if given.channels.strip() else []
    image = merge_channels([read_image(path) for path in given.input], names)
    write_image(given.output, image)


if __name__ == "__main__":
    edge.run(main)
