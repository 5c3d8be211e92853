import argparse
import sys

import numpy as np
import pandas
import tifffile
from PIL import Image
from skimage.measure import regionprops_table

parser = argparse.ArgumentParser()
parser.add_argument("--labels")
parser.add_argument("--intensity")
parser.add_argument("--features", nargs="+")
parser.add_argument("--all-columns", action="store_true")
parser.add_argument("--output")
parser.add_argument("--sep", default="\t")
args = parser.parse_args()
if "mean_intensity" in args.features and not args.intensity:
    sys.exit("mean_intensity needs an intensity image")
image = np.asarray(Image.open(args.intensity)) if args.intensity else None
table = pandas.DataFrame(regionprops_table(tifffile.imread(args.labels), image, ["label", *args.features]))
if args.all_columns:
    table["image"] = args.labels
table.to_csv(args.output, sep=args.sep, index=False)
