"""Draws the pictures of your-data.md: every layout, and every transform on one generated scene.

python docs/make_pictures.py
"""

import functools
from pathlib import Path

import make_layout_pictures
import numpy as np
import tensorflow as tf
from PIL import Image

import kseg
from kseg import pictures
from kseg.base.colors import distinct_colors
from kseg.data import transforms as t

FOLDER = Path(__file__).parent / "pictures"
SIZE = (120, 160)
SHOWN = 4  # draws of each transform, side by side

SEMANTIC = {
    "random_scale_crop": t.random_scale_crop(SIZE, (0.5, 2.0)),
    "random_crop": t.random_crop((90, 120), max_share=0.6),
    "letterbox": t.letterbox((120, 120)),
    "pad": t.pad((150, 180)),
    "random_flip": t.random_flip(0.5, vertical=0.5),
    "random_rotation": t.random_rotation(30),
    "random_affine": t.random_affine(degrees=15, scale=(0.7, 1.4), shear=15, translate=0.1),
    "random_elastic": t.random_elastic(strength=0.06),
    "color_jitter": t.color_jitter(0.3, 0.4, 0.6),
    "random_blur": t.random_blur(3.0),
    "random_noise": t.random_noise(25.0),
    "random_appearance": t.random_appearance(probability=1.0),
    "random_cutout": t.random_cutout(label="void"),
    "cut_mix": t.cut_mix(1.0),
    "mosaic": t.mosaic(SIZE),
}
INSTANCE = {"copy_paste": t.copy_paste(1.0), "mosaic_instances": t.mosaic(SIZE)}


def draws(source, transform):
    """The photo, then `SHOWN` draws of the transform, each over its labels or objects."""
    samples = [{k: tf.constant(v) for k, v in source[i].items()} for i in range(4)]
    yield samples[0]
    for number in range(SHOWN):
        seed = tf.constant([7, number])
        if getattr(transform, "mixes", False):
            partners = samples[1:]
            yield transform(samples[0], seed, functools.partial(_at, partners))
        else:
            yield transform(samples[0], seed)


def _at(partners, number):
    return partners[int(number) % len(partners)]


def drawn(source, sample):
    """Photo above, labels (or objects, each in a colour of its own, with boxes) below."""
    image = sample["image"].numpy()
    if "label" in sample:
        below = pictures.colorize(sample["label"].numpy(), source.colors)
    else:
        colors = distinct_colors(len(sample["masks"]))
        below = image // 3
        for mask, box, color in zip(sample["masks"].numpy(), sample["boxes"].numpy(), colors):
            below[mask > 0] = color
            x1, y1, x2, y2 = box.astype(int)
            below[[y1, y2 - 1], x1:x2] = below[y1:y2, [x1, x2 - 1]] = 255
    return np.concatenate([image, np.full((3, image.shape[1], 3), 255, np.uint8), below])


def strip(pictures):
    height = max(len(picture) for picture in pictures)
    columns = []
    for picture in pictures:
        below = np.full((height - len(picture), picture.shape[1], 3), 255, np.uint8)
        columns += [np.concatenate([picture, below]), np.full((height, 4, 3), 255, np.uint8)]
    return np.concatenate(columns[:-1], axis=1)


def main():
    FOLDER.mkdir(exist_ok=True)
    make_layout_pictures.main()
    for instances, transforms in ((False, SEMANTIC), (True, INSTANCE)):
        source = kseg.data.shapes("val", size=SIZE, count=8, seed=3, instances=instances)
        for name, transform in transforms.items():
            pictures = [drawn(source, sample) for sample in draws(source, transform)]
            image = Image.fromarray(strip(pictures)).quantize(128)  # a fifth of the bytes
            image.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
