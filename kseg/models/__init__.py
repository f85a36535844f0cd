"""Networks: builders that return compiled functional Keras models."""

from kseg.models.unet import build_unet

__all__ = ["build_unet"]
