"""How several classes a pixel are learned: the loss, and the scores that a run keeps."""

from kseg.checks.statistics import class_weights
from kseg.metrics import MeanIoU
from kseg.training.losses import loss
from kseg.training.weighing import counted

OPTIONS = {}
TRAINED = ("loss", "mean_iou")  # columns of the history, of the batches learned from
VALIDATED = ("mean_iou", "mean_dice")  # of `kseg.evaluate`; the first is the one to watch
CLIPNORM = None
LEARNED = "A pixel may have several classes."
PLACES = None
BATCH, STEPS, PRETRAINED = 8, 2500, "efficientnet_lite0"  # as of `kseg.training.semantic`


def check(model, val, settings):
    """Raises if such a model cannot be trained or validated here, or not by these settings."""


def compiled(model, settings, source, pixels):
    """Loss and metrics as `compile` takes them: weighted binary cross-entropy + Dice; mean IoU.

    Arguments as of `kseg.training.semantic`.
    """
    class_weight = weights(pixels, settings.balance)
    metric = MeanIoU(
        source.num_classes,
        class_names=source.class_names,
        ignore_class=source.void,
        multilabel=True,
    )
    learned = loss(settings, source.void, class_weight, multilabel=True)
    return {"loss": learned, **counted(source, metric)}


def weights(pixels, balance):
    """Weights of the mean over the classes; 1 for one that never occurs, which is learned as well.

    No other class pushes it away: that it is nowhere has to be learned of itself.
    """
    given = class_weights(pixels, balance) if pixels.any() else None
    return given and [weight or 1.0 for weight in given]


def losses_for(counted):
    """Nothing, the default: cross-entropy and Dice of each class by itself. Arguments as of
    `kseg.training.semantic`."""
    return ()


def content(sample, source):
    """Which classes are in a sample, bool `(C,)`."""
    return (sample["label"] == 1).any(axis=(0, 1))
