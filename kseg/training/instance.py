"""How objects are learned: by the model's own losses; and the scores that a run keeps."""

from kseg.base.optional import pycocotools_mask
from kseg.models.defaults import compile_own
from kseg.training.schedule import optimizer
from kseg.training.settings import OF_LABELS, check_unused

OPTIONS = {}
TRAINED = ("loss", "objectness", "rpn_box", "classifier", "box", "mask")
VALIDATED = ("mask_ap", "box_ap", "pq")
CLIPNORM = 10.0  # as `kseg.build_mask_rcnn` compiles


def check(model, val, settings):
    """Raises if such a model cannot be trained or validated here, or not by these settings."""
    check_unused(settings, OF_LABELS, "for a model of objects")
    if val is not None:
        pycocotools_mask()  # not only after the first epoch


def compile_model(model, settings, steps, source, pixels):
    """AdamW with warm-up and cosine decay; arguments as of `kseg.training.semantic`."""
    compile_own(model, optimizer=optimizer(settings, steps, clipnorm=CLIPNORM))
