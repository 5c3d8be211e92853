"""Put tables one below the other."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.tables import merge_tables, read_table, write_table


def main() -> None:
    """Read the options, merge, write."""
    options = edge.parser(__doc__)
    options.add_argument("--input", required=True, action="append", help="table to read; may be given several times")
    options.add_argument("--name", action="append", default=[], help="name of each, in the same order")
    options.add_argument("--source", default="source", help="name of the column that says where a row comes from")
    edge.output_option(options, "--output", "table (CSV) to write")
    given = options.parse_args()
    names = given.name or [Path(path).name for path in given.input]
    table = merge_tables([read_table(path) for path in given.input], names, source=given.source)
    write_table(given.output, table)
    sys.stdout.write(f"{len(table)} rows of {len(given.input)} tables\n")


if __name__ == "__main__":
    edge.run(main)
