"""What an export offers is compared with the model: a fault in any signature is seen."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from models.small_mask_rcnn import small_encoder

import kseg
from kseg.deployment.compare import Job
from kseg.deployment.saved_model import compare, instance, multilabel, semantic
from kseg.deployment.saved_model.compare import compare_signatures
from kseg.deployment.saved_model.signatures import GraphOptions
from kseg.models.mask_rcnn.model import RCNNSettings

pytestmark = pytest.mark.backends("tensorflow", reason="the graph of one backend")

COLORS = ((0, 0, 0), (200, 0, 0), (0, 200, 0), (0, 0, 200))
LABELS = ("serving_default", "logits", "image_bytes", "tiled", "overlay")


@pytest.fixture(scope="module")
def unet():
    keras.utils.set_random_seed(0)  # of some weights one class wins everywhere
    return kseg.build_unet(4, width=4, depth=2, compile=False)


def graph(names, **options):
    told = {"max_pixels": 10**6, "overlay": "jpeg", "tile": 48, "overlap": 16, "bucket": 32}
    return GraphOptions(signatures=names, colors=COLORS, **{**told, **options})


class Called:
    """A function in place of a signature that TensorFlow has loaded, which says its inputs."""

    def __init__(self, function, signature):
        self.function = function
        self.structured_input_signature = ((), {signature.input.name: signature.input})

    def __call__(self, **inputs):
        return self.function(**inputs)


ANSWERED = {}  # what objects' signatures gave: they are asked the same each time


def compared(model, task, options, own, faults=None):
    """The shares of what differs, of signatures that are called without being saved."""

    def called(name, each, inputs):
        if task is not instance:
            return each.function(*inputs.values())
        if name not in ANSWERED:
            ANSWERED[name] = each.function(*inputs.values())
        return ANSWERED[name]

    job = Job(model, tuple("abcd"), COLORS, None, 1, None, 0.01)
    functions = {}
    for name, each in task.signatures(model, options, **own).items():
        fault = (faults or {}).get(name, lambda outputs: outputs)
        functions[name] = Called(
            lambda name=name, each=each, fault=fault, **inputs: fault(called(name, each, inputs)),
            each,
        )
    return compare_signatures(job, functions, options, own)


@pytest.mark.few("jpeg-None")
@pytest.mark.parametrize(
    "overlay, resize",
    [
        ("jpeg", None),
        ("jpeg", (100, 200)),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                ("png", (60, 120)),
                ("png", None),
                ("jpeg", (60, 120)),
                ("png", (100, 200)),
            )
        ),
    ],
)
def test_every_signature_says_what_the_model_says(unet, resize, overlay):
    shares = compared(unet, semantic, graph(LABELS, overlay=overlay), {"resize": resize})
    assert list(shares) == list(LABELS) and max(shares.values()) <= 1e-4


@pytest.mark.parametrize(
    ("channels", "value_range", "bands", "task"),
    [
        pytest.param(4, None, (3,), multilabel, marks=pytest.mark.slow),
        (5, (0, 4095), (4, 2, 0), semantic),
    ],
)
def test_of_any_bands_and_range(channels, value_range, bands, task):
    """Files of each kind that the model takes; overlays show the bands of choice."""
    model = kseg.build_unet(
        4,
        input_shape=(None, None, channels),
        value_range=value_range,
        width=4,
        depth=1,
        multilabel=task is multilabel,
        compile=False,
    )
    options = graph(("image_bytes", "tiled", "overlay"), bands=bands)
    assert max(compared(model, task, options, dict(task.OPTIONS)).values()) <= 1e-4


@pytest.mark.slow
def test_photos_that_are_too_large_are_known(unet):
    options = graph(("image_bytes", "tiled"), max_pixels=500)
    assert max(compared(unet, semantic, options, {"resize": None}).values()) <= 1e-4


@pytest.mark.parametrize("tile", (3, 64))
def test_a_photo_of_tiles_goes_beyond_one_by_mirroring(tile):
    photo = np.arange(10, dtype=np.uint8).reshape(2, 5, 1)
    options = SimpleNamespace(tile=tile, max_pixels=10**6)
    beyond = compare.beyond_a_tile(photo, options)
    assert min(beyond.shape[:2]) > tile
    rows = [[0, 1, 2, 3], [5, 6, 7, 8]]
    np.testing.assert_array_equal(beyond[:4, :4, 0], [*rows, *rows[::-1]])


def test_the_header_of_a_photo_that_is_too_large():
    header = compare.too_large(500)
    assert [int.from_bytes(header[at : at + 4]) for at in (16, 20)] == [23, 23]  # 529 pixels
    with pytest.raises(OSError):  # a header alone
        compare.decoded(header)
    assert compare.too_large(2**40) is None


def test_masks_of_several_classes_by_hand(rng):
    labels = rng.integers(0, 2, (1, 4, 5, 3), dtype=np.uint8)
    answered = multilabel.SeveralSignatures.masks(
        SimpleNamespace(num_classes=3), tf.constant(labels), True
    )
    masks, counts = answered["mask_bytes"].numpy(), answered["pixel_counts"].numpy()
    assert masks.shape == (1, 3) and counts.tolist() == labels.sum((1, 2)).tolist()
    for c in range(3):
        np.testing.assert_array_equal(compare.decoded(masks[0, c]), 255 * labels[0, ..., c])
    differ = multilabel._masks_differ
    assert differ(masks[0], counts[0], labels[0]) == 0
    other = labels[0].copy()
    other[1, 2, 0] ^= 1
    assert differ(masks[0], counts[0], other) == pytest.approx(1 / 60)
    assert differ(masks[0], counts[0] + 1, labels[0]) == 1
    assert differ(masks[0, :2], counts[0], labels[0]) == differ(masks[0], counts[0], other[1:]) == 1


def test_overlays_of_several_classes_are_those_of_pictures(rng):
    image = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    label = np.zeros((9, 7, 2), np.uint8)
    label[1:6, 2:6, 0] = 1
    label[3:8, 1:5, 1] = 1
    colors = np.array([(200, 30, 0), (0, 90, 250), (9, 9, 9)])  # a palette may be longer
    (drawn,) = multilabel.painted(image[None], label[None], colors).numpy()
    expected = kseg.pictures.overlay(image, label, colors)
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_near_ties_fall_either_way():
    logits = np.array([[[3.0, 2.0, 0.0], [1.0, 1.00001, 0.0], [1.0, 1.01, 0.0], [0.0, 1.0, 2.0]]])
    assert semantic.otherwise(np.array([[0, 0, 1, 2]]), logits) == 0
    assert semantic.otherwise(np.array([[0, 1, 0, 2]]), logits) == 0.25
    assert semantic.otherwise(np.array([[1, 1, 1, 9]]), logits) == 0.5  # 9 is no class
    binary = np.array([[[1e-6], [-1e-6], [2.0], [-2.0]]])
    assert semantic.otherwise(np.array([[0, 1, 1, 0]]), binary) == 0
    assert semantic.otherwise(np.array([[0, 1, 0, 1]]), binary) == 0.5


def another(key, change):
    return lambda outputs: {**outputs, key: change(outputs[key])}


def moved(contents):
    """PNG files of ids or colours, each shifted by a pixel."""
    import tensorflow as tf

    shifted = [c and compare.png(np.roll(compare.decoded(c), 1, axis=1)) for c in contents.numpy()]
    return tf.constant(shifted)


def first_again(contents):
    import tensorflow as tf

    return tf.repeat(contents[:1], len(contents), axis=0)


@pytest.mark.few("lambda>0", "logits")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("serving_default", another("class_ids", lambda ids: (ids + 1) % 4)),
        ("logits", another("logits", lambda logits: logits * 1.1)),
        ("image_bytes", another("mask_bytes", moved)),
        ("image_bytes", another("pixel_counts", lambda counts: counts[:, ::-1])),
        ("image_bytes", another("mean_confidence", lambda mean: mean / 2)),
        ("image_bytes", another("status", first_again)),
        ("tiled", another("mask_bytes", moved)),
        *(
            pytest.param(name, fault, marks=pytest.mark.slow)
            for name, fault in (
                ("serving_default", another("scores", lambda scores: scores * 0.9)),
                ("overlay", another("overlay_bytes", moved)),
                ("overlay", another("overlay_bytes", first_again)),
            )
        ),
    ],
)
def test_a_fault_is_seen(unet, name, fault):
    options = graph((name,), overlay="png")
    assert compared(unet, semantic, options, {"resize": None}, {name: fault})[name] > 1e-3


@pytest.mark.slow
def test_a_dropped_resize_is_seen(unet):
    """What `tiled` once was: the photo's own size, whatever `resize` said."""
    job = Job(unet, tuple("abcd"), COLORS, None, 1, None, 0.01)
    options = graph(("tiled", "overlay", "image_bytes"))
    dropped = semantic.signatures(unet, options, resize=None)
    functions = {
        name: Called(lambda each=each, **inputs: each.function(*inputs.values()), each)
        for name, each in dropped.items()
    }
    shares = compare_signatures(job, functions, options, {"resize": (40, 80)})
    assert min(shares.values()) > 1e-3


OBJECTS = ("serving_default", "image_bytes", "overlay")


@pytest.fixture(scope="module")
def mask_rcnn():
    return kseg.build_mask_rcnn(
        2,
        encoder="torchvision:resnet18",
        fpn_width=8,
        box_width=8,
        mask_width=8,
        anchor_sizes=((16,), (32,), (64,), (128,), (256,)),
        predict_proposals=30,
        detections=8,
        resize=(64, 96),
        seed=0,
        compile=False,
    )


def compared_objects(model, faults=None, **own):
    own = {"min_score": 0.3, "threshold": 0.4, **own}
    return compared(model, instance, graph(OBJECTS, overlay="png"), own, faults)


@pytest.mark.slow
def test_every_signature_finds_what_the_model_finds(mask_rcnn):
    assert len(kseg.predict(mask_rcnn, kseg.data.shapes("val")[0]["image"], min_score=0.3)) > 1
    shares = compared_objects(mask_rcnn)
    assert list(shares) == list(OBJECTS) and max(shares.values()) <= 1e-4


class Told:
    """An instance model without a network: objects at shares of an image, sure by its brightness.

    A true network takes seconds to trace; export of those is seen in tests/models/test_ensemble.py.
    """

    task, num_classes, channels, score, name = "instance", 2, 3, "mask_ap", "told"
    paste = "centred"

    def __init__(self, resize, shares, classes, scores):
        self.resize, self.settings = resize, RCNNSettings(resize=resize, detections=len(classes))
        self.shares, self.classes, self.scores = shares, classes, scores
        self.detector = self

    def __call__(self, x):
        batch = keras.ops.shape(x["image"])[0]
        sides = keras.ops.cast(keras.ops.take(x["size"], [1, 0, 1, 0], axis=1), "float32")
        sure = keras.ops.mean(x["image"][:, :20, :20], axis=(1, 2, 3))[:, None] / 255
        masks = np.linspace(0, 1, 28, dtype="float32") * np.float32(self.scores)[:, None, None]
        masks = np.maximum(masks, masks.swapaxes(1, 2) + np.zeros((28, 1), "float32"))
        return {
            "boxes": np.float32(self.shares) * sides[:, None],
            "classes": keras.ops.tile(np.int32(self.classes)[None], (batch, 1)),
            "scores": np.float32(self.scores) * keras.ops.clip(sure, 0.5, 1.0),
            "masks": keras.ops.tile(masks[None], (batch, 1, 1, 1)),
            "finite": keras.ops.ones((batch,), "bool"),
        }

    def predict_on_batch(self, x):
        return {name: np.array(values) for name, values in self(x).items()}


def test_several_networks_find_what_their_ensemble_finds():
    """Two that resize differently, and find as many objects as each likes."""
    low, wide, far = (0.1, 0.1, 0.5, 0.6), (0.12, 0.1, 0.55, 0.6), (0.6, 0.3, 0.9, 0.8)
    together = kseg.ensemble(
        [
            Told((64, 96), [low, far, low, low], [1, 0, 0, -1], [0.9, 0.7, 0.4, 0.0]),
            Told((40, 96), [wide, wide, far], [0, 1, 0], [0.9, 0.8, 0.6]),
        ]
    )
    (found,) = kseg.predict(together, [kseg.data.shapes("val")[0]["image"]], min_score=0.1)
    assert sorted(found.classes) == [0, 0, 1]  # of seven
    ANSWERED.clear()
    shares = compared(together, instance, graph(OBJECTS[:1]), {"min_score": 0.1, "threshold": 0.5})
    assert shares == {"serving_default": 0}  # which the others begin with
    ANSWERED.clear()


@pytest.mark.slow  # objects, and five bands, are each compared here
def test_objects_in_five_bands():
    model = kseg.build_mask_rcnn(
        2,
        encoder=small_encoder(5),
        input_shape=(None, None, 5),
        value_range=(0, 4095),
        fpn_width=8,
        box_width=8,
        mask_width=8,
        predict_proposals=20,
        detections=5,
        resize=(64, 96),
        seed=0,
        compile=False,
    )
    ANSWERED.clear()
    options = graph(OBJECTS, overlay="png", bands=(4, 2, 0))
    shares = compared(model, instance, options, {"min_score": 0.05, "threshold": 0.5})
    assert list(shares) == list(OBJECTS) and max(shares.values()) <= 1e-4
    ANSWERED.clear()


@pytest.mark.slow
def test_faults_among_objects_are_seen(mask_rcnn):
    import tensorflow as tf

    faults = {
        "serving_default": another("classes", lambda ids: tf.where(ids >= 0, 1 - ids, ids)),
        "image_bytes": another("rle", tf.zeros_like),
        "overlay": another("overlay_bytes", moved),
    }
    assert min(compared_objects(mask_rcnn, faults).values()) > 5e-3
    numbers = {
        "serving_default": another("scores", lambda scores: scores * 0.9),
        "image_bytes": another("boxes", lambda boxes: boxes + 2),
    }
    shares = compared_objects(mask_rcnn, numbers)
    assert min(shares["serving_default"], shares["image_bytes"]) == 1
    size = {"image_bytes": another("size", lambda size: size[:, ::-1] + 1)}
    assert compared_objects(mask_rcnn, size)["image_bytes"] == 1
