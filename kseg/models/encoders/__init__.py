"""Encoders: a name or a Keras model in, one feature map for each stride out."""

from kseg.models.encoders.adapter import deepest_feature as deepest_feature
from kseg.models.encoders.adapter import encode as encode
from kseg.models.encoders.adapter import encoder_names as encoder_names
