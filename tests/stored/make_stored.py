"""Makes the files of `test_stored.py`: what kseg wrote before its modules moved (0deb03e).

They are what users have on their disks: a later kseg must read them, so they are never made anew.
For a further format, add a function here, check out the revision that first writes it, and run

    KERAS_BACKEND=tensorflow PYTHONPATH=REVISION python tests/stored/make_stored.py FUNCTION

Each function makes one archive of what was written and, in `expected.npz`, of what it gave on
TensorFlow. (Archives, because most of a small `.keras` file is the empty space of HDF5.)
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import kseg

HERE = Path(__file__).resolve().parent
ANCHORS = ((8,), (16,), (32,), (64,), (128,))


def photos(count=2, size=(33, 47)):
    """Not noise, so that a tiny network finds borders in them."""
    source = kseg.data.shapes("val", size=size, count=count)
    return np.stack([source[i]["image"] for i in range(count)])


def labels(classes, count=2, size=(33, 47)):
    source = kseg.data.shapes("val", size=size, count=count)
    return np.stack([np.minimum(source[i]["label"], classes - 1) for i in range(count)])


def encoder(strides, channels, batch_norm=False):
    """A network with features at the strides 2, 4, ...: `strides` of them."""
    x = image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 64, -2.0)(x)
    for _ in range(strides):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same")(x)
        if batch_norm:
            x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(image, x, name="own_encoder")


def settled(model):
    """Weights and statistics that are no start values, so that none may be lost."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        name = variable.path.rsplit("/", 1)[-1]
        if name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "float" in str(variable.dtype) and name != "gamma":
            variable.assign(variable + rng.normal(0, 0.05, variable.shape).astype("float32"))
    return model


def labelled(folder, model, classes=3):
    """Saves a model of labels after two steps, with its logits, its next loss and its config."""
    images = photos()
    for _ in range(2):
        model.train_on_batch(images, labels(classes))
    model.save(folder / "model.keras")
    logits = model.predict(images, verbose=0)
    scores = model.test_on_batch(images, labels(classes), return_dict=True)
    np.savez_compressed(
        folder / "expected.npz",
        images=images,
        labels=labels(classes).astype("uint8"),
        logits=logits,
        ids=kseg.predict(model, images[0]).astype("uint8"),
        **{f"score_{key}": value for key, value in scores.items()},
    )


def unet(folder):
    """Compiled with every loss and every metric of pixels: their names stand in the file."""
    model = kseg.build_unet(3, width=2, depth=2, logits_stride=2)
    loss = (
        kseg.DiceLoss(ignore_class=255)
        + 0.5 * kseg.CrossEntropyLoss(class_weight={1: 2.0}, label_smoothing=0.1)
        + 0.5 * kseg.FocalLoss(gamma=1.5)
        + 0.25 * kseg.JaccardLoss()
        + 0.25 * kseg.TverskyLoss(alpha=0.3, beta=0.7)
        + 0.25 * kseg.FocalTverskyLoss(gamma=0.75)
        + 0.25 * kseg.LovaszLoss()
        + 0.25 * kseg.L1Loss()
        + 0.25 * kseg.L2Loss()
        + 0.01 * kseg.BoundaryLoss(max_distance=5)
    )
    metrics = [
        kseg.MeanIoU(3),
        kseg.MeanDice(3),
        kseg.MeanPrecision(3),
        kseg.MeanRecall(3),
        kseg.PixelAccuracy(3),
        kseg.FrequencyWeightedIoU(3),
        kseg.BoundaryIoU(3, distance=2),
        kseg.BoundaryF1(3, tolerance=2),
        kseg.ExpectedCalibrationError(3),
    ]
    model.compile(keras.optimizers.AdamW(1e-3), loss, metrics=metrics)
    labelled(folder, settled(model))


def fcn16s(folder):
    """With the paper's border, cut by `CropAt`, and fixed bilinear kernels."""
    labelled(folder, settled(kseg.build_fcn16s(3, width=2, fc_width=4, padding="paper")))


def deeplabv3plus(folder):
    model = kseg.build_deeplabv3plus(
        3, encoder=encoder(4, 4, batch_norm=True), output_stride=16, width=4, separable=True
    )
    labelled(folder, settled(model))


def mask_rcnn(folder):
    model = kseg.build_mask_rcnn(
        2,
        encoder=encoder(5, 4),
        fpn_width=4,
        box_width=4,
        mask_width=4,
        anchor_sizes=ANCHORS,
        train_proposals=60,
        predict_proposals=40,
        anchor_samples=16,
        region_samples=16,
        mask_samples=4,
        detections=10,
        min_score=0.05,
        resize=None,
        seed=0,
    )
    settled(model)
    for weight in model.box_head.weights:  # scores far from one another: their order is no chance
        weight.assign(5 * weight)
    # noise, where flat ground would make equal scores whose order is each backend's own
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype("uint8")
    objects = {
        "boxes": np.tile(np.float32([[5, 5, 40, 30], [50, 20, 90, 60]]), (2, 1, 1)),
        "classes": np.tile(np.int32([0, 1]), (2, 1)),
        "masks": np.ones((2, 2, 64, 96), "uint8"),
        "crowd": np.zeros((2, 2), bool),
    }
    model.train_on_batch(images, objects)
    model.save(folder / "model.keras")
    found = model.predict_on_batch(images)
    np.savez_compressed(folder / "expected.npz", images=images, **found)


def run(folder):
    """Three epochs, stopped in the middle of the third; and what they lead to, if they go on."""
    settings = kseg.Settings(size=(32, 32), batch_size=4, epochs=3, checkpoint_steps=2)
    train = kseg.data.shapes("train", size=(32, 32), count=20)
    val = kseg.data.shapes("val", size=(32, 32), count=6)

    class Stop(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps == 12:
                os.kill(os.getpid(), signal.SIGINT)

    model = kseg.build_unet(6, width=2, depth=2)
    try:
        kseg.fit(model, train, val, run=folder / "run", settings=settings, callbacks=[Stop()])
    except KeyboardInterrupt:
        pass
    stored = kseg.Run.open(folder / "run")
    images = photos(2, (32, 32))
    best, last = stored.load_model("best"), stored.load_model("last")
    copy = folder / "copy"
    shutil.copytree(folder / "run", copy)
    ended = kseg.fit(None, train, val, run=copy, resume=True)
    np.savez_compressed(
        folder / "expected.npz",
        images=images,
        best=best.predict(images, verbose=0),
        last=last.predict(images, verbose=0),
        steps=int(last.optimizer.iterations),
        ended=ended.predict(images, verbose=0),
        val_mean_iou=[row["val_mean_iou"] for row in kseg.Run.open(copy).history()],
    )
    shutil.rmtree(copy)


def saved_model(folder):
    keras.utils.set_random_seed(1)
    model = settled(kseg.build_unet(3, width=2, depth=1, compile=False))
    names = ("sky", "road", "car")
    colors = ((0, 0, 255), (128, 64, 128), (0, 0, 142))
    kseg.export(
        model,
        folder,
        name="street",
        signatures=("serving_default", "image_bytes", "overlay", "logits"),
        class_names=names,
        colors=colors,
        overlay="png",
        verbose=False,
    )
    images = photos()
    ids = np.stack([kseg.predict(model, image) for image in images])
    np.savez_compressed(
        folder / "expected.npz",
        images=images,
        logits=model.predict(images, verbose=0),
        ids=ids.astype("uint8"),
        overlay=kseg.report.overlay(images[0], ids[0], colors),
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keras.utils.set_random_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            globals()[name](Path(folder))
            shutil.make_archive(HERE / name, "zip", folder)
