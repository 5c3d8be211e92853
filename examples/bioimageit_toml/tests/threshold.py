"""python threshold.py IMAGE LEVEL RESULT: set what is darker than LEVEL to black."""

import sys

import numpy as np
import tifffile

image = tifffile.imread(sys.argv[1])
tifffile.imwrite(sys.argv[3], np.where(image < float(sys.argv[2]), 0, image).astype(image.dtype))
