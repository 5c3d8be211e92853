import os
import sys

source, target, *rest = sys.argv[1:]
words = [word for word in rest if not os.path.exists(word)]
if "WARN" in words:
    sys.stderr.write("a warning\n")
with open(target, "w") as file:
    file.write(" ".join([*words, str(len(rest) - len(words))]) + "\n")
