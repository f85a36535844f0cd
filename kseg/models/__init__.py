"""Networks: builders that return compiled functional Keras models."""

from kseg.models.deeplab import build_deeplabv3, build_deeplabv3plus
from kseg.models.encoders import encode, encoder_names
from kseg.models.fcn import build_fcn8s, build_fcn16s, build_fcn32s
from kseg.models.fcn_head import build_fcn
from kseg.models.fcn_surgery import carry_vgg16_classifier, hand_over
from kseg.models.mask_rcnn import build_mask_rcnn
from kseg.models.unet import build_unet

__all__ = [
    "build_deeplabv3",
    "build_deeplabv3plus",
    "build_fcn",
    "build_fcn8s",
    "build_fcn16s",
    "build_fcn32s",
    "build_mask_rcnn",
    "build_unet",
    "carry_vgg16_classifier",
    "encode",
    "encoder_names",
    "hand_over",
]
