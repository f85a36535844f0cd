"""How labels are learned: the loss, and the scores that a run keeps."""

import numpy as np

from kseg.checks.statistics import class_weights
from kseg.metrics import MeanIoU
from kseg.models.contract import contract
from kseg.training.losses import loss
from kseg.training.weighing import counted

OPTIONS = {}
TRAINED = ("loss", "mean_iou")  # columns of the history, of the batches learned from
# of `kseg.evaluate`; the first is the one to watch
VALIDATED = ("mean_iou", "mean_dice", "mean_accuracy", "pixel_accuracy")
CLIPNORM = None
# of a plan: what is learned, photos of a step, steps, and an encoder that has seen photos
LEARNED = "Each pixel has one class."
PLACES = None  # for objects in a batch
BATCH, STEPS, PRETRAINED = 8, 2500, "efficientnet_lite0"
RARE = 0.01  # share of the pixels below which a class needs more than its weight
EVEN = 3.0  # times the rarest class, up to which classes are even


def check(model, val, settings):
    """Raises if such a model cannot be trained or validated here, or not by these settings."""


def compiled(model, settings, source, pixels):
    """Loss and metrics as `compile` takes them: weighted cross-entropy + Dice; mean IoU.

    Args:
        model: The model to compile.
        settings: `Settings`.
        source: What is learned from.
        pixels: Of each class, as the check counted them.
    """
    weights = class_weights(pixels, settings.balance)
    metric = MeanIoU(
        contract(model).outputs, ignore_class=source.void, class_names=source.class_names
    )
    return {"loss": loss(settings, source.void, weights), **counted(source, metric)}


def losses_for(counted):
    """What a plan says of the loss: `(setting, value, reason)`.

    Args:
        counted: `Statistics` of what is learned from.
    """
    seen = np.flatnonzero(counted.pixels)
    shares = counted.pixels[seen] / counted.pixels.sum()
    if shares.max() <= EVEN * shares.min():
        yield "loss", "cross_entropy", "Classes are about equally common."
        yield "balance", 0.0, "So none needs a weight."
        return
    rarest = repr(counted.class_names[seen[shares.argmin()]])
    share = f"{100 * shares.min():.2g}% of the pixels"
    if shares.min() < RARE:
        reason = f"{rarest} has {share}: Dice counts a class by itself, however rare."
        yield "loss", "cross_entropy + dice", reason
    reason = f"{rarest} is the rarest, {share}: weights by the square root even it out."
    yield "balance", 0.5, reason


def content(sample, source):
    """Which classes are in a sample, bool `(C,)`."""
    return np.isin(np.arange(source.num_classes), sample["label"])
