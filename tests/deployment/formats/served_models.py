"""Models for the tests of the formats, and the comparison that every format must pass."""

import keras
import numpy as np

import kseg

SIZES = ((1, 64, 96), (3, 97, 131), (2, 7, 5))  # batch, height, width; the last is below the stride


def settled(model):
    """Weights and statistics that are not the start values, so that every layer matters."""
    rng = np.random.default_rng(2)
    for variable in model.weights:
        name = variable.path.rsplit("/", 1)[-1]
        if name in ("moving_mean", "bias", "beta"):
            variable.assign(rng.normal(0, 0.1, variable.shape))
        elif name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "score" in variable.path and name == "kernel":  # of FCN-8s, which starts at zero
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return model


def small(num_classes=4, **options):
    return settled(kseg.build_unet(num_classes, **{"width": 2, "depth": 2, **options}))


def photos(batch, height, width, channels=3):
    rng = np.random.default_rng(height)
    return rng.integers(0, 256, (batch, height, width, channels), dtype=np.uint8)


def difference(model, runtime, images):
    """The largest difference of the logits, as a share of the largest logit of the model."""
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    logits = runtime(images)
    assert logits.dtype == np.float32 and logits.shape == expected.shape
    return np.abs(logits - expected).max() / np.abs(expected).max()


def every_model():
    """Each kind of network that kseg builds, small: builders by name."""
    resnet = "torchvision:resnet18"
    return {
        "unet": lambda: kseg.build_unet(5, width=4, depth=4),
        "unet with details": lambda: kseg.build_unet(
            5, width=4, depth=2, logits_stride=2, detail=True
        ),
        "unet on efficientnet_lite0": lambda: kseg.build_unet(5, encoder="efficientnet_lite0"),
        "unet on resnet18": lambda: kseg.build_unet(5, encoder=resnet),
        "fcn8s": lambda: kseg.build_fcn8s(5, width=8, fc_width=32),
        "fcn8s as in the paper": lambda: kseg.build_fcn8s(5, width=8, fc_width=32, padding="paper"),
        "fcn": lambda: kseg.build_fcn(5, encoder="torchvision:resnet50", width=16),
        "deeplabv3": lambda: kseg.build_deeplabv3(5, encoder="torchvision:resnet50", width=16),
        "deeplabv3plus": lambda: kseg.build_deeplabv3plus(
            5, encoder="torchvision:resnet50", width=16
        ),
        "separable deeplabv3plus on mobilenetv2": lambda: kseg.build_deeplabv3plus(
            5, encoder="mobilenetv2", width=16, separable=True
        ),
    }


@keras.saving.register_keras_serializable(package="tests")
class Strange(keras.layers.Layer):
    """An operation that no format has."""

    def call(self, x):
        return keras.ops.erfinv(x / 300)

    def compute_output_shape(self, shape):
        return shape


def strange_model():
    image = keras.Input((None, None, 3))
    x = Strange(name="inverse_error")(image)
    return keras.Model(image, keras.layers.Conv2D(2, 1, name="head")(x))


def instance_model():
    return kseg.build_mask_rcnn(
        2, encoder="torchvision:resnet18", fpn_width=8, box_width=8, mask_width=8, compile=False
    )
