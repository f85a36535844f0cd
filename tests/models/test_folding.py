"""Predictions with batch norm and ReLU folded are those of the layers, and never of old weights."""

import collections

import keras
import numpy as np
import pytest
from keras import layers

import kseg
from kseg.models import folding
from kseg.models.convolutions import Conv2D, DepthwiseConv2D, PointwiseConv2D, UpConv2D
from kseg.models.normalization import BatchNormalization
from kseg.prediction.network import forward

SIZE = (12, 10)


def norm(**arguments):
    return layers.BatchNormalization(**arguments)


def in_a_row(*chain):
    def build(x):
        for layer in chain:
            x = layer(x)
        return x

    return build


def several_readers(x):
    """A convolution and a batch norm of which two read, so that neither may be replaced."""
    raw = Conv2D(6, 3, padding="same")(x)
    first, second = norm()(raw), norm()(raw)
    return [first + second, layers.ReLU()(first), raw]


def shared(x):
    """One convolution under two batch norms."""
    conv = Conv2D(4, 3, padding="same", use_bias=False)
    return layers.ReLU()(norm()(conv(layers.ReLU()(norm()(conv(x))))))


def residual(x):
    y = norm()(Conv2D(4, 3, padding="same")(x))
    return layers.ReLU()(layers.Add()([x, y])), x


def nested(x):
    image = keras.Input((None, None, 4))
    inner = keras.Model(image, norm()(Conv2D(6, 3)(image)))
    return layers.ReLU()(norm()(inner(x)))


def given_back(x):
    """What a ReLU reads is an output of the model too."""
    y = norm()(Conv2D(3, 3)(x))
    return y, layers.ReLU()(y)


def by_keyword(x):
    return norm()(Conv2D(3, 3)(inputs=x), training=True)


CASES = {
    "convolution": in_a_row(Conv2D(6, 3, strides=2, padding="same"), norm(), layers.ReLU()),
    "Keras' own": in_a_row(layers.Conv2D(6, 3), norm(), layers.Activation("relu")),
    "wide": in_a_row(Conv2D(96, 3, use_bias=False), norm(), Conv2D(96, 3), norm()),
    "groups": in_a_row(Conv2D(6, 3, groups=2, dilation_rate=2), norm(), layers.ReLU(6.0)),
    "depthwise": in_a_row(DepthwiseConv2D(3, padding="same"), norm(), layers.ReLU()),
    "depthwise, Keras' own": in_a_row(layers.DepthwiseConv2D(3), norm(scale=False)),
    "depthwise, wider": in_a_row(DepthwiseConv2D(3, depth_multiplier=2), norm(), layers.ReLU()),
    "pointwise": in_a_row(PointwiseConv2D(6, 1), norm(center=False), layers.Activation("relu6")),
    "pointwise, no bias": in_a_row(Conv2D(6, 1, use_bias=False), layers.ReLU(max_value=1.5)),
    "dense": in_a_row(layers.Dense(7), norm(), layers.ReLU()),
    "dense of vectors": in_a_row(layers.GlobalAveragePooling2D(), layers.Dense(7), norm(axis=1)),
    "transposed": in_a_row(UpConv2D(6, 2, strides=2), norm(), layers.ReLU()),
    "separable": in_a_row(layers.SeparableConv2D(6, 3), norm(), layers.ReLU()),
    "its own activation": in_a_row(Conv2D(6, 3, activation="relu"), norm(), layers.ReLU()),
    "no norm": in_a_row(Conv2D(6, 3), layers.ReLU(), layers.ReLU(), layers.LeakyReLU()),
    "rows as channels": in_a_row(Conv2D(6, 3), norm(axis=1), layers.ReLU()),
    "norm first": in_a_row(norm(), layers.ReLU(), Conv2D(6, 3)),
    "leaky": in_a_row(Conv2D(6, 3), norm(), layers.ReLU(negative_slope=0.1)),
    "renorm": in_a_row(Conv2D(6, 3), norm(renorm=True), layers.ReLU()),
    "several readers": several_readers,
    "shared": shared,
    "residual": residual,
    "nested": nested,
    "given back": given_back,
    "by keyword": by_keyword,
}


def filled(model, rng):
    """The model with numbers in it, as of a trained one."""
    for weight in model.weights:
        low, high = (0.5, 1.5) if "variance" in weight.path or "gamma" in weight.path else (-1, 1)
        weight.assign(rng.uniform(low, high, weight.shape))
    return model


def images(rng):
    return rng.normal(size=(2, *SIZE, 4)).astype("float32")


def same(model, x, tolerance=1e-5):
    """Compares what is predicted with Keras' own call, as a share of the largest number."""
    actual, expected = forward(model, x), model(x, training=False)
    for ours, theirs in zip(*map(keras.tree.flatten, (actual, expected)), strict=True):
        theirs = keras.ops.convert_to_numpy(keras.ops.cast(theirs, "float32"))
        scale = max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(ours.astype("float32") / scale, theirs / scale, atol=tolerance)
    return actual


@pytest.mark.backends("torch", reason="the others fold nothing")
@pytest.mark.parametrize("case", CASES)
def test_equals_the_layers(case, rng):
    image = keras.Input((*SIZE, 4) if case == "rows as channels" else (None, None, 4))
    model, x = filled(keras.Model(image, CASES[case](image)), rng), images(rng)
    before = x.copy()
    same(model, x)
    same(model, x)  # by what was kept
    np.testing.assert_array_equal(x, before)


@pytest.mark.backends("torch", reason="the others fold nothing")
def test_in_sixteen_bits(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = kseg.build_unet(3, width=4, depth=2, compile=False)
    keras.config.set_dtype_policy("float32")
    x = rng.integers(0, 256, (1, 32, 48, 3)).astype("uint8")
    assert same(model, x, tolerance=0.05).dtype == "float32"


def changes():
    """Every way by which a weight gets another number."""

    def fit(model, x, folder):
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        model.fit(x, np.ones((len(x), *SIZE, 96), "float32"), verbose=0)

    def load(model, x, folder):
        path = folder / "other.weights.h5"
        before = model.get_weights()
        model.set_weights([0.5 * each for each in before])
        model.save_weights(path)
        model.set_weights(before)
        forward(model, x)
        model.load_weights(path)

    def assign_one(model, x, folder):
        weight = model.weights[-1]  # the variance
        weight.assign(weight + 3.0)

    def exchange(model, x, folder):
        """The kernel has the same numbers, elsewhere."""
        model.weights[0].assign(model.weights[0].numpy()[::-1])

    return {
        "set_weights": lambda model, *_: model.set_weights([1.2 * w for w in model.get_weights()]),
        "fit": fit,
        "assign": assign_one,
        "assign_add": lambda model, *_: model.weights[2].assign_add(np.ones(96)),
        "load_weights": load,
        "exchange": exchange,
    }


def large(rng):
    """A model whose kernel is large enough to be kept."""
    image = keras.Input((*SIZE, 96))
    x = layers.ReLU()(norm()(Conv2D(96, 3, padding="same", name="large")(image)))
    return filled(keras.Model(image, x), rng), rng.normal(size=(1, *SIZE, 96)).astype("float32")


@pytest.mark.parametrize(
    "change", [pytest.param(each, marks=[pytest.mark.slow] * (each == "fit")) for each in changes()]
)
def test_never_of_old_weights(change, rng, tmp_path):
    model, x = large(rng)
    before = same(model, x)
    changes()[change](model, x, tmp_path)
    after = same(model, x)
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()


@pytest.mark.backends("torch", reason="its tensors can be written into unseen")
def test_never_of_what_was_written_unseen(rng):
    model, x = large(rng)
    before = same(model, x)
    model.get_layer("large").kernel.value.data[0, 0, 0, 0] += 50.0
    assert np.abs(same(model, x) - before).max() > 1


@pytest.mark.backends("torch", reason="the others fold nothing")
def test_large_kernels_are_made_once(rng, monkeypatch):
    made = []
    make = folding._made
    monkeypatch.setattr(
        folding, "_made", lambda layer, norm: made.append(layer) or make(layer, norm)
    )
    model, x = large(rng)
    forward(model, x)
    forward(model, x)
    assert [layer.name for layer in made] == ["large"]
    small = filled(keras.Model(image := keras.Input((None, None, 4)), Conv2D(6, 3)(image)), rng)
    forward(small, images(rng))
    forward(small, images(rng))
    assert len(made) == 3  # small ones each time, which takes less than to look


@pytest.mark.backends("torch", reason="the others fold nothing")
def test_what_is_folded(rng):
    """No batch norm or ReLU is left where nothing hinders it; all where a gradient is asked for."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from kseg.models.graph import run

    class Kernels(TorchDispatchMode):
        """Counts PyTorch's own operations, by their names."""

        def __init__(self):
            super().__init__()
            self.names = collections.Counter()

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names[function.overloadpacket.__name__] += 1
            return function(*args, **(kwargs or {}))

    model = filled(kseg.build_unet(3, width=4, depth=1, compile=False), rng)
    x = rng.integers(0, 256, (1, 8, 8, 3)).astype("uint8")

    def called():
        kinds = BatchNormalization, layers.ReLU
        seen, before = [], [kind.call for kind in kinds]
        for kind, call in zip(kinds, before):
            kind.call = lambda self, *args, call=call, **kw: (
                seen.append(self) or call(self, *args, **kw)
            )
        try:
            run(model, x)
        finally:
            for kind, call in zip(kinds, before):
                kind.call = call
        return len(seen)

    count = sum(
        isinstance(layer, (layers.BatchNormalization, layers.ReLU)) for layer in model.layers
    )
    assert called() == count > 8
    with torch.no_grad(), Kernels() as kernels:
        assert called() == 0
    assert kernels.names["convolution"] > 4
    assert not {"addcmul", "batch_norm", "native_batch_norm"} & {*kernels.names}  # maps stay
