"""The `>>>` examples of every docstring of kseg run and print what they say.

Names that an example uses without making them stand in `NAMES` and the folders of `place`: numpy,
Keras, small models, a photo, a run and so on, so that examples stay short. On one backend: what
other backends print looks otherwise, and their numbers are compared elsewhere.
"""

import doctest
import importlib
import pkgutil

import pytest

import kseg

pytestmark = pytest.mark.backends("tensorflow", reason="one backend's way to print a tensor")

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# Examples that are marked `# doctest: +SKIP`, and why; how many lines of each.
SKIPPED = {
    "kseg.data.readers.tfds.tfds": (2, "downloads Oxford-IIIT Pet"),
}


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in [kseg, *(importlib.import_module(m.name) for m in modules())]:
        for test in finder.find(module, module.__name__):
            if test.examples:
                yield test


def modules():
    for module in pkgutil.walk_packages(kseg.__path__, "kseg."):
        if not module.name.endswith("__main__"):
            yield module


EXAMPLES = {test.name: test for test in examples()}
