import csv
import json
import sys

with open(sys.argv[1]) as file:
    params = json.load(file)
rows = []
header = []
for path, name in zip(sys.argv[3::2], sys.argv[4::2], strict=True):
    with open(path) as file:
        header, *lines = csv.reader(file, delimiter="\t")
    rows += [[*line, name] for line in lines]
header.append("source")
if params["filter"]["use"] == "yes":
    column = int(params["filter"]["column"]) - 1
    rows = [row for row in rows if float(row[column]) >= params["filter"]["limit"]]
kept = [header.index(name) for name in [*params["keep"], "source"]]
with open(sys.argv[2], "w", newline="") as file:
    writer = csv.writer(file, delimiter="\t" if params["format"] == "tabular" else ",", lineterminator="\n")
    writer.writerows([[row[index] for index in kept] for row in [header, *rows]])
