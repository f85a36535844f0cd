"""Keras' own layers as joint transforms, on every backend; those that spoil labels refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from data.joint import (
    apply,
    check_aligned,
    check_consistent,
    drawn,
    drawn_objects,
    graph,
)

from kseg.data import transforms

LAYERS = {  # one of each kind; all of them are tried on TensorFlow
    "RandomFlip": (),
    "RandomPerspective": (1.0, 0.5),
    "RandomRotation": (0.2,),
    "RandomShear": (0.3, 0.3),
    "RandomTranslation": (0.3, 0.3),
    "RandomZoom": (0.4,),
    "AutoContrast": (),
    "Equalization": (),
    "RandomBrightness": (0.3,),
    "RandomColorDegeneration": (0.5,),
    "RandomContrast": (0.5,),
    "RandomErasing": (),
    "RandomGaussianBlur": (),
    "RandomGrayscale": (0.5,),
    "RandomHue": (0.3,),
    "RandomInvert": (0.9,),
    "RandomPosterization": (4,),
    "RandomSaturation": ((0.3, 0.7),),
    "RandomSharpness": (0.9,),
    "Solarization": (0.5, 0.5),
}
GEOMETRIC = list(LAYERS)[:6]
FILLED = ("RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom")


def from_keras(name, **more):
    more = {"fill_mode": "constant"} | more if name in FILLED else more
    return transforms.from_keras(getattr(keras.layers, name)(*LAYERS[name], **more))


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "name",
    LAYERS
    if keras.backend.backend() == "tensorflow"
    else ["RandomRotation", "RandomFlip", "RandomContrast"],
)
def test_keras_layers_keep_samples_consistent(name):
    transform = from_keras(name)
    seeds = tf.constant([[7, i] for i in range(4)], tf.int32)
    empty = {k: v if k == "image" else v[:0] for k, v in drawn_objects(24, 32, 0).items()}
    empty["image"] = tf.zeros_like(empty["image"])
    for sample in (drawn(24, 32, 1), drawn_objects(24, 32, 1), empty):
        ds = tf.data.Dataset.from_tensor_slices(seeds).map(
            lambda seed, sample=sample: transform(sample, seed)
        )
        results = list(ds.as_numpy_iterator())
        for seed, result in zip(seeds, results):
            check_consistent(result, [sample])
            if name in GEOMETRIC:
                check_aligned(result)
            else:
                for key in sample.keys() - {"image"}:
                    np.testing.assert_array_equal(result[key], sample[key])
            for key, value in apply(transform, sample, seed).items():
                np.testing.assert_array_equal(result[key], value)
    rng = np.random.default_rng(0)
    photo = {**sample, "image": tf.constant(rng.integers(20, 200, (24, 32, 3), dtype=np.uint8))}
    seen = {apply(transform, photo, seed)["image"].tobytes() for seed in seeds}
    assert len(seen) >= (1 if name in ("AutoContrast", "Equalization") else 2)
    assert photo["image"].numpy().tobytes() not in seen or len(seen) > 1


def test_keras_fill_is_void_whatever_its_colour():
    sample = drawn(24, 32, 1)
    result = apply(from_keras("RandomRotation", fill_value=128.0), sample, (1, 2))
    new = result["label"] == 255
    assert new.any() and (result["image"][new] == 128).mean() > 0.8  # borders are interpolated
    check_consistent(result, [sample])
    objects = drawn_objects(24, 32, 1)
    result = apply(from_keras("RandomRotation", fill_value=128.0), objects, (1, 2))
    check_consistent(result, [objects])
    reflected = apply(from_keras("RandomRotation", fill_mode="reflect"), sample, (1, 2))
    assert (reflected["label"] != 255).all()
    check_aligned(reflected)


@pytest.mark.parametrize(
    "layer, message",
    [
        (("AugMix",), "random_apply"),
        (("CenterCrop", 8, 8), "letterbox"),
        (("CutMix",), "cut_mix"),
        (("MixUp",), "cut_mix"),
        (("Pipeline", []), "one by one"),
        (("RandAugment",), "random_apply"),
        (("RandomColorJitter",), "color_jitter"),
        (("RandomCrop", 8, 8), "random_crop"),
        (("RandomElasticTransform",), "random_elastic"),
        (("Resizing", 8, 8), "letterbox"),
        (("Dense", 3), "expected one of Keras' layers RandomFlip"),
    ],
)
def test_keras_layers_that_spoil_labels_are_refused(layer, message):
    with pytest.raises(ValueError, match=f"{layer[0]}.*{message}"):
        transforms.from_keras(getattr(keras.layers, layer[0])(*layer[1:]))


def test_keras_layers_for_other_photos_are_refused():
    with pytest.raises(ValueError, match="value_range"):
        transforms.from_keras(keras.layers.RandomContrast(0.5, value_range=(0, 1)))
    with pytest.raises(ValueError, match="dtype"):
        transforms.from_keras(keras.layers.RandomFlip(dtype="mixed_bfloat16"))
    with pytest.raises(ValueError, match="size"):
        graph(from_keras("RandomPerspective"), "semantic").get_concrete_function()
