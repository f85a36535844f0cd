"""Fixtures for the whole suite; every test runs on the backend that KERAS_BACKEND names."""

import functools
import gc
import os
from pathlib import Path

import numpy as np
import pytest
from seeds import fresh_seed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

BACKENDS = ("tensorflow", "jax", "torch")
CACHES = []  # emptied after each file of tests
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_finish():
    """What makes a suite of thousands of small graphs faster, and changes no result.

    Millions of objects are imported, and some stay behind each file of tests (what backends keep of
    compiled functions): they are not looked through for garbage again and again.
    """
    import tensorflow as tf  # whose pipelines feed the other backends

    from kseg.base.tensorflow import as_written

    tf.debugging.disable_traceback_filtering()  # a wrapper round each operation
    # of exports and of first steps a seventh goes into rewriting graphs that run once or twice
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # nor are data sets, of which most are gone through once: half of a twelfth of the time
    tf.data.Dataset._apply_debug_options = lambda ds: ds.with_options(as_written())
    if os.environ.get("KERAS_BACKEND") == "jax":
        from jax._src.interpreters import mlir

        # each of JAX's small functions gets a compiler's context of its own, which is longer in
        # the making than the function and stays in memory: 150 CPU seconds of losses and metrics
        # are 90 with one, and 4.2 GB are 1.7
        mlir.make_ir_context = functools.cache(mlir.make_ir_context)
        CACHES.append(mlir.make_ir_context)
    settle()
    gc.set_threshold(20_000, 20, 20)


def settle():
    """Collects the garbage, and looks at nothing again of what is left."""
    for kept in CACHES:
        kept.cache_clear()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    if nextitem is None or nextitem.path != item.path:
        settle()


def pytest_addoption(parser):
    parser.addoption(
        "--every-backend", action="store_true", help="tests marked once(NAME) on other backends too"
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config, items):
    """Marks cases without one of the words of few(WORD, ...) slow, leaves out what runs elsewhere.

    Half of all tests are of another backend: each would be skipped by fixtures and a report.
    """
    import keras

    for item in items:
        few = [*item.iter_markers("few")]
        if len(few) > 1:  # only one of them would count
            raise pytest.UsageError(f"{item.nodeid}: {few[0]} stands beside {few[1]}")
        if few and not any(word in item.name.partition("[")[2] for word in few[0].args):
            item.add_marker("slow")
    result = yield  # folders mark all of their tests
    here, everything = keras.backend.backend(), config.getoption("--every-backend")
    stay, elsewhere = [], []
    for item in items:
        allowed, once = backends_of(item)
        runs = here in allowed and (everything or once in (None, here) or once not in allowed)
        (stay if runs else elsewhere).append(item)
    items[:] = stay
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
    return result


def backends_of(item):
    """The backends on which a test can run, and the one that is enough, or None."""
    allowed, once = set(BACKENDS), item.get_closest_marker("once")
    for marker in item.iter_markers("backends"):
        if set(marker.args) - set(BACKENDS) or marker.kwargs.keys() - {"reason"}:
            raise pytest.UsageError(f"{item.nodeid}: {marker} is not of {BACKENDS} and a reason")
        allowed &= {*marker.args}
    if once and (len(once.args) != 1 or once.args[0] not in BACKENDS or once.kwargs):
        raise pytest.UsageError(f"{item.nodeid}: {once} is not of one of {BACKENDS}")
    return allowed, once and once.args[0]


@pytest.fixture(autouse=True)
def fresh_keras():
    """Each test starts from one seed and float32."""
    import keras

    fresh_seed()
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session", autouse=True)
def photos_kept_elsewhere(tmp_path_factory):
    """What is made of photos that TensorFlow cannot read is not left in the user's own cache."""
    os.environ["KSEG_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def scenes_drawn_once():
    """`shapes` of many tests are the same scenes: hundreds, of milliseconds each.

    What a scene looks like is asked of `draw_scene` itself, by who imports it.
    """
    from kseg.data.readers import shapes

    shapes.draw_scene = functools.cache(shapes.draw_scene)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def real_data(*parts):
    """A fixture: the folder of a real data set, which skips the test where there is none."""

    @pytest.fixture(scope="session")
    def root():
        folder = SHARED_DATA.joinpath(*parts)
        if not folder.is_dir():
            pytest.skip(f"real data of {parts[0]} are not at {folder}")
        return folder

    return root


camvid_root = real_data("camvid")
coco_mini_root = real_data("coco_mini")
coco_polygons_root = real_data("coco_polygons")
dsb_root = real_data("dsb2018")
voc_root = real_data("voc_mini", "VOCdevkit", "VOC2012")


@pytest.fixture
def write_image(tmp_path):
    """Writes an array as an image file under tmp_path, making its folders; returns the path."""
    from PIL import Image

    def write(name, array, mode=None, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(array)
        (image.convert(mode) if mode else image).save(path, **options)
        return path

    return write


@pytest.fixture
def pair_folders(tmp_path, write_image, rng):
    """`images/` and `masks/` of six 40x56 samples of two classes, bright objects on dark ground."""

    def make(count=6, size=(40, 56), values=(0, 1)):
        for index in range(count):
            mask = np.zeros(size, np.uint8)
            top, left = rng.integers(2, size[0] - 20), rng.integers(2, size[1] - 20)
            mask[top : top + 16, left : left + 16] = 1
            noise = rng.integers(0, 60, (*size, 3))
            image = np.where(mask[:, :, None] == 1, 180 + noise, noise).astype(np.uint8)
            write_image(f"set/images/p{index}.png", image)
            write_image(f"set/masks/p{index}.png", np.array(values, np.uint8)[mask])
        (tmp_path / "set" / "classes.txt").write_text("ground\nobject\n")
        return tmp_path / "set"

    return make
