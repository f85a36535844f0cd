"""A Mask R-CNN that is soon built, and scenes for it."""

import keras
import numpy as np
from seeds import fresh_seed

import kseg

CLASSES = 3
SMALL = {
    "fpn_width": 16,
    "box_width": 32,
    "mask_width": 16,
    "anchor_sizes": ((8,), (16,), (32,), (64,), (128,)),
    "train_proposals": 60,
    "predict_proposals": 40,
    "anchor_samples": 32,
    "region_samples": 24,
    "mask_samples": 12,  # more than are always computed
    "detections": 10,
    "min_score": 0.01,
    "resize": None,
    "seed": 0,
}
SIZE = (64, 96)


def small_encoder(channels=3):
    """Features at the strides 2 to 32, of 8 channels; that of ResNets is seen in tests/parity."""
    x = image = keras.Input((None, None, channels))
    x = keras.layers.Rescaling(1 / 64, -2.0)(x)
    for _ in range(5):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(image, x, name="small")


def build(num_classes=CLASSES, **changed):
    fresh_seed(0)
    encoder = changed.pop("encoder", None) or small_encoder()
    return kseg.build_mask_rcnn(num_classes, encoder=encoder, **{**SMALL, **changed})


def scene(boxes, *, size=SIZE, places=6, crowd=()):
    """An image and its labels: rectangles of the classes 0, 1, 2, 0, ..."""
    rng = np.random.default_rng(len(boxes))
    image = rng.integers(0, 256, (*size, 3)).astype("uint8")
    labels = {
        "boxes": np.zeros((places, 4), "float32"),
        "classes": np.full(places, -1, "int32"),
        "masks": np.zeros((places, *size), "uint8"),
        "crowd": np.zeros(places, bool),
    }
    for place, (x1, y1, x2, y2) in enumerate(boxes):
        labels["boxes"][place] = x1, y1, x2, y2
        labels["classes"][place] = place % CLASSES
        labels["masks"][place, y1:y2, x1:x2] = 1
        labels["crowd"][place] = place in crowd
        image[y1:y2, x1:x2] = 60 * (place % CLASSES) + 60
    return image, labels


def stacked(*scenes):
    images, labels = zip(*scenes)
    return np.stack(images), {key: np.stack([one[key] for one in labels]) for key in labels[0]}


TWO = stacked(scene([(5, 5, 40, 30), (50, 20, 90, 60)]), scene([(10, 8, 30, 50)]))
