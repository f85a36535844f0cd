"""What `tensorboard=True` writes is there when it is read back."""

import keras
import numpy as np
import pytest

import kseg

pytestmark = pytest.mark.once("torch")
pytest.importorskip("tensorboard")


@pytest.mark.slow
def test_scalars_and_a_picture_after_each_validation(tmp_path):
    import tensorflow as tf
    from tensorboard.util.tensor_util import make_ndarray

    train = kseg.data.shapes("train", size=(16, 16), count=4)
    val = kseg.data.shapes("val", size=(16, 24), count=2)
    settings = kseg.Settings(
        size=(16, 16), batch_size=2, epochs=3, validate_epochs=2, tensorboard=True
    )
    keras.utils.set_random_seed(0)
    model = kseg.build_unet(6, width=2, depth=1)
    kseg.fit(model, train, val, run=tmp_path / "run", settings=settings)

    found = {}
    for file in (tmp_path / "run" / "tensorboard").rglob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = make_ndarray(value.tensor)
    rows = kseg.Run.open(tmp_path / "run").history()
    assert [float(found["epoch_loss"][i]) for i in range(3)] == pytest.approx(
        [row["loss"] for row in rows]
    )
    assert [*found["predictions"]] == [1, 2]  # where it was validated
    width, height, picture = found["predictions"][2]
    shown = np.asarray(tf.io.decode_png(picture))
    assert shown.shape == (int(height), int(width), 3) and shown.shape[1] > 4 * 320
