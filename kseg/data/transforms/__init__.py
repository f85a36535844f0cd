"""Joint random operations on a sample, run inside `tf.data`.

A transform is a function `(sample, seed) -> sample` made by one of the factories below. A sample
has the keys of `kseg.data.Source`, semantic or instance; `seed` is an int32 tensor of two numbers
that differs from sample to sample and epoch to epoch, so a run can be repeated to the bit. No
transform invents a label: labels and masks move by nearest neighbour, new area is void, boxes are
taken from the moved masks, and instances of which nothing is left are dropped.

A transform that mixes several samples takes a third argument, `partner`: a function of a number
(or an int32 tensor) that returns another sample, at the same stage of the pipeline; it reads its
files where it is called, so a transform calls it only when it mixes. It says so by its attribute
`mixes = True`. One that can work on a photo's bytes says `takes_bytes = True`.
"""

from kseg.data.transforms.affine import random_affine, random_rotation
from kseg.data.transforms.chance import random_apply
from kseg.data.transforms.color import color_jitter
from kseg.data.transforms.crop import letterbox, pad, random_crop, random_scale_crop
from kseg.data.transforms.degrade import random_blur, random_cutout, random_noise
from kseg.data.transforms.elastic import random_elastic
from kseg.data.transforms.flip import random_flip
from kseg.data.transforms.keras_layers import from_keras
from kseg.data.transforms.mix import copy_paste, cut_mix, mosaic
from kseg.data.transforms.robust import random_appearance, robust

__all__ = [
    "color_jitter",
    "copy_paste",
    "cut_mix",
    "from_keras",
    "letterbox",
    "mosaic",
    "pad",
    "random_affine",
    "random_appearance",
    "random_apply",
    "random_blur",
    "random_crop",
    "random_cutout",
    "random_elastic",
    "random_flip",
    "random_noise",
    "random_rotation",
    "random_scale_crop",
    "robust",
]
