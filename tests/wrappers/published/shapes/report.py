import json
import sys

import numpy as np
import tifffile

with open(sys.argv[1], encoding="utf-8") as file:
    values = json.load(file)
values["masks"] = values["masks"] or None


def shape(path: str) -> list[int]:
    with open(path, "rb") as file:
        if file.read(4) != b"II*\0":
            return []
    return list(np.asarray(tifffile.imread(path)).shape)


values["image_shape"] = shape(values["image"])
values["mask_shapes"] = [shape(path) for path in values["masks"] or []]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(values, file)
