"""What every semantic model must pass. A model's own test file calls each check."""

import keras
import numpy as np


def photos(size, channels=3, batch=2):
    return np.random.default_rng(1).integers(0, 256, (batch, *size, channels), dtype=np.uint8)


def run(model, images):
    """Logits of a plain call, as NumPy; `predict` is left to the checks that are about it."""
    return keras.ops.convert_to_numpy(model(images, training=False))


def settle(model, size=(64, 64)):
    """Gives batch norm statistics that are not the start values, so that they matter."""
    rng = np.random.default_rng(2)
    for variable in model.non_trainable_variables:
        name = variable.path.rsplit("/", 1)[-1]
        if name == "moving_mean":
            variable.assign(rng.normal(0, 0.1, variable.shape))
        elif name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def check_size(model, size, num_classes, channels=3):
    logits = run(model, photos(size, channels))
    assert logits.shape == (2, *size, num_classes)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def check_padding_is_invisible(model, stride):
    """An odd image gives what the same image, mirrored by hand to the stride, gives there."""
    height, width = 2 * stride + 1, 3 * stride - 3
    image = photos((height, width))
    right, bottom = -width % stride, -height % stride
    mirrored = np.pad(image, ((0, 0), (0, bottom), (0, right), (0, 0)), mode="symmetric")
    expected = model.predict(mirrored, verbose=0)[:, :height, :width]
    np.testing.assert_allclose(model.predict(image, verbose=0), expected, atol=1e-4)


def check_batch_independence(model, size=(48, 64)):
    """At inference an image's logits do not depend on its neighbours in the batch."""
    images = photos(size, batch=3)
    together = run(model, images)
    alone = np.concatenate([run(model, image[None]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def check_input_types(model, size=(32, 48)):
    """uint8 and float of the same values give the same logits."""
    image = photos(size)
    np.testing.assert_array_equal(run(model, image), run(model, image.astype("float32")))


def check_gradients(model, size=(64, 64)):
    """Every trainable weight moves when the model learns, and nothing else does."""
    num_classes = model.outputs[0].shape[-1]
    labels = np.random.default_rng(3).integers(0, max(2, num_classes), (2, *size))
    before = [np.array(w) for w in model.get_weights()]
    model.train_on_batch(photos(size), labels)
    names = [w.path for w in model.weights]
    after = model.get_weights()
    trainable = {w.path for w in model.trainable_weights}
    still = [
        name
        for name, old, new in zip(names, before, after)
        if name in trainable and np.array_equal(old, new)
    ]
    assert still == []


def check_saving(model, path, size=(33, 47)):
    """A saved model loads without custom objects and gives the same logits."""
    labels = np.random.default_rng(3).integers(0, 2, (2, *size))
    model.train_on_batch(photos(size), labels)
    expected = run(model, photos(size))
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_allclose(run(loaded, photos(size)), expected, atol=1e-5)
    assert loaded.loss.get_config() == model.loss.get_config()


def check_policy(build, policy, size=(32, 32)):
    """Logits are float32 under a low-precision policy, and close to the float32 model's."""
    reference = settle(build())
    keras.config.set_dtype_policy(policy)
    model = build()
    keras.config.set_dtype_policy("float32")
    model.set_weights(reference.get_weights())
    logits = run(model, photos(size))
    assert logits.dtype == np.float32
    expected = run(reference, photos(size))
    scale = np.abs(expected).max()
    assert np.abs(logits - expected).max() < 0.1 * scale  # bfloat16 keeps 8 bits over ~20 layers
    assert np.abs(logits - expected).max() > 0  # the policy was in force


def check_learns(model, size=(32, 32), steps=30):
    """Learns one image by heart: bright pixels are class 1."""
    image = photos(size, batch=2)
    image[:, : size[0] // 2] //= 4
    labels = np.zeros((2, *size), "int32")
    labels[:, size[0] // 2 :] = 1
    first = model.evaluate(image, labels, verbose=0, return_dict=True)["loss"]
    model.fit(image, labels, epochs=steps, batch_size=2, verbose=0)
    last = model.evaluate(image, labels, verbose=0, return_dict=True)
    assert last["loss"] < 0.5 * first
    assert last["mean_iou"] > 0.8
