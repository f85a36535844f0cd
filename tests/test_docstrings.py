"""The `>>>` examples of every docstring of kseg run and print what they say.

An example finds numpy as `np`, `keras`, `ops`, `kseg`, the names of its own module, and `model`,
`mask_rcnn`, `source`, `image`, small ones, in a folder that holds what `place` puts there, and
nothing else: `street.jpg`, `CamVid` and the like. So examples stay short.

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
from places import furnish, strides_2_to_32
from seeds import fresh_seed

import kseg
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


@pytest.fixture(scope="module")
def names():
    """What examples may use without making it."""
    fresh_seed(0)
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
    scenes = furnish(folder)
    run = kseg.Run(folder / "runs/mine", scenes.class_names, scenes.colors, 255, {})
    run.write()
    untrained = kseg.build_unet(scenes.num_classes, width=2, depth=1, compile=False)
    save_model(untrained, run.path / "best.keras")
    kseg.weights.write(
        folder / "resnet50.safetensors", {"conv1.weight": np.zeros((64, 3, 7, 7), "float32")}
    )
    return folder


# They export for some seconds what `kseg.export`, `kseg.load` and each `write` export as well.
SLOW = re.compile(
    r"kseg\.deployment\.(.*(Options|Runtime)|export\.export|load\.load|formats\.\w+\.write)"
)


def marks_of(name):
    """The marker of the backend that runs an example, and of those that are run by hand."""
    writes = name.startswith("kseg.deployment") or name.endswith("any_size")
    once = pytest.mark.once("tensorflow" if writes else "torch")
    return [once, pytest.mark.slow] if SLOW.fullmatch(name) else [once]


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(name)) for name in EXAMPLES])
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
