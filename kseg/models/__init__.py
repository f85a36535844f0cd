"""Networks: builders that return compiled functional Keras models.

contract.py       what a model is: its task, classes, channels, the score to watch
unet.py deeplab.py fcn/ mask_rcnn/   a network each
encoders/         what they stand on
blocks.py layers.py convolutions.py  what they are made of
arguments.py defaults.py finish.py   checks of arguments; how a new model is compiled, and ends
graph.py saving.py registry.py       Keras' graph of a model, its file, and what that may hold
"""

from typing import TYPE_CHECKING

from kseg.base.lazy import lazy

if TYPE_CHECKING:  # for editors, what the table below says
    from kseg.models.deeplab import build_deeplabv3 as build_deeplabv3
    from kseg.models.deeplab import build_deeplabv3plus as build_deeplabv3plus
    from kseg.models.encoders.adapter import encode as encode
    from kseg.models.encoders.adapter import encoder_names as encoder_names
    from kseg.models.fcn.dilated import build_fcn as build_fcn
    from kseg.models.fcn.skip import build_fcn8s as build_fcn8s
    from kseg.models.fcn.skip import build_fcn16s as build_fcn16s
    from kseg.models.fcn.skip import build_fcn32s as build_fcn32s
    from kseg.models.fcn.surgery import carry_vgg16_classifier as carry_vgg16_classifier
    from kseg.models.fcn.surgery import hand_over as hand_over
    from kseg.models.mask_rcnn.build import build_mask_rcnn as build_mask_rcnn
    from kseg.models.unet import build_unet as build_unet

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
if not TYPE_CHECKING:  # there, any name would be one
    __getattr__, __dir__ = lazy(__name__, _NAMES)
