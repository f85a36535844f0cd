"""Models of images of another range of numbers than 0..255."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.contract import contract
from kseg.models.saving import load_model


def small_encoder():
    """A network of one convolution at each stride from 2 to 32."""
    image = x = keras.Input((None, None, 5))
    for level in range(5):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"level{level}")(x)
    return keras.Model(image, x)


BUILDERS = {
    "unet": lambda **o: kseg.build_unet(2, width=4, depth=2, **o),
    "unet_on_encoder": lambda **o: kseg.build_unet(2, encoder=small_encoder(), **o),
    "deeplabv3": lambda **o: kseg.build_deeplabv3(
        2, encoder=small_encoder(), output_stride=32, width=4, **o
    ),
    "deeplabv3plus": lambda **o: kseg.build_deeplabv3plus(2, encoder=small_encoder(), width=4, **o),
    "fcn": lambda **o: kseg.build_fcn(2, encoder=small_encoder(), output_stride=32, width=4, **o),
    "fcn8s": lambda **o: kseg.build_fcn8s(2, width=2, fc_width=4, **o),
}


@pytest.mark.once("torch")
@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_of_a_range_gives_what_one_of_bytes_gives(rng, name):
    if keras.backend.backend() != "tensorflow" and name != "unet":
        pytest.skip("the others differ in the same layer")
    plain = BUILDERS[name](input_shape=(None, None, 5), compile=False)
    ranged = BUILDERS[name](input_shape=(None, None, 5), value_range=(-30.0, 10.0), compile=False)
    assert contract(plain).value_range is None and contract(ranged).value_range == (-30.0, 10.0)
    weights = [rng.normal(0, 0.1, w.shape) for w in plain.get_weights()]
    plain.set_weights(weights), ranged.set_weights(weights)
    levels = rng.uniform(0, 255, (1, 32, 32, 5)).astype("float32")
    expected, actual = (
        keras.ops.convert_to_numpy(model(images, training=False))
        for model, images in ((plain, levels), (ranged, levels / 255 * 40 - 30))
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, atol=1e-4 * scale)


@pytest.mark.once("torch")
def test_mask_rcnn_takes_a_range_and_keeps_it_in_its_file(tmp_path):
    options = {
        "encoder": small_encoder(),
        "resize": None,
        "fpn_width": 8,
        "box_width": 8,
        "mask_width": 8,
    }
    model = kseg.build_mask_rcnn(
        1, input_shape=(None, None, 5), value_range=(0, 4095), predict_proposals=8, **options
    )
    assert contract(model).value_range == (0, 4095)
    image = np.random.default_rng(0).integers(0, 4096, (40, 40, 5)).astype(np.uint16)
    objects = kseg.predict(model, image, min_score=0.0)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras", compile=False)
    assert contract(again).value_range == (0, 4095)
    np.testing.assert_allclose(
        kseg.predict(again, image, min_score=0.0).scores, objects.scores, rtol=1e-5
    )
    with pytest.raises(ValueError, match="more than 8 bits"):
        kseg.predict(model, (image >> 4).astype(np.uint8))


@pytest.fixture(scope="module")
def deep():
    return kseg.build_unet(2, input_shape=(None, None, 5), value_range=(0, 4095), width=2, depth=1)


def test_the_range_is_in_the_file(deep, tmp_path):
    deep.save(tmp_path / "deep.keras")
    loaded = load_model(tmp_path / "deep.keras", compile=False)
    assert contract(loaded).value_range == (0, 4095)


def source_of(images, **options):
    return kseg.data.Source(
        name="made",
        columns={"image": images, "label": np.zeros(images.shape[:3], np.uint8)},
        decode=lambda row: dict(row),
        class_names=("ground", "object"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=tuple(map(str, range(len(images)))),
        **options,
    )


def test_what_a_model_expects_and_what_it_is_given_are_compared(deep, tmp_path):
    images = np.full((2, 24, 32, 5), 3000, np.uint16)
    with pytest.raises(
        ValueError,
        match=r"value_range of 'made'=\(0, 255\): expected \(0, 4095\), which the model takes. "
        r"Build the model with value_range=\(0, 255\), or say value_range=\(0, 4095\) of the data",
    ):
        kseg.evaluate(deep, source_of(images))
    assert kseg.evaluate(deep, source_of(images, bits=12))["pixels"] == 2 * 24 * 32
    with pytest.raises(ValueError, match=r"bands of 'made'=4: expected 5.*\(None, None, 4\)"):
        kseg.fit(deep, source_of(images[..., :4], bits=12), run=tmp_path / "run")
    with pytest.raises(ValueError, match=r"x.max\(\)=30000: expected numbers of 0..4095"):
        deep.fit(images * 10, np.zeros((2, 24, 32)), verbose=0)
    with pytest.raises(ValueError, match="more than 8 bits"):
        deep.predict((images >> 4).astype(np.uint8), verbose=0)


@pytest.mark.once("tensorflow")
def test_plain_fit_and_predict_take_the_numbers_as_they_are(deep, rng):
    images = rng.integers(0, 4096, (2, 24, 32, 5)).astype(np.uint16)
    history = deep.fit(images.astype("float32"), np.zeros((2, 24, 32)), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    whole = deep.predict(images.astype("float32"), verbose=0).argmax(-1)
    np.testing.assert_array_equal(kseg.predict(deep, list(images)), whole)
