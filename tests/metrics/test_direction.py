"""Which way each metric is better: Keras' callbacks stop and keep by it, with mode="auto"."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

import kseg

pytestmark = pytest.mark.once("torch")

KINDS = [
    kind
    for _, kind in inspect.getmembers(kseg.metrics, inspect.isclass)
    if issubclass(kind, keras.metrics.Metric)
]
TRUTH = np.arange(2 * 8 * 8).reshape(2, 8, 8) // 16 % 3


def test_no_metric_is_forgotten():
    assert len(KINDS) == 9


def said_of(kind, predicted):
    """What a metric says of ids, predicted with all confidence."""
    metric = kind(3)
    metric.update_state(TRUTH, 50.0 * np.eye(3, dtype="float32")[predicted])
    return float(metric.result())


@pytest.fixture(scope="module")
def model():
    """A model that has met all metrics, as in its first epoch."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)])
    model.compile(loss=kseg.DiceLoss(), metrics=[kind(3) for kind in KINDS], run_eagerly=True)
    model.evaluate(np.zeros((2, 8, 8, 3), "float32"), TRUTH, verbose=0)
    return model


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_keras_goes_by_what_is_better(model, kind):
    better, worse = said_of(kind, TRUTH), said_of(kind, (TRUTH + 1) % 3)
    assert better != worse
    watched = f"val_{kind(3).name}"
    stopped = {}
    for name, values in {"better": (worse, better), "worse": (better, worse)}.items():
        model.stop_training = False
        callback = keras.callbacks.EarlyStopping(watched)
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {watched: value})
        stopped[name] = model.stop_training
        assert callback.monitor_op is (ops.greater if better > worse else ops.less)
    assert stopped == {"better": False, "worse": True}


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")
@pytest.mark.few("without")
@pytest.mark.parametrize("metrics", [True, False], ids=["with metrics", "without"])
def test_a_training_that_gets_worse_is_stopped(tmp_path, metrics):
    """In `kseg.fit`, whose validation is kseg's own, whatever the model was compiled with."""
    source = kseg.data.shapes("val", size=(32, 32), count=4)
    model = kseg.build_unet(6, width=2, depth=1)
    if not metrics:
        model.compile("sgd", loss=kseg.CrossEntropyLoss())
    stopping = keras.callbacks.EarlyStopping("val_mean_iou")

    class Worse(keras.callbacks.Callback):
        """Each epoch says less than the one before, whatever was learned."""

        def on_epoch_end(self, epoch, logs=None):
            logs["val_mean_iou"] = 0.5 - 0.1 * epoch

    settings = kseg.Settings(size=(32, 32), batch_size=4, epochs=4)
    run = tmp_path / "run"
    kseg.fit(model, source, source, run=run, settings=settings, callbacks=[Worse(), stopping])
    assert [row["epoch"] for row in kseg.Run.open(run).history()] == [1, 2]
    assert stopping.best == 0.5
