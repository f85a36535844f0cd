"""How labels are learned: the loss, and the scores that a run keeps."""

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
