"""How objects are learned: by the model's own losses; and the scores that a run keeps."""

import numpy as np

from kseg.base.optional import pycocotools_mask
from kseg.data import pipeline
from kseg.training.settings import OF_LABELS, check_unused

OPTIONS = {}
TRAINED = ("loss", "objectness", "rpn_box", "classifier", "box", "mask")
VALIDATED = ("mask_ap", "mask_ap50", "box_ap", "pq")
CLIPNORM = 10.0  # as `kseg.build_mask_rcnn` compiles
LEARNED = "Objects are told apart."
PLACES = pipeline.PLACES  # for objects, where the batches of all processes must be alike
BATCH, STEPS, PRETRAINED = 2, 6000, None  # as of `kseg.training.semantic`


def check(model, val, settings):
    """Raises if such a model cannot be trained or validated here, or not by these settings."""
    check_unused(settings, OF_LABELS, "for a model of objects")
    if val is not None:
        pycocotools_mask()  # not only after the first epoch


def compiled(model, settings, source, pixels):
    """Nothing: a model of objects brings its losses. Arguments as of `kseg.training.semantic`."""
    return {}


def losses_for(counted):
    """Nothing: a model of objects brings its losses. Arguments as of `kseg.training.semantic`."""
    return ()


def content(sample, source):
    """Which classes are in a sample, bool `(C,)`."""
    return np.isin(np.arange(source.num_classes), sample["classes"])
