"""The default optimizer, loss and metrics of each task; whether a model has them; the start."""

import weakref

from kseg.losses import CrossEntropyLoss, DiceLoss
from kseg.metrics import MeanIoU
from kseg.models.graph import compilation
from kseg.models.optimizer import AdamW

LEARNING_RATE = 1e-3  # AdamW's own default; safe for a U-Net from a random start
WEIGHT_DECAY = 1e-4
INSTANCE_LEARNING_RATE = 2e-4
NAME = "kseg"  # of an optimizer that kseg chose, by which it is known again in a file
NAMES = (NAME, "kseg_adamw")  # and in files of before

_own = weakref.WeakKeyDictionary()  # model -> its compilation, if kseg made it


def compile_semantic(model, num_classes, multilabel=False):
    """Compiles a model of logits: AdamW, cross-entropy + Dice, mean IoU, void = 255.

    Args:
        model: The model.
        num_classes: Channels of its logits.
        multilabel: Whether a pixel may have several classes. Defaults to False.
    """
    compile_own(
        model,
        optimizer=AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY, name=NAME),
        loss=CrossEntropyLoss(multilabel=multilabel) + DiceLoss(multilabel=multilabel),
        metrics=[MeanIoU(num_classes, multilabel=multilabel)],
    )


def compile_instance(model):
    """Compiles an instance model, which brings its losses: AdamW, gradients held to norm 10."""
    compile_own(
        model,
        optimizer=AdamW(
            INSTANCE_LEARNING_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=10.0, name=NAME
        ),
    )


def build_optimizer(model):
    """Makes the variables of a compiled model's optimizer before the first step.

    A step that makes them while TensorFlow traces it is traced a second time: the first step of a
    small U-Net took 6.0 s of CPU time, and takes 3.1. (Not when the model is compiled: which
    weights are trainable may change until then, and who only predicts needs no variables.)
    """
    optimizer = getattr(model, "optimizer", None)  # Keras sets it where a model is compiled
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)


def compile_own(model, **arguments):
    """`model.compile`, by kseg and not by its user: `kseg.fit` may do it again."""
    model.compile(**arguments)
    _own[model] = compilation(model)


def is_own(model):
    """Whether a model is not compiled, or as kseg does it: nothing of its user's would be lost.

    A model that comes from a file is known by the name of its optimizer.
    """
    if not getattr(model, "compiled", False):
        return True
    if model in _own:
        return _own[model] is compilation(model)
    optimizer = model.optimizer
    return getattr(optimizer, "inner_optimizer", optimizer).name in NAMES
