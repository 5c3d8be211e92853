"""Describe the columns of one or more tables by statistics."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.tables import merge_tables, read_table, summarise, write_table


def main() -> None:
    """Read the options, summarise, write."""
    options = edge.parser(__doc__)
    options.add_argument("--input", required=True, action="append", help="table to read; may be given several times")
    options.add_argument("--name", action="append", default=[], help="name of each, in the same order")
    options.add_argument("--group-by", default="", help="group by")
    edge.output_option(options, "--output", "table (CSV) to write")
    given = options.parse_args()
    names = given.name or [Path(path).name for path in given.input]
    tables = [read_table(path) for path in given.input]
    taken = any("source" in table.columns for table in tables)
    merged = merge_tables(tables, names, source="table" if taken else "source")
    write_table(given.output, summarise(merged, group_by=given.group_by))


if __name__ == "__main__":
    edge.run(main)
