"""Several models as one: the mean of what they say of pixels, and objects that are merged."""

import keras
import numpy as np
import pytest
from instance_model import InstanceModel, detections, photo
from models.small_mask_rcnn import build

import kseg
from kseg.models.contract import contract
from kseg.models.ensemble import MeanProbability
from kseg.ops.fusion import fused

PHOTO = np.random.default_rng(0).integers(0, 256, (9, 13, 3)).astype("uint8")


def unet(classes, **options):
    return kseg.build_unet(classes, width=2, depth=1, compile=False, **options)


@pytest.mark.once("torch")  # where models within a model are called one layer after the other
@pytest.mark.parametrize("classes, several", [(3, False), (1, False), (2, True)])
def test_probabilities_are_averaged(classes, several):
    members = [unet(classes, multilabel=several) for _ in range(3)]
    for scale, member in enumerate(members, 1):  # of several confidences
        member.get_layer("head").kernel.assign(3.0 * scale * member.get_layer("head").kernel)
    together = kseg.ensemble(members)
    each = [kseg.predict(member, PHOTO, probabilities=True) for member in members]
    found = kseg.predict(together, PHOTO, probabilities=True)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert contract(together) == contract(members[0])
    decided = np.mean(each, axis=0).argmax(-1) if not several else np.mean(each, axis=0) > 0.5
    np.testing.assert_array_equal(kseg.predict(together, PHOTO), decided)


def test_the_mean_of_sure_answers_stays_finite():
    logits = [np.float32([[[[200.0, 0.0, -200.0]]]]), np.float32([[[[0.0, 200.0, -200.0]]]])]
    mean = keras.ops.convert_to_numpy(MeanProbability(False)(logits))
    assert np.isfinite(mean).all()
    np.testing.assert_allclose(np.exp(mean[..., :2]), 0.5, rtol=1e-6)
    binary = keras.ops.convert_to_numpy(MeanProbability(True)(logits))
    np.testing.assert_allclose(binary[0, 0, 0, :2], [np.log(3), np.log(3)], rtol=1e-5)  # p = 3/4


@pytest.mark.once("torch")
def test_an_ensemble_is_a_model_in_a_file_and_in_another(tmp_path):
    members = [unet(3) for _ in range(3)]
    pair = kseg.ensemble(members[:2])
    pair.save(tmp_path / "pair.keras")
    again = keras.saving.load_model(tmp_path / "pair.keras")
    one, other = (kseg.predict(each, PHOTO, probabilities=True) for each in (pair, again))
    np.testing.assert_array_equal(one, other)
    nested = kseg.predict(kseg.ensemble([pair, members[2]]), PHOTO, probabilities=True)
    third = kseg.predict(members[2], PHOTO, probabilities=True)
    np.testing.assert_allclose(nested, (one + third) / 2, atol=1e-6)


@pytest.mark.once("torch")
def test_what_does_not_go_together_is_refused():
    for other, said in (
        (unet(4), r"classes of models\[1\]=4: expected 3, as of the first"),
        (unet(3, multilabel=True), r"task of models\[1\]='multilabel': expected 'semantic'"),
        (unet(3, input_shape=(None, None, 5)), r"bands of models\[1\]=5: expected 3"),
        (unet(3, value_range=(0, 4095)), r"value_range of models\[1\]=\(0, 4095\)"),
        (unet(3, input_shape=(32, 32, 3)), r"size of models\[1\]=\(32, 32\)"),
    ):
        with pytest.raises(ValueError, match=said):
            kseg.ensemble([unet(3), other])
    for wrong in ((), unet(3), "runs/a"):
        with pytest.raises(TypeError, match="models=.*expected a list of models"):
            kseg.ensemble(wrong)


def finder(boxes, classes, scores):
    size = (40, 50)
    found = detections(np.random.default_rng(0), size, len(boxes))
    found |= {"boxes": np.float32(boxes), "classes": np.int32(classes)}
    found["scores"] = np.float32(scores)
    found["masks"] = np.ones_like(found["masks"])
    return InstanceModel([found])


@pytest.mark.once("torch")
def test_objects_are_merged_and_their_scores_are_of_all():
    first = finder([(2, 2, 22, 22), (30, 5, 40, 15)], [0, 1], [0.9, 0.8])
    second = finder([(4, 2, 24, 22), (2, 2, 22, 22)], [0, 2], [0.6, 0.3])
    together = kseg.ensemble([first, second])
    found = kseg.predict(together, photo(0, (40, 50)), min_score=0.1)
    # of the first class both speak: boxes by their scores, (0.9 * 2 + 0.6 * 4) / 1.5 = 2.8
    np.testing.assert_allclose(found.scores, [0.75, 0.4, 0.15], rtol=1e-6)
    assert found.classes.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.boxes[0], [2.8, 2, 22.8, 22], rtol=1e-5)
    np.testing.assert_allclose(found.boxes[1:], [(30, 5, 40, 15), (2, 2, 22, 22)], rtol=1e-5)
    assert len(kseg.predict(together, photo(0, (40, 50)))) == 1  # from a score of 0.5 on
    assert len(kseg.predict(together, photo(0, (40, 50)), min_score=0.0, detections=None)) == 3
    mirrored = kseg.predict(together, photo(0, (40, 50)), min_score=0.1, tta="horizontal")
    assert len(mirrored) >= 3  # each model sees each view
    first.count_params, second.count_params = (lambda: 3), (lambda: 4)
    assert together.count_params() == 7  # as a card and `kseg info` say
    with pytest.raises(ValueError, match="expected one model, and it is 2 that answer together"):
        kseg.adapt(together, [photo(0, (40, 50))])
    with pytest.raises(ValueError, match=r"classes of models\[1\]=2"):
        kseg.ensemble([first, InstanceModel(first.found, num_classes=2)])


def views_of(rng, counts, padded):
    """Boxes near one another in several views, of two classes, the last few of each no objects."""
    views = []
    for count in counts:
        low = rng.integers(0, 3, (count, 2)) * 20 + rng.normal(0, 1.5, (count, 2))
        classes = rng.integers(0, 2, count).astype("int32")
        classes[count - padded :] = -1
        there = classes >= 0
        scores = np.where(there, rng.integers(1, 20, count) / 20, 0).astype("float32")  # with ties
        masks = rng.random((count, 4, 4)).astype("float32")
        views.append((np.hstack([low, low + 15]).astype("float32"), classes, scores, masks))
    return views


@pytest.mark.once("tensorflow")  # whose graphs are served
def test_objects_are_merged_in_a_graph_as_by_numpy(rng):
    import tensorflow as tf

    views = views_of(rng, (9, 6, 8), padded=2)
    graph = tf.function(lambda views: fused(views, keras.ops), autograph=False)
    expected, found = fused(views), graph(views)
    assert 3 <= np.sum(expected[1] >= 0) < 17  # several are one
    np.testing.assert_array_equal(found[1], expected[1])
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    alone = [[each[:-2] for each in view] for view in views]  # what is no object has no part
    for one, other in zip(fused(alone), expected):
        np.testing.assert_allclose(one, other[: len(one)], rtol=1e-6, atol=1e-6)


@pytest.mark.slow  # a file for each member, and a process in which TensorFlow runs
def test_objects_of_several_are_exported_as_one(tmp_path):
    changed = {"resize": (48, 96)}, {"resize": (64, 80), "seed": 1, "detections": 7}
    for number, each in enumerate(changed):
        build(min_score=0.05, **each).save(tmp_path / f"{number}.keras")
    paths = [tmp_path / f"{number}.keras" for number in range(2)]
    options = kseg.SavedModelOptions(name="two", min_score=0.1)
    exported = kseg.export(paths, tmp_path / "served", options, samples=2, verbose=False)
    assert exported.comparison.differing == 0
    assert max(exported.comparison.offered.values()) <= 0.02
    shown = kseg.data.shapes("val")[1]["image"]
    expected = kseg.load(paths).predict(shown, min_score=0.1)
    found = kseg.load(exported.path).predict(shown)
    assert len(found) == len(expected) > 1
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.05)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
