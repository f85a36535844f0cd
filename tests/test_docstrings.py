"""The `>>>` examples of every docstring of kseg run and print what they say.

An example finds numpy as `np`, `keras`, `ops`, `kseg`, the names of its own module, and `model`,
`mask_rcnn`, `source`, `image`, small ones, in an empty folder that holds what `place` puts there:
`street.jpg`, `CamVid` and the like. So examples stay short.

On one backend: their numbers are compared elsewhere. What exports runs on TensorFlow, which writes
them, all else on PyTorch, which has nothing to compile.
"""

import doctest
import importlib
import json
import pkgutil
import re

import keras
import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.data.writers.layouts import write_cityscapes, write_voc
from kseg.models.saving import save_model

# Keras', of a plain fit(ds)
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# How many lines of an example are marked `# doctest: +SKIP`, and why. No others may be.
SKIPPED = {
    "kseg.data.readers.tfds.tfds": (2, "downloads Oxford-IIIT Pet"),
    "kseg.weights.published.fetch": (3, "downloads 160 MB of weights"),
    "kseg.weights.torchvision.load": (3, "downloads 170 MB of weights"),
}


def examples():
    """Name -> `doctest.DocTest` of each docstring with examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = [module.name for module in pkgutil.walk_packages(kseg.__path__, "kseg.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    found = [test for module in [kseg, *modules] for test in finder.find(module, module.__name__)]
    return {test.name: test for test in found if test.examples}


EXAMPLES = examples()


class Printed(doctest.OutputChecker):
    """Takes a backend's own kind of shape for the tuple that JAX prints."""

    def check_output(self, want, got, flags):
        got = re.sub(r"(?:TensorShape|torch\.Size)\(\[(.*?)\]\)", r"(\1)", got)
        return super().check_output(want, got, flags)


def strides_2_to_32():
    """An encoder of five convolutions."""
    image = x = keras.Input((None, None, 3))
    for _ in range(5):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, x)


@pytest.fixture(scope="module")
def names():
    """What examples may use without making it."""
    keras.utils.set_random_seed(0)
    mask_rcnn = kseg.build_mask_rcnn(
        12,
        encoder=strides_2_to_32(),
        fpn_width=8,
        box_width=8,
        mask_width=8,
        predict_proposals=20,
        detections=5,
        min_score=0.0,
        resize=(64, 96),
    )
    return {
        "np": np,
        "json": json,
        "keras": keras,
        "ops": keras.ops,
        "kseg": kseg,
        "model": kseg.build_unet(11, width=2, depth=1),
        "mask_rcnn": mask_rcnn,
        "source": kseg.data.shapes("train", count=4),
        "image": np.zeros((48, 64, 3), "uint8"),
        **{name: getattr(kseg, name) for name in kseg.__all__ if name[0].isupper()},
    }


@pytest.fixture(scope="module")
def place(names, tmp_path_factory):
    """A folder with photos, a run and data sets of the usual layouts."""
    folder = tmp_path_factory.mktemp("place")
    scenes = kseg.data.shapes("val", size=(48, 64), count=2)
    photos = [scenes[index]["image"] for index in range(2)]
    for name in ("street.jpg", "CamVid/val/0.png", "val2017/0.jpg", "photos/0.jpg"):
        save(folder / name, photos[0])
    save(folder / "CamVid/valannot/0.png", np.zeros((48, 64), "uint8"))
    save(folder / "masks/0.png", np.zeros((48, 64), "uint8"))
    write_voc(scenes, folder / "VOCdevkit/VOC2012", "val")
    write_cityscapes(scenes, folder / "cityscapes", "val")
    write_annotations(folder / "annotations/instances_val2017.json")
    run = kseg.Run(folder / "runs/mine", scenes.class_names, scenes.colors, 255, {})
    run.write()
    untrained = kseg.build_unet(scenes.num_classes, width=2, depth=1, compile=False)
    save_model(untrained, run.path / "best.keras")
    kseg.weights.write(
        folder / "resnet50.safetensors", {"conv1.weight": np.zeros((64, 3, 7, 7), "float32")}
    )
    return folder


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_annotations(path):
    """The first twelve of COCO's categories, whose ids leave out 12, and one object."""
    first = "person bicycle car motorcycle airplane bus train truck boat".split()
    words = [*first, "traffic light", "fire hydrant", "stop sign"]
    content = {
        "categories": [
            {"id": number, "name": name} for number, name in zip([*range(1, 12), 13], words)
        ],
        "images": [{"id": 1, "file_name": "0.jpg", "height": 48, "width": 64}],
        "annotations": [
            {
                **{"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 0, "area": 400},
                "bbox": [10, 10, 20, 20],
                "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]],
            }
        ],
    }
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


def backend_of(name):
    """The marker of the backend that runs an example."""
    writes = name.startswith("kseg.deployment") or name.endswith("any_size")
    return pytest.mark.backends("tensorflow" if writes else "torch", reason="once is enough")


@pytest.mark.parametrize("name", [pytest.param(name, marks=backend_of(name)) for name in EXAMPLES])
def test_example(name, names, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    test = EXAMPLES[name]
    test.globs = {**names, **test.globs}
    output = []
    runner = doctest.DocTestRunner(Printed(), verbose=False, optionflags=FLAGS)
    runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)


def test_what_is_skipped_is_listed():
    skipped = {}
    for name, test in EXAMPLES.items():
        count = sum(doctest.SKIP in each.options for each in test.examples)
        if count:
            skipped[name] = count
    assert skipped == {name: count for name, (count, _) in SKIPPED.items()}
    assert len(EXAMPLES) > 100
