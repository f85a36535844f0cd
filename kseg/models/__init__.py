"""Networks: builders that return compiled functional Keras models.

contract.py       what a model is: its task, classes, channels, the score to watch
unet.py deeplab.py fcn/ mask_rcnn/   a network each
encoders/         what they stand on
blocks.py layers.py convolutions.py  what they are made of
arguments.py defaults.py             checks of arguments; how a new model is compiled
graph.py saving.py registry.py       Keras' graph of a model, its file, and what that may hold
"""

from kseg.base.lazy import lazy

_NAMES = {
    "build_deeplabv3": "kseg.models.deeplab",
    "build_deeplabv3plus": "kseg.models.deeplab",
    "build_fcn": "kseg.models.fcn.dilated",
    "build_fcn8s": "kseg.models.fcn.skip",
    "build_fcn16s": "kseg.models.fcn.skip",
    "build_fcn32s": "kseg.models.fcn.skip",
    "build_mask_rcnn": "kseg.models.mask_rcnn.build",
    "build_unet": "kseg.models.unet",
    "carry_vgg16_classifier": "kseg.models.fcn.surgery",
    "encode": "kseg.models.encoders.adapter",
    "encoder_names": "kseg.models.encoders.adapter",
    "hand_over": "kseg.models.fcn.surgery",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = lazy(__name__, _NAMES)
