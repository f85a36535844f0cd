"""Files of kseg's models open by Keras itself, whatever was imported, and in whichever order."""

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.models.registry import REGISTERED, Later, register

PACKAGE = Path(kseg.__file__).parent


def registered_in(module):
    """Names of the classes of a module that files may name."""
    own = {name: each for name, each in vars(module).items() if inspect.isclass(each)}
    return {
        name
        for name, each in own.items()
        if each.__module__ == module.__name__
        and keras.saving.get_registered_name(each) == f"kseg>{name}"
    }


@pytest.mark.once("torch")
def test_every_registered_class_is_in_the_table():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        if "register_keras_serializable" in path.read_text():
            name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            if names := registered_in(importlib.import_module(name)):
                found[name] = names
    assert found == {module: set(names) for module, names in REGISTERED.items()}


def test_a_class_that_is_imported_stays():
    register()
    loss = kseg.DiceLoss
    assert keras.saving.get_custom_objects()["kseg>DiceLoss"] is loss


def test_a_class_is_imported_when_it_is_asked_for():
    later = Later("kseg.losses.focal", "FocalLoss")
    loss = later.from_config(kseg.FocalLoss(gamma=3.0).get_config())
    assert type(loss) is kseg.FocalLoss and loss.get_config()["gamma"] == 3.0
    assert type(later(gamma=1.0)) is kseg.FocalLoss


LOAD = """
import sys
import {first}, {second}
large = [name for name in ("kseg.losses", "kseg.models.layers") if name in sys.modules]
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
labels = np.asarray(model.predict_on_batch(np.load(sys.argv[2]))).argmax(-1)
np.save(sys.argv[3], labels)
print(large, model.loss.name, [metric.name for metric in model.metrics])
rcnn = keras.saving.load_model(sys.argv[4], compile=False)
print(type(rcnn).__module__, rcnn.task)
"""


@pytest.mark.slow
@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "order", [("kseg", "keras"), pytest.param(("keras", "kseg"), marks=pytest.mark.slow)]
)
def test_keras_opens_files_after_a_bare_import(tmp_path, order, rng):
    model = kseg.build_unet(3, width=2, depth=1)
    loss = kseg.FocalLoss() + 0.5 * kseg.TverskyLoss()
    model.compile("adam", loss, metrics=[kseg.MeanIoU(3), kseg.BoundaryIoU(3)])
    images = rng.integers(0, 256, (1, 8, 9, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    model.save(tmp_path / "unet.keras")
    widths = {"fpn_width": 4, "box_width": 4, "mask_width": 4}
    rcnn = kseg.build_mask_rcnn(2, encoder="torchvision:resnet18", **widths, compile=False)
    rcnn.save(tmp_path / "rcnn.keras")
    names = ("unet.keras", "images.npy", "labels.npy", "rcnn.keras")
    done = subprocess.run(
        [
            *(sys.executable, "-c", LOAD.format(first=order[0], second=order[1])),
            *(str(tmp_path / name) for name in names),
        ],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = done.stdout.strip().splitlines()[-2:]
    assert first.startswith("[] weighted_sum ['loss'") and second.endswith("model instance")
    expected = np.asarray(model.predict_on_batch(images)).argmax(-1)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected)
