"""Restores the damaged pictures of a folder as Python's packages do: python restoration.py denoise|inpaint FOLDER COUNT. Prints one JSON
object: the sum over the pictures of each way's PSNR in dB, over all values or over those in the holes."""

import json
import sys

import numpy as np
from PIL import Image

task, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sums = {}


def read(number, kind):
    return np.asarray(Image.open(f"{folder}/{number}.{kind}.png")).astype(np.float64)


def score(name, clean, found, where=None):
    error = (np.clip(np.round(found), 0, 255) - clean) ** 2
    error = error if where is None else error[where]
    sums[name] = sums.get(name, 0) + 10 * np.log10(255**2 / error.mean())


for number in range(count):
    clean, damaged = read(number, "clean"), read(number, "damaged")
    if task == "denoise":
        import bm3d

        score("BM3D", clean, 255 * bm3d.bm3d_rgb(damaged / 255, 25 / 255))
    else:
        from scipy import ndimage
        from skimage.restoration import inpaint_biharmonic

        holes = read(number, "holes") > 127
        score("biharmonic", clean, 255 * inpaint_biharmonic(damaged / 255, holes, channel_axis=-1), holes)
        filled = damaged.copy()
        labels, found = ndimage.label(holes)
        for label in range(1, found + 1):
            hole = labels == label
            around = ndimage.binary_dilation(hole, iterations=8) & ~holes
            filled[hole] = damaged[around].mean(axis=0)
        score("mean colour around the hole", clean, filled, holes)
print(json.dumps(sums))
