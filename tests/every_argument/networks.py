"""Rows of the builders and the rest of `kseg.models`, of losses, and of metrics."""

import keras
import numpy as np
from every_argument.inputs import (
    ANY,
    WEIGHTS,
    Beside,
    Entry,
    Made,
    binary,
    encoder,
    ids,
    logits,
    probabilities,
    several,
    vgg,
)
from every_argument.said import total

import kseg

GREY = (None, None, 1)
SMALL = Made(lambda place: encoder())
WIDER = Made(lambda place: encoder(3))
BUILT = {
    "num_classes": 4,
    "input_shape": GREY,
    "value_range": (0, 4095),
    "compile": False,
    "name": "other",
}
LABELLING = {**BUILT, "multilabel": True}
# `weights` are of an encoder by its name, and a model is refused them
ENCODED = {"encoder": WIDER, "weights": "none.h5", "freeze": True}
ON_GREY = {"encoder": Made(lambda place: grey_encoder())}
FCN = {"num_classes": 3, "width": 2, "fc_width": 4}
FCN_ROWS = {
    **LABELLING,
    "encoder": Beside({"width": 64, "encoder": "vgg16"}, SMALL),
    "weights": "none.h5",
    "freeze": True,
    "width": 3,
    "fc_width": 5,
    "padding": "paper",
    "dropout": 0.1,
}
RCNN = {
    "num_classes": 3,
    "encoder": SMALL,
    "fpn_width": 2,
    "box_width": 2,
    "mask_width": 2,
    "seed": 0,
}


def grey_encoder():
    x = image = keras.Input(GREY)
    for _ in range(5):
        x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(x)
    return keras.Model(image, x)


def encoded(features, place):
    """The network that leads to the features."""
    network = next(iter(features.values()))._keras_history.operation
    (image, *_) = network._inbound_nodes[-1].input_tensors
    before = image._keras_history.operation.name
    return [before, features, [(w.path, w.trainable, w.shape) for w in network.weights]]


def builders():
    deeplab = {"num_classes": 3, "encoder": SMALL, "output_stride": 32, "width": 2}
    deeplab_rows = {
        **LABELLING,
        **ENCODED,
        "input_shape": Beside(ON_GREY, GREY, refused=True),
        "output_stride": 16,
        "width": 3,
    }
    return {
        "build_unet": Entry(
            {"num_classes": 3, "width": 2, "depth": 1},
            {
                **LABELLING,
                "encoder": Beside({"width": 64, "depth": 4}, SMALL),
                "weights": "imagenet",
                "freeze": True,
                "width": 3,
                "depth": 2,
                "logits_stride": 2,
                "detail": Beside({"logits_stride": 2}, True),
                "batch_norm": False,
            },
        ),
        "build_deeplabv3": Entry(deeplab, {**deeplab_rows, "rates": (2, 3, 4)}),
        "build_deeplabv3plus": Entry(
            {**deeplab, "output_stride": 16},
            {**deeplab_rows, "output_stride": 8, "rates": (2, 3, 4), "separable": True},
        ),
        "build_fcn": Entry(deeplab, deeplab_rows),
        "build_fcn8s": Entry(FCN, {**FCN_ROWS, "upsampling": "fixed", "at_once": False}),
        "build_fcn16s": Entry(FCN, {**FCN_ROWS, "upsampling": "fixed", "at_once": False}),
        "build_fcn32s": Entry(FCN, FCN_ROWS),
        "build_mask_rcnn": Entry(
            RCNN,
            {
                **BUILT,
                **ENCODED,
                "input_shape": (64, 64, 3),
                "fpn_width": 3,
                "box_width": 3,
                "mask_width": 3,
                "anchor_sizes": ((8,), (16,), (32,), (64,), (128,)),
                "anchor_ratios": (1.0, 2.0),
                "resize": (100, 200),
                "train_proposals": 10,
                "predict_proposals": 10,
                "anchor_samples": 10,
                "region_samples": 10,
                "mask_samples": 10,
                "min_score": 0.1,
                "overlap": 0.6,
                "detections": 10,
                "paste": "torchvision",
                "seed": 1,
            },
        ),
        "models.encoder_names": Entry({}, {}),
        "models.encode": Entry(
            {"image": Made(lambda place: keras.Input(ANY)), "encoder": SMALL},
            {
                "image": Beside(ON_GREY, Made(lambda place: keras.Input(GREY)), refused=True),
                "encoder": WIDER,
                "weights": "none.h5",
                "freeze": True,
                "output_stride": 16,
                "size": Made(lambda place: keras.Input((2,))),
            },
            encoded,
        ),
        "models.carry_vgg16_classifier": Entry(
            {
                "model": Made(lambda place: kept(place, small_fcn(8))),
                "classifier": Made(lambda place: vgg()),
            },
            {
                "model": Made(lambda place: kept(place, small_fcn(8, fc_width=5))),
                "classifier": Made(lambda place: vgg(2.0)),
            },
            lambda names, place: [names, weights_of(place.filled)],
        ),
        "models.hand_over": Entry(
            {
                "source": Made(lambda place: small_fcn(32)),
                "target": Made(lambda place: kept(place, small_fcn(16, at_once=False))),
            },
            {
                "source": Made(lambda place: filled(small_fcn(32))),
                "target": Made(lambda place: kept(place, small_fcn(16, at_once=False, width=3))),
            },
            lambda names, place: [names, weights_of(place.filled)],
        ),
    }


def small_fcn(stride, **given):
    build = getattr(kseg, f"build_fcn{stride}s")
    return build(3, **{"width": 2, "fc_width": 4, "compile": False, **given})


def kept(place, model):
    place.filled = model
    return model


def weights_of(model):
    return [total(weight) for weight in model.weights]


def filled(model):
    model.set_weights([np.ones_like(each) for each in model.get_weights()])
    return model


def loss_values(loss, place):
    """Of labels with void, with weights and without; of one channel where it takes no more."""
    truth, scores = ids(), probabilities()
    if loss.get_config().get("hinge"):
        truth, scores = binary(), logits(channels=1)
    if loss.get_config().get("multilabel"):
        truth = several()
    return [loss.name, float(loss(truth, scores)), float(loss(truth, scores, WEIGHTS))]


OF_EVERY = {
    "from_logits": False,
    "ignore_class": (0, 255),
    "class_weight": [1.0, 2.0, 3.0],
    "reduce": "image",
}
OF_ALL = {**OF_EVERY, "multilabel": True}
ABSENT = Beside({"reduce": "image"}, "penalize")  # of a class that one of the images lacks
OF_OVERLAP = {**OF_ALL, "absent": ABSENT, "smooth": 1.0}
OF_CE = {**OF_ALL, "label_smoothing": 0.2, "ohem": 0.3}
# The options of each, of the function and of the class alike
LOSSES = {
    "boundary": ("BoundaryLoss", {**OF_EVERY, "max_distance": 1.0}),
    "cross_entropy": ("CrossEntropyLoss", OF_CE),
    "dice": ("DiceLoss", OF_OVERLAP),
    "focal": ("FocalLoss", {**OF_ALL, "gamma": 1.0, "alpha": 0.25}),
    "focal_tversky": ("FocalTverskyLoss", {**OF_OVERLAP, "alpha": 0.6, "beta": 0.2, "gamma": 1.0}),
    "jaccard": ("JaccardLoss", OF_OVERLAP),
    "l1": ("L1Loss", OF_ALL),
    "l2": ("L2Loss", OF_ALL),
    "lovasz": ("LovaszLoss", {**OF_ALL, "absent": ABSENT}),
    "tversky": ("TverskyLoss", {**OF_OVERLAP, "alpha": 0.6, "beta": 0.2}),
}


def losses():
    entries = {}
    for name, (its_class, options) in LOSSES.items():
        hinge = {"hinge": True} if name == "lovasz" else {}
        entries[its_class] = Entry({}, {**options, **hinge, "name": "mine"}, loss_values)
        entries[f"losses.{name}"] = Entry(
            {"y_true": ids(), "y_pred": probabilities()},
            {
                "y_true": ids(1),
                "y_pred": probabilities()[..., ::-1],
                "sample_weight": WEIGHTS,
                **options,
                **hinge,
            },
            lambda value, place: float(value),
        )
    both = [kseg.losses.DiceLoss, kseg.losses.L2Loss]
    entries["WeightedSum"] = Entry(
        {"losses": Made(lambda place: [each() for each in both])},
        {
            "losses": Made(lambda place: [both[0]()]),
            "weights": [1.0, 2.0],
            "name": "mine",
        },
        loss_values,
    )
    return entries


def metric_values(metric, place):
    """The score of probabilities, of all classes and of each."""
    channels = metric.num_classes
    truth, scores = (binary(), probabilities()[..., :1]) if channels == 1 else (ids(), logits())
    if getattr(metric, "multilabel", False):
        truth = several()
    scores = np.pad(scores, [(0, 0)] * 3 + [(0, max(0, channels - 3))], constant_values=-9)
    metric.update_state(truth, scores)
    by_class = metric.per_class() if hasattr(metric, "per_class") else metric.reliability()
    return [metric.name, str(metric.dtype), float(metric.result()), by_class]


OF_METRICS = {
    "num_classes": 4,
    "ignore_class": (0, 255),
    "class_names": ["a", "b", "c"],
    "classes": [1],
    "from_logits": Beside({"num_classes": 1}, False),
    "name": "mine",
    "dtype": "float64",
}
BY_CLASS = (
    "FrequencyWeightedIoU",
    "MeanDice",
    "MeanIoU",
    "MeanPrecision",
    "MeanRecall",
    "PixelAccuracy",
)
RUNS = {"size": [10, 10], "counts": "0d3"}  # a mask of the whole photo
PLACE = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 10, 10], "segmentation": RUNS}
TRUE, FOUND = {**PLACE, "area": 100, "iscrowd": 0}, {**PLACE, "score": 0.9}
ASIDE = {**FOUND, "score": 0.95, "bbox": [5, 5, 10, 10]}


def metrics():
    of_several = {"multilabel": True, "threshold": Beside({"multilabel": True}, (0.5, 0.2, 0.7))}
    rows = {**OF_METRICS, **of_several}
    entries = {name: Entry({"num_classes": 3}, rows, metric_values) for name in BY_CLASS}
    entries["BoundaryIoU"] = Entry({"num_classes": 3}, {**OF_METRICS, "distance": 3}, metric_values)
    entries["BoundaryF1"] = Entry({"num_classes": 3}, {**OF_METRICS, "tolerance": 2}, metric_values)
    of_bins = {key: OF_METRICS[key] for key in OF_METRICS if key not in ("class_names", "classes")}
    entries["ExpectedCalibrationError"] = Entry(
        {"num_classes": 3}, {**of_bins, "bins": 5}, metric_values
    )
    distances = {"num_classes": 4, "ignore_class": (0, 255), "spacing": 2.0}
    entries["SurfaceDistances"] = Entry(
        {"num_classes": 3},
        distances,
        lambda metric, place: [metric.update(ids()[0], ids(1)[0] % 255), metric.result()],
    )
    entries["metrics.surface_distances"] = Entry(
        {"y_true": ids()[0], "y_pred": ids(1)[0] % 255, "num_classes": 3},
        {"y_true": ids(2)[0], "y_pred": ids(3)[0] % 255, **distances},
    )
    entries["metrics.confusion_matrix"] = Entry(
        {"y_true": ids(), "y_pred": ids(1) % 255, "num_classes": 3},
        {"y_true": ids(2), "y_pred": ids(3) % 255, "num_classes": 4, "ignore_class": (0, 255)},
    )
    counts = np.arange(9).reshape(3, 3)
    entries["metrics.scores"] = Entry(
        {"confusion": counts}, {"confusion": counts.T, "ignore_class": 1}
    )
    entries["metrics.PanopticQuality"] = Entry(
        {"num_classes": 2},
        {"num_classes": 3},
        lambda quality, place: [
            quality.update(np.zeros((2, 2), int), [1], np.zeros((2, 2), int), [1]),
            quality.result(),
        ],
    )
    entries["metrics.average_precision"] = Entry(
        {"truth": [TRUE], "detections": [FOUND], "category_ids": [1]},
        {
            "truth": [TRUE, {**TRUE, "image_id": 8}],
            "detections": [],
            "category_ids": [1, 2],
            "max_detections": Beside({"detections": [FOUND, ASIDE]}, 1),
        },
    )
    entries["metrics.AveragePrecision"] = Entry(
        {"category_ids": [1]},
        {"category_ids": [2], "max_detections": Beside({"category_ids": [1]}, 1)},
        lambda precision, place: [
            precision.update(7, [TRUE], [FOUND, {**FOUND, "score": 0.8}]),
            precision.result(),
            precision.max_detections,
        ],
    )
    entries["metrics.NucleiAP"] = Entry(
        {"num_classes": 2},
        {"num_classes": 3},
        lambda precision, place: [
            precision.update(np.zeros((2, 2), int), [1], np.zeros((2, 2), int), [1]),
            precision.result(),
        ],
    )
    return entries


ENTRIES = {**builders(), **losses(), **metrics()}
