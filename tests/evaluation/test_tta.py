"""Photos seen several ways are scored by what `kseg.predict` answers of them."""

import numpy as np
import pytest
from multilabel_scenes import scenes as overlapping
from multilabel_scenes import source_of
from seeds import fresh_seed

import kseg
from kseg.metrics.confusion import confusion_matrix, multilabel_counts

VIEWS = ("horizontal", 0.5)

pytestmark = pytest.mark.once("torch")


def unet(classes, seed=3, **more):

    fresh_seed(seed)
    return kseg.build_unet(classes, width=4, depth=2, compile=False, **more)


def test_labels():
    source = kseg.data.shapes("val", count=3, size=(48, 64))
    model = unet(source.num_classes)
    expected = np.zeros((source.num_classes,) * 2, np.int64)
    for sample in source:
        answer = kseg.predict(model, np.asarray(sample["image"]), tta=VIEWS)
        label = np.asarray(sample["label"])
        expected += confusion_matrix(label, answer, source.num_classes, ignore_class=source.void)
    scores = kseg.evaluate(model, source, tta=VIEWS, calibration=True)
    assert scores["confusion"] == expected.tolist()
    assert scores["confusion"] != kseg.evaluate(model, source)["confusion"]
    assert scores["protocol"]["tta"] == VIEWS and "tta: horizontal, 0.5" in scores.notes[-2]
    bins = scores["calibration"]
    best = max(value for value, count in zip(bins["confidence"], bins["pixels"]) if count)
    assert 1 / source.num_classes < best <= 1


def test_several_classes_a_pixel():
    source = source_of(*overlapping(3))
    model = unet(source.num_classes, multilabel=True)
    expected = np.zeros((source.num_classes, 2, 2), np.int64)
    for sample in source:
        answer = kseg.predict(model, np.asarray(sample["image"]), tta=VIEWS, threshold=0.4)
        expected += multilabel_counts(np.asarray(sample["label"]), answer, source.void)
    scores = kseg.evaluate(model, source, tta=VIEWS, threshold=0.4)
    assert scores["confusion"] == expected.tolist()


def test_two_models():
    source = kseg.data.shapes("val", count=3, size=(48, 64))
    model = unet(source.num_classes)
    found = kseg.compare(
        model, unet(source.num_classes, seed=4), source, tta="horizontal", resamples=9
    )
    assert [each["tta"] for each in found["protocol"]] == ["horizontal"] * 2
    own = found["differences"]["mean_iou"]
    alone = kseg.evaluate(model, source, tta="horizontal")["mean_iou"]
    assert own["first"] == pytest.approx(alone)


@pytest.mark.slow
def test_an_export_sees_as_it_does(tmp_path):
    source = kseg.data.shapes("val", count=1, size=(48, 64))
    model = unet(source.num_classes, input_shape=(48, 64, 3))
    kseg.export(model, tmp_path / "m.onnx", format="onnx")
    with pytest.raises(ValueError, match="tta='horizontal': expected None for an export"):
        kseg.evaluate(kseg.load(tmp_path / "m.onnx"), source, tta="horizontal")
