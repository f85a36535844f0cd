"""kseg: image segmentation for Keras 3 on TensorFlow, JAX and PyTorch.

The whole public face. Parts that need Keras resolve on first use, so that `kseg --help` is instant.
"""

from kseg import data
from kseg.base.imports import when_imported
from kseg.base.lazy import lazy
from kseg.base.version import __version__ as __version__
from kseg.checks.check import check
from kseg.deployment.export import export
from kseg.deployment.load import load
from kseg.evaluation.evaluate import evaluate
from kseg.models.registry import register
from kseg.prediction.predict import predict
from kseg.runs.run import Run

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
    "LiteRTOptions": "kseg.deployment.formats.litert",
    "OnnxOptions": "kseg.deployment.formats.onnx",
    "OpenVINOOptions": "kseg.deployment.formats.openvino",
    "SavedModelOptions": "kseg.deployment.saved_model.export",
    "Settings": "kseg.training.settings",
    "class_weights_from": "kseg.checks.class_weights",
    "fit": "kseg.training.fit",
    "losses": None,
    "metrics": None,
    "models": None,
    "pictures": None,
    "reports": None,
    "weights": None,
}

__all__ = ["Run", "__version__", "check", "data", "evaluate", "export", "load", "predict", *_LAZY]

__getattr__, _ = lazy("kseg", _LAZY)

when_imported("keras", register)  # so that keras.saving.load_model opens files of kseg


def __dir__():
    return sorted(__all__)
