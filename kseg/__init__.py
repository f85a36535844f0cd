"""kseg: image segmentation for Keras 3 on TensorFlow, JAX and PyTorch.

The whole public face. Parts that need Keras resolve on first use, so that `kseg --help` is instant.
"""

import importlib

from kseg import data
from kseg.evaluate import evaluate
from kseg.export import export
from kseg.load import load
from kseg.predict import predict
from kseg.runs import Run

__version__ = "0.1.0"

_LAZY = {
    "build_deeplabv3": "kseg.models",
    "build_deeplabv3plus": "kseg.models",
    "build_fcn": "kseg.models",
    "build_fcn8s": "kseg.models",
    "build_fcn16s": "kseg.models",
    "build_fcn32s": "kseg.models",
    "build_mask_rcnn": "kseg.models",
    "build_unet": "kseg.models",
    "BoundaryLoss": "kseg.losses",
    "CrossEntropyLoss": "kseg.losses",
    "DiceLoss": "kseg.losses",
    "FocalLoss": "kseg.losses",
    "FocalTverskyLoss": "kseg.losses",
    "JaccardLoss": "kseg.losses",
    "L1Loss": "kseg.losses",
    "L2Loss": "kseg.losses",
    "LovaszLoss": "kseg.losses",
    "TverskyLoss": "kseg.losses",
    "WeightedSum": "kseg.losses",
    "BoundaryF1": "kseg.metrics",
    "BoundaryIoU": "kseg.metrics",
    "ExpectedCalibrationError": "kseg.metrics",
    "FrequencyWeightedIoU": "kseg.metrics",
    "MeanDice": "kseg.metrics",
    "MeanIoU": "kseg.metrics",
    "MeanPrecision": "kseg.metrics",
    "MeanRecall": "kseg.metrics",
    "PixelAccuracy": "kseg.metrics",
    "SurfaceDistances": "kseg.metrics",
    "Settings": "kseg.train",
    "class_weights_from": "kseg.data.class_weights",
    "fit": "kseg.train",
    "losses": None,
    "metrics": None,
    "models": None,
    "report": None,
    "weights": None,
}

__all__ = ["Run", "__version__", "data", "evaluate", "export", "load", "predict", *_LAZY]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'kseg' has no attribute {name!r}")
    module = _LAZY[name]
    if module is None:
        return importlib.import_module(f"kseg.{name}")
    return getattr(importlib.import_module(module), name)


def __dir__():
    return sorted(__all__)
