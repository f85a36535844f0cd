"""Rows of what leaves the house: exports, pictures, other projects' weights."""

import dataclasses
from pathlib import Path

import numpy as np
from every_argument.inputs import SIZE, Beside, Entry, Made, ids, unet
from every_argument.networks import weights_of
from every_argument.sets import COLORS, OTHERS, SCENES, below, out
from every_argument.whole import NAMES, UNET, filled, two_classes, written

import kseg
from kseg.deployment.compare import Comparison, Exported, Row


def compared(job, path, options):
    """In place of an export: what of the job is not the model's."""
    named = {f.name: getattr(job, f.name) for f in dataclasses.fields(job)}
    source, model = named.pop("source"), named.pop("model")
    text = repr([named, source and source.ids, model.name, options])
    row = Row("model", 1.0, 1.0, float("nan"))
    return Exported(Path(path), options.format, Comparison(row, row, 0.0, text, "pixels"))


def asked_by(path, **more):
    """What the writer of a format is asked for."""

    def then(options, place):
        return kseg.export(place.two, place.out / path, options, samples=1, verbose=False, **more)

    return then


def exports():
    network = {"shape": (32, 64), "precision": "float16", "threshold": 0.3}
    two = Made(lambda place: place.two)
    there = Made(lambda place: written(place.out / "there.onnx"))
    return {
        "export": Entry(
            {"model": two, "path": out("models"), "verbose": False},
            {
                "model": below("run"),
                "path": out("others"),
                "format": "openvino",
                "source": Made(lambda place: two_classes()),
                "samples": 3,
                "tolerance": 0.5,
                "max_drop": 0.5,
                "class_names": ("c", "d"),
                "colors": COLORS[1:],
                "verbose": True,
                "overwrite": Beside({"path": there}, True, refused=True),
            },
            function=stood_in,
        ),
        "SavedModelOptions": Entry(
            {},
            {
                "name": "street",
                "version": 3,
                "signatures": ("serving_default",),
                "resize": (16, 32),
                "max_pixels": 1000,
                "overlay": "png",
                "tile": 256,
                "overlap": 64,
                "min_score": 0.3,
                "threshold": 0.3,
            },
            asked_by("models"),
        ),
        "OnnxOptions": Entry({}, network, asked_by("m.onnx")),
        "OpenVINOOptions": Entry({}, network, asked_by("m")),
        "LiteRTOptions": Entry(
            {"shape": SIZE}, {**network, "shape": (16, 16)}, asked_by("m.tflite")
        ),
    }


def stood_in(*given, **options):
    """`kseg.export` with a stand-in for what writes and compares."""
    import pytest

    with pytest.MonkeyPatch.context() as patch:
        module = type("Module", (), {"export": staticmethod(compared)})
        patch.setattr("kseg.deployment.export.format_module", lambda name: module)
        return kseg.export(*given, **options)


# Pictures and weights


HISTORY = [{"epoch": 1, "loss": 2.0, "mean_iou": 0.2}, {"epoch": 2, "loss": 1.0, "mean_iou": 0.5}]


def pictures():
    masks = np.zeros((2, 40, 60))
    masks[0, :9, :20], masks[1, 20:, 30:] = 1, 1
    boxes = np.array([[0, 0, 20, 9], [30, 20, 60, 40]])
    image = np.full((40, 60, 3), 90, "uint8")
    seen = {"image": image, "masks": masks, "boxes": boxes}
    labels = {"labels": ids()[0], "colors": COLORS}
    void = {"void": 1}
    return {
        "pictures.captions": Entry(
            {"class_names": NAMES, "classes": [1, 0]},
            {"class_names": NAMES[::-1], "classes": [0, 1], "scores": [0.9, 0.5]},
        ),
        "pictures.colorize": Entry(labels, {"labels": ids(1)[0], "colors": COLORS[::-1], **void}),
        "pictures.errors": Entry(
            {"labels": ids()[0], "predicted": ids(1)[0]},
            {"labels": ids(2)[0], "predicted": ids(3)[0], **void},
        ),
        "pictures.overlay": Entry(
            {"image": image[:8, :9], **labels},
            {
                "image": image[:8, :9] // 2,
                "labels": ids(1)[0],
                "colors": COLORS[::-1],
                "opacity": 0.2,
                **void,
            },
        ),
        "pictures.objects": Entry(
            seen,
            {
                "image": image // 2,
                "masks": masks[::-1],
                "boxes": boxes[::-1],
                "crowd": [True, False],
                "captions": Beside({"boxes": [[0, 0, 60, 40]] * 2}, ["a", "b"]),
                "opacity": 0.2,
            },
        ),
        "pictures.save": Entry(
            {"picture": image, "path": out("a.png")},
            {"picture": image // 2, "path": out("b.png")},
        ),
        "pictures.curve": Entry(
            {"history": HISTORY, "path": out("a.png")},
            {
                "history": HISTORY[:1],
                "path": out("b.png"),
                "size": (400, 300),
                "score": "mask_ap",
            },
        ),
        "reports.write_sheet": Entry(
            {"model": UNET, "source": SCENES, "path": out("a.png")},
            {
                "model": Made(lambda place: filled(unet())),
                "source": OTHERS,
                "path": out("b.png"),
                "count": 2,
                "width": 100,
            },
        ),
    }


def weights():
    fcn = Made(lambda place: place.fcn())
    tensors = {"a": np.ones(3, "float32")}
    return {
        "weights.fetch": Entry(
            {"model": "resnet50"},
            {"model": "resnet18", "weights": "IMAGENET1K_V1", "cache_dir": "elsewhere"},
        ),
        "weights.read": Entry({"path": below("a.pth")}, {"path": below("b.pth")}),
        "weights.write": Entry(
            {"path": out("a.pth"), "tensors": tensors},
            {"path": out("b.pth"), "tensors": {"a": np.zeros(3, "float32")}},
        ),
        "weights.torchvision.load": Entry(
            {"model": fcn, "weights": below("fcn.pth")},
            {
                "model": UNET,
                "weights": below("fcn2.pth"),
                "head": False,
                "classes": [1, 2],
                "norm_epsilon": 0.1,
            },
            lambda left_out, place: [left_out, weights_of(place.loaded)],
        ),
        "weights.torchvision.state_dict": Entry(
            {"model": fcn}, {"model": UNET, "head": False, "norm_epsilon": 0.1}
        ),
    }


ENTRIES = {**exports(), **pictures(), **weights()}
