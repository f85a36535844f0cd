"""kseg: image segmentation for Keras 3 on TensorFlow, JAX and PyTorch.

The whole public face. Parts that need Keras resolve on first use, so that `kseg --help` is instant.
"""

from typing import TYPE_CHECKING

from kseg import data as data
from kseg.base.imports import when_imported
from kseg.base.lazy import lazy
from kseg.base.version import __version__ as __version__
from kseg.checks.check import check as check
from kseg.deployment.export import export as export
from kseg.deployment.load import load as load
from kseg.evaluation.compare import compare as compare
from kseg.evaluation.evaluate import evaluate as evaluate
from kseg.models.registry import register
from kseg.prediction.predict import predict as predict
from kseg.runs.run import Run as Run
from kseg.shifts.robustness import robustness as robustness

if TYPE_CHECKING:  # for editors, what the table below says
    from kseg import losses as losses
    from kseg import metrics as metrics
    from kseg import models as models
    from kseg import pictures as pictures
    from kseg import reports as reports
    from kseg import weights as weights
    from kseg.checks.class_weights import class_weights_from as class_weights_from
    from kseg.deployment.formats.litert import LiteRTOptions as LiteRTOptions
    from kseg.deployment.formats.onnx import OnnxOptions as OnnxOptions
    from kseg.deployment.formats.openvino import OpenVINOOptions as OpenVINOOptions
    from kseg.deployment.saved_model.export import SavedModelOptions as SavedModelOptions
    from kseg.doubts.find import check_labels as check_labels
    from kseg.losses import BoundaryLoss as BoundaryLoss
    from kseg.losses import CrossEntropyLoss as CrossEntropyLoss
    from kseg.losses import DiceLoss as DiceLoss
    from kseg.losses import FocalLoss as FocalLoss
    from kseg.losses import FocalTverskyLoss as FocalTverskyLoss
    from kseg.losses import JaccardLoss as JaccardLoss
    from kseg.losses import L1Loss as L1Loss
    from kseg.losses import L2Loss as L2Loss
    from kseg.losses import LovaszLoss as LovaszLoss
    from kseg.losses import TverskyLoss as TverskyLoss
    from kseg.losses import WeightedSum as WeightedSum
    from kseg.metrics import BoundaryF1 as BoundaryF1
    from kseg.metrics import BoundaryIoU as BoundaryIoU
    from kseg.metrics import ExpectedCalibrationError as ExpectedCalibrationError
    from kseg.metrics import FrequencyWeightedIoU as FrequencyWeightedIoU
    from kseg.metrics import MeanDice as MeanDice
    from kseg.metrics import MeanIoU as MeanIoU
    from kseg.metrics import MeanPrecision as MeanPrecision
    from kseg.metrics import MeanRecall as MeanRecall
    from kseg.metrics import PixelAccuracy as PixelAccuracy
    from kseg.metrics import SurfaceDistances as SurfaceDistances
    from kseg.models import build_deeplabv3 as build_deeplabv3
    from kseg.models import build_deeplabv3plus as build_deeplabv3plus
    from kseg.models import build_fcn as build_fcn
    from kseg.models import build_fcn8s as build_fcn8s
    from kseg.models import build_fcn16s as build_fcn16s
    from kseg.models import build_fcn32s as build_fcn32s
    from kseg.models import build_mask_rcnn as build_mask_rcnn
    from kseg.models import build_unet as build_unet
    from kseg.models.ensemble import ensemble as ensemble
    from kseg.reports.card import card as card
    from kseg.reports.run import report as report
    from kseg.shifts.adapt import adapt as adapt
    from kseg.training.fit import fit as fit
    from kseg.training.plan import plan as plan
    from kseg.training.settings import Settings as Settings

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
    "check_labels": "kseg.doubts.find",
    "ensemble": "kseg.models.ensemble",
    "adapt": "kseg.shifts.adapt",
    "card": "kseg.reports.card",
    "class_weights_from": "kseg.checks.class_weights",
    "fit": "kseg.training.fit",
    "plan": "kseg.training.plan",
    "losses": None,
    "metrics": None,
    "models": None,
    "pictures": None,
    "report": "kseg.reports.run",
    "reports": None,
    "weights": None,
}

__all__ = [
    "Run",
    "__version__",
    "check",
    "compare",
    "data",
    "evaluate",
    "export",
    "load",
    "predict",
    "robustness",
    *_LAZY,
]

if not TYPE_CHECKING:  # there, any name would be one
    __getattr__, _ = lazy("kseg", _LAZY)

when_imported("keras", register)  # so that keras.saving.load_model opens files of kseg


def __dir__():
    return sorted(__all__)
