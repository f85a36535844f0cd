"""Training with the optimizer, the loss and the metrics of a user's own `compile`."""

import keras
import pytest
from training.small import small_model

import kseg
from kseg.models.defaults import is_own
from kseg.models.saving import load_model, save_model
from kseg.training.begin import say_if_lost

SETTINGS = {"size": (32, 32), "batch_size": 4, "epochs": 1}


def fit(model, sources, path, **arguments):
    settings = kseg.Settings(**{**SETTINGS, **arguments.pop("settings", {})})
    return kseg.fit(model, *sources, run=path, settings=settings, **arguments)


def compiled():
    model = small_model()
    loss = kseg.FocalLoss()
    model.compile(keras.optimizers.SGD(0.25), loss, metrics=[kseg.PixelAccuracy(6)])
    return model


@pytest.mark.slow
@pytest.mark.once("torch")
def test_is_kept_and_said(sources, tmp_path, capsys):
    model = compiled()
    optimizer, loss = model.optimizer, model.loss
    assert fit(model, sources, tmp_path / "run") is model
    assert model.optimizer is optimizer and model.loss is loss
    assert "keeps its own optimizer (SGD)" in capsys.readouterr().out
    (row,) = kseg.Run.open(tmp_path / "run").history()
    assert 0 < row["pixel_accuracy"] <= 1 and "mean_iou" not in row and "val_mean_iou" in row
    resumed = kseg.fit(
        None,
        *sources,
        run=tmp_path / "run",
        resume=True,
        settings=kseg.Settings(**{**SETTINGS, "epochs": 2}),
    )
    assert type(resumed.optimizer).__name__ == "SGD"
    assert float(resumed.optimizer.learning_rate) == 0.25
    assert len(kseg.Run.open(tmp_path / "run").history()) == 2


@pytest.mark.once("torch")
def test_is_replaced_on_request(sources, tmp_path, capsys):
    model = fit(compiled(), sources, tmp_path / "run", compile="kseg")
    assert type(model.optimizer).__name__ == "AdamW" and "own" not in capsys.readouterr().out


@pytest.mark.once("torch")
def test_the_builders_is_kept_on_request(sources, tmp_path):
    model = small_model()
    optimizer = model.optimizer
    fit(model, sources, tmp_path / "run", compile="own")
    assert model.optimizer is optimizer
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)


@pytest.mark.once("torch")
def test_what_could_not_be_loaded_again_is_said(capsys):
    def loss(labels, logits):
        return keras.ops.mean(logits)

    model = compiled()
    say_if_lost(model)
    assert not capsys.readouterr().out
    model.compile("adam", loss)
    say_if_lost(model)
    said = capsys.readouterr().out
    assert said.startswith("warning: this run could not be resumed") and "'loss'" in said


@pytest.mark.once("torch")
def test_a_step_without_a_loss(sources, tmp_path):
    model = compiled()
    model.train_step = lambda data: {"other": type(model).train_step(model, data)["loss"]}
    with pytest.raises(ValueError, match=r"^train_step=\['other'\]: expected .*'loss'"):
        fit(model, sources, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_it_cannot_follow_is_refused(sources, tmp_path):
    for name, value in (("learning_rate", 0.5), ("balance", 0.0), ("weight_decay", 0.0)):
        with pytest.raises(ValueError, match=f"^{name}={value}: expected .* own compilation"):
            fit(compiled(), sources, tmp_path / "run", settings={name: value})
    bare = kseg.build_unet(6, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match="compile='own': .* not compiled"):
        fit(bare, sources, tmp_path / "run", compile="own")
    assert not (tmp_path / "run").exists()


def test_who_compiled(tmp_path):
    """Builders, `kseg.fit` and their files; a user's metrics on a builder's optimizer."""
    model = small_model()
    assert is_own(model) and is_own(kseg.build_unet(6, width=2, depth=1, compile=False))
    model.optimizer.build(model.trainable_variables)
    save_model(model, tmp_path / "m.keras")
    assert is_own(load_model(tmp_path / "m.keras"))
    model.compile(model.optimizer, model.loss, metrics=["accuracy"])
    assert not is_own(model)
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    save_model(model, tmp_path / "m.keras")
    assert not is_own(load_model(tmp_path / "m.keras"))
