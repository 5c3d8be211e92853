import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("input")
parser.add_argument("output")
parser.add_argument("status", type=int)
parser.add_argument("--text")
parser.add_argument("--count", type=int, default=1)
parser.add_argument("--upper", action="store_true")
options = parser.parse_args()
with open(options.input) as file:
    text = (options.text + "\n" if options.text else file.read()) * options.count
with open(options.output, "w") as file:
    file.write(text.upper() if options.upper else text)
if options.status < 0:
    print("ERROR: minus", file=sys.stderr)
else:
    print("note: done", file=sys.stderr)
    sys.exit(options.status)
