"""Count the bright blobs of an image and write a table with one row each."""

import argparse
import csv
import sys

import numpy as np
import tifffile
from scipy import ndimage

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--image", required=True, help="TIFF with axes YX")
parser.add_argument("--sigma", type=float, default=2.0, help="size of a blob, in pixels")
parser.add_argument("--polarity", choices=["bright", "dark"], default="bright")
parser.add_argument("--table", required=True, help="CSV to write")
arguments = parser.parse_args()

image = tifffile.imread(arguments.image).astype(float)
if image.ndim != 2:
    sys.exit(f"expected an image with axes YX, got {image.ndim} axes")
if arguments.polarity == "dark":
    image = -image
response = -ndimage.gaussian_laplace(image, arguments.sigma)
labels, count = ndimage.label(response > response.mean() + 2 * response.std())
areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]

with open(arguments.table, "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["label", "y", "x", "area"])
    for label, (y, x) in enumerate(ndimage.center_of_mass(labels > 0, labels, range(1, count + 1)), 1):
        writer.writerow([label, round(y, 2), round(x, 2), areas[label - 1]])
