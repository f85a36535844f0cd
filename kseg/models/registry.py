"""What a `.keras` file of kseg may hold, known to Keras without being imported.

A file names its layers, losses and metrics, `kseg>PadToStride`, and Keras takes the classes that
were registered under those names, which happens where they are defined. So a file would open in a
program that has built such a model before, and be refused in one that has only said `import kseg`.
Here every name is registered beforehand, with something that imports the class when a file asks for
it; `kseg` does that as soon as Keras is imported.
"""

import importlib

# module -> the classes in it that are registered; tests/models/test_registry.py looks for others
REGISTERED = {
    "kseg.losses.base": ("WeightedSum",),
    "kseg.losses.boundary": ("BoundaryLoss",),
    "kseg.losses.cross_entropy": ("CrossEntropyLoss",),
    "kseg.losses.dice": ("DiceLoss",),
    "kseg.losses.focal": ("FocalLoss",),
    "kseg.losses.jaccard": ("JaccardLoss",),
    "kseg.losses.l1_l2": ("L1Loss", "L2Loss"),
    "kseg.losses.lovasz": ("LovaszLoss",),
    "kseg.losses.tversky": ("TverskyLoss", "FocalTverskyLoss"),
    "kseg.metrics.boundary": ("BoundaryIoU", "BoundaryF1"),
    "kseg.metrics.calibration": ("ExpectedCalibrationError",),
    "kseg.metrics.iou": (
        "MeanIoU",
        "MeanDice",
        "MeanPrecision",
        "MeanRecall",
        "FrequencyWeightedIoU",
        "PixelAccuracy",
    ),
    "kseg.models.convolutions": (
        "Conv2D",
        "MaxPooling2D",
        "PointwiseConv2D",
        "PatchConv2D",
        "UpConv2D",
        "DepthwiseConv2D",
        "DepthwiseConv2DTranspose",
    ),
    "kseg.models.ensemble": ("MeanProbability",),
    "kseg.models.inputs": ("SemanticModel",),
    "kseg.models.layers": (
        "PadToStride",
        "Normalize",
        "ValueRange",
        "ZeroBeyond",
        "CropLike",
        "Enlarge",
        "ResizeLike",
        "ResizeTo",
        "CropAt",
        "PadWithZeros",
        "MultiLabel",
    ),
    "kseg.models.mask_rcnn.model": ("MaskRCNN",),
    "kseg.models.normalization": ("BatchNormalization",),
    "kseg.models.optimizer": ("AdamW",),
    "kseg.models.rates": (
        "RatedAdam",
        "RatedAdamax",
        "RatedAdamW",
        "RatedAdagrad",
        "RatedAdadelta",
        "RatedLion",
        "RatedMuon",
        "RatedRMSprop",
        "RatedSGD",
    ),
    "kseg.models.schedules": ("WarmUp",),
}
PACKAGE = "kseg"  # as `keras.saving.register_keras_serializable(package="kseg")` writes it


def register():
    """Tells Keras of every class of `REGISTERED` that it does not know yet."""
    import keras

    known = keras.saving.get_custom_objects()
    for module, names in REGISTERED.items():
        for name in names:
            known.setdefault(f"{PACKAGE}>{name}", Later(module, name))


class Later:
    """Stands for a class whose module is imported when an instance is asked for."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def from_config(self, config):
        """An instance of the class; its module, once imported, registers the class itself."""
        return getattr(importlib.import_module(self.module), self.name).from_config(config)

    def __call__(self, *args, **options):
        return getattr(importlib.import_module(self.module), self.name)(*args, **options)

    def __repr__(self):
        return f"<{self.module}.{self.name}, not imported yet>"
