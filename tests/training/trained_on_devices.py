"""A short training, as each process of a test runs it: `python THIS RUN '{"devices": 2}'`.

It writes what its process saw to `RUN.PROCESS.json`: losses of all steps, and the weights.
"""

import contextlib
import json
import os
import signal
import sys

SMALL = {
    "size": (32, 32),
    "batch_size": 4,
    "epochs": 2,
    "checkpoint_steps": 1,
    "network": {"width": 2, "depth": 1},
}
OBJECTS = {
    "size": (64, 64),
    "batch_size": 2,
    "epochs": 1,
    "checkpoint_steps": 1,
    "ema_momentum": 0.5,
}
FINDER = {
    "fpn_width": 8,
    "box_width": 8,
    "mask_width": 8,
    "anchor_sizes": ((8,), (16,), (32,), (48,), (64,)),
    "train_proposals": 32,
    "predict_proposals": 16,
    "anchor_samples": 16,
    "region_samples": 16,
    "mask_samples": 4,
    "detections": 8,
    "resize": None,
}


def trained(
    run, devices=None, count=10, side=32, resume=False, die_at=None, objects=False, **changed
):
    """Trains, and says what it saw.

    Args:
        run: Folder of the run.
        devices, resume: As of `kseg.fit`.
        count, side: Photos, and pixels of their sides.
        die_at: Step after which the last of the processes kills itself.
        objects: Whether by a Mask R-CNN.
        changed: Other settings.
    """
    import keras

    import kseg

    losses = []

    class Seen(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append(float(logs["loss"]))
            if die_at == len(losses) and place() == processes() - 1:
                os.kill(os.getpid(), signal.SIGKILL)

    train = kseg.data.shapes("train", size=(side, side), count=count, instances=objects)
    val = None if objects else kseg.data.shapes("val", size=(32, 32), count=3)
    settings = None if resume else kseg.Settings(**{**(OBJECTS if objects else SMALL), **changed})
    model = small_mask_rcnn(devices) if objects and not resume else None
    model = kseg.fit(
        model,
        train,
        val,
        run=run,
        settings=settings,
        devices=devices,
        resume=resume,
        epochs=changed.get("epochs"),
        callbacks=[Seen()],
    )
    weights = [each.tolist() for each in model.get_weights()]
    return {"losses": losses, "weights": weights, "history": kseg.Run.open(run).history()}


def small_mask_rcnn(devices):
    """A Mask R-CNN of a few thousand numbers, with batch norms; on TensorFlow, of these devices."""
    import keras

    import kseg
    from kseg.models.normalization import BatchNormalization

    scope = contextlib.nullcontext()
    if keras.backend.backend() == "tensorflow" and (devices or 1) > 1:
        from kseg.training.devices.on_tensorflow import Mirrored

        scope = Mirrored.of(devices).scope()
    keras.utils.set_random_seed(0)
    with scope:
        image = x = keras.Input((None, None, 3))
        for stride in (2, 4, 8, 16, 32):
            x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name=f"stride{stride}")(x)
            x = keras.layers.ReLU()(BatchNormalization()(x))
        return kseg.build_mask_rcnn(5, encoder=keras.Model(image, x), **FINDER)


def place():
    return int(os.environ.get("RANK", os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", 0)))


def processes():
    name = "KERAS_DISTRIBUTION_NUM_PROCESSES"
    return int(os.environ.get("WORLD_SIZE", os.environ.get(name, 1)))


def two_replicas():
    """Two logical devices of the CPU on TensorFlow; on JAX XLA_FLAGS makes them."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)


if __name__ == "__main__":
    if os.environ["KERAS_BACKEND"] == "jax" and processes() > 1:
        from kseg.training.devices import started

        started.join()
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        two_replicas()
    for run, options in zip(sys.argv[1::2], sys.argv[2::2]):
        seen = trained(run, **json.loads(options))
        with open(f"{run}.{place()}.json", "w") as stream:
            json.dump(seen, stream)
