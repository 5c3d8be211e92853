"""Run the double: it writes its port as JSON, and ends with its standard input."""

import sys

from .server import main

sys.exit(main(sys.argv[1:]))
