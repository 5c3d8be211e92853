import argparse

import numpy as np
import scipy.ndimage as ndi
import skimage.filters
import skimage.io
import skimage.measure

parser = argparse.ArgumentParser()
parser.add_argument("input")
parser.add_argument("output")
parser.add_argument("--method", required=True)
parser.add_argument("--value", type=float)
parser.add_argument("--sigma", type=float, default=0)
parser.add_argument("--invert", action="store_true")
parser.add_argument("--label", action="store_true")
parser.add_argument("--erode", type=int, action="append", default=[])
args = parser.parse_args()

img = skimage.io.imread(args.input)
if args.sigma:
    img = ndi.gaussian_filter(img.astype(float), args.sigma)
value = args.value if args.method == "manual" else getattr(skimage.filters, f"threshold_{args.method}")(img)
mask = img > value
if args.invert:
    mask = ~mask
for size in args.erode:
    mask = ndi.binary_erosion(mask, iterations=size)
result = skimage.measure.label(mask).astype(np.uint16) if args.label else (mask * 255).astype(np.uint8)
print("threshold:", value)
skimage.io.imsave(args.output, result, plugin="tifffile", check_contrast=False)
