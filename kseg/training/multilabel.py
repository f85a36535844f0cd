"""How several classes a pixel are learned: the loss, and the scores that a run keeps."""

from kseg.checks.statistics import class_weights
from kseg.losses import CrossEntropyLoss, DiceLoss
from kseg.metrics import MeanIoU
from kseg.models.defaults import compile_own
from kseg.training.schedule import optimizer
from kseg.training.weighing import counted

OPTIONS = {}
TRAINED = ("loss", "mean_iou")  # columns of the history, of the batches learned from
VALIDATED = ("mean_iou", "mean_dice")  # of `kseg.evaluate`; the first is the one to watch


def check(model, val, settings):
    """Raises if such a model cannot be trained or validated here, or not by these settings."""


def compile_model(model, settings, steps, source, pixels):
    """AdamW with warm-up and cosine decay; weighted binary cross-entropy + Dice; mean IoU.

    Arguments as of `kseg.training.semantic`.
    """
    several = {"ignore_class": source.void, "multilabel": True}
    loss = CrossEntropyLoss(class_weight=weights(pixels, settings.balance), **several)
    if settings.dice:
        loss = loss + settings.dice * DiceLoss(**several)
    metric = MeanIoU(source.num_classes, class_names=source.class_names, **several)
    compile_own(model, optimizer=optimizer(settings, steps), loss=loss, **counted(source, metric))


def weights(pixels, balance):
    """Weights of the mean over the classes; 1 for one that never occurs, which is learned as well.

    No other class pushes it away: that it is nowhere has to be learned of itself.
    """
    given = class_weights(pixels, balance) if pixels.any() else None
    return given and [weight or 1.0 for weight in given]
