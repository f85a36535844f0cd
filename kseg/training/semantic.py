"""How labels are learned: the loss, and the scores that a run keeps."""

from kseg.checks.statistics import class_weights
from kseg.losses import CrossEntropyLoss, DiceLoss
from kseg.metrics import MeanIoU
from kseg.models.contract import contract
from kseg.models.defaults import compile_own
from kseg.training.schedule import optimizer
from kseg.training.weighing import counted

OPTIONS = {}
TRAINED = ("loss", "mean_iou")  # columns of the history, of the batches learned from
VALIDATED = ("mean_iou", "pixel_accuracy")  # of `kseg.evaluate`; the first is the one to watch


def check(model, val, settings):
    """Raises if such a model cannot be trained or validated here, or not by these settings."""


def compile_model(model, settings, steps, source, pixels):
    """AdamW with warm-up and cosine decay; weighted cross-entropy + Dice; mean IoU.

    Args:
        model: The model to compile.
        settings: `Settings`.
        steps: Of the whole run.
        source: What is learned from.
        pixels: Of each class, as the check counted them.
    """
    loss = CrossEntropyLoss(
        ignore_class=source.void, class_weight=class_weights(pixels, settings.balance)
    )
    if settings.dice:
        loss = loss + settings.dice * DiceLoss(ignore_class=source.void)
    metric = MeanIoU(
        contract(model).outputs, ignore_class=source.void, class_names=source.class_names
    )
    compile_own(model, optimizer=optimizer(settings, steps), loss=loss, **counted(source, metric))
