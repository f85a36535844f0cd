"""How a network that labels pixels ends, whichever it is: its logits become a model of its task."""

from kseg.models.defaults import compile_semantic
from kseg.models.inputs import SemanticModel
from kseg.models.layers import MultiLabel


def finished(image, logits, *, multilabel, compile, name):
    """The model of a network, compiled by default.

    Args:
        image: Its input, `(B, H, W, channels)`.
        logits: Its output, `(B, H, W, num_classes)`.
        multilabel: Whether a pixel may have several classes.
        compile: Whether to compile it.
        name: Of the model.

    Returns:
        `SemanticModel`.
    """
    if multilabel:
        logits = MultiLabel(dtype="float32", name="multilabel")(logits)
    model = SemanticModel(image, logits, name=name)
    if compile:
        compile_semantic(model, logits.shape[-1], multilabel)
    return model
