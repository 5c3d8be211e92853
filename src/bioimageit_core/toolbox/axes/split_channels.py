"""Write each channel as an image of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.axes import split_channels
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, split, write each channel."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    edge.output_option(options, "--output-dir", "directory to write OME-TIFFs into")
    given = options.parse_args()
    image = read_image(given.input)
    for number, channel in enumerate(split_channels(image)):
        name = re.sub(r"\W+", "_", channel.channels[0] if channel.channels else "").strip("_")
        stem = f"C{number}_{name[:60]}" if name else f"C{number}"
        write_image(Path(given.output_dir) / f"{stem}.ome.tiff", channel)


if __name__ == "__main__":
    edge.run(main)
