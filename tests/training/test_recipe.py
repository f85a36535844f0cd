"""Settings in groups: from a file, from the command line, from Python, and back."""

import dataclasses

import keras
import pytest

import kseg
from kseg.cli.main import main
from kseg.training import augmentation, losses, named, optimizers, recipe
from kseg.training.settings import Settings, texts

pytestmark = pytest.mark.once("torch")

FULL = Settings(
    model="unet",
    network={"width": 4, "depth": 2},
    size=(64, 96),
    scale=(1.0, 1.5),
    transforms=("random_scale_crop(max_share=0.75)", "random_flip"),
    loss="cross_entropy + 0.5 * lovasz",
    optimizer="sgd",
    learning_rate=0.01,
    optimizer_options={"momentum": 0.9, "nesterov": True},
    schedule="polynomial",
    ema_momentum=0.99,
    monitor='val_iou."x"',
    jit_compile=False,
)


def test_a_file_gives_the_same_settings_back(tmp_path):
    recipe.write(tmp_path / "settings.toml", FULL, {"spec": "folder:a b", "palette": None})
    values, data = recipe.read(tmp_path)
    assert Settings(**values) == FULL and data == {"spec": "folder:a b"}
    assert recipe.opened(tmp_path / "settings.toml") == (FULL, {})
    groups = {"optimizer": {"name": "lion"}, "data": {"size": [32, 64]}}
    assert recipe.opened(groups) == (Settings(optimizer="lion", size=(32, 64)), {})
    assert recipe.opened(groups, resume=True) == (None, {"optimizer": "lion", "size": (32, 64)})


def test_every_setting_has_its_group_and_text():
    assert texts().keys() == {field.name for field in dataclasses.fields(Settings)}
    for name, text in texts().items():
        group, key = recipe.place_of(name)
        assert f"`[{group}]`" in text or f"`[{group}] {key}`" in text, name


@pytest.mark.parametrize(
    "text, said",
    [
        ("[optimiser]", "setting='optimiser': expected a group of settings.*'optimizer'"),
        ("epochs = 3", "It is schedule.epochs"),
        ("[optimizer]\nlearningrate = 1", "setting='learningrate'.*Did you mean 'learning_rate'"),
        ("[optimizer]\nbatch_size = 1", "setting='batch_size'.*It is data.batch_size"),
        ("[optimizer]\nmomentun = 0.9\nname = 'sgd'", "setting='momentun'.*'momentum'"),
        ("[optimizer]\nmomentum = 0.9", "setting='momentum': expected a setting of .*'optimizer'"),
        ("[model]\nwidht = 3", "setting='widht'.*Did you mean 'width'"),
        ("[run]\nepoch = 3", "setting='epoch': expected a setting of the group 'run'"),
        ("[run", "expected a file of settings"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest(text, said, tmp_path):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        recipe.read(tmp_path / "s.toml")


def test_set_reads_values_as_toml_or_text():
    groups = recipe.assigned(
        ["data.size=[32, 64]", "loss.name=dice + 2*focal(gamma=1)", "run.seed=3"]
    )
    assert groups == {
        "data": {"size": [32, 64]},
        "loss": {"name": "dice + 2*focal(gamma=1)"},
        "run": {"seed": 3},
    }
    with pytest.raises(
        ValueError, match="set='epochs=3': expected GROUP.NAME=VALUE.*schedule.epochs"
    ):
        recipe.assigned(["epochs=3"])


def test_losses_by_name():
    settings = Settings(loss="cross_entropy(label_smoothing=0.1) - 0.5 * tversky(0.2, beta=0.6)")
    loss = losses.loss(settings, void=7, class_weight=[1.0, 2.0])
    assert loss.weights == [1.0, -0.5]
    first, second = (each.get_config() for each in loss.losses)
    assert first["label_smoothing"] == 0.1 and first["class_weight"] == [1.0, 2.0]
    assert second["alpha"] == 0.2 and second["beta"] == 0.6 and second["class_weight"] is None
    assert first["ignore_class"] == second["ignore_class"] == 7
    assert losses.loss(Settings(loss="dice"), 255, None, multilabel=True).options["multilabel"]
    for text, said in (
        ("lovas", "loss='lovas': expected one of kseg's losses. Did you mean 'lovasz'"),
        ("dice(smoth=1)", "loss='smoth': expected an option of dice. Did you mean 'smooth'"),
        ("dice.__class__", "is no name"),
        ("__import__('os').system('x')", "is no name"),
        ("dice * focal", "expected names with options"),
    ):
        with pytest.raises(ValueError, match=said):
            losses.parts_of(text)


def test_named_things_run_no_code():
    assert named.terms("loss", "a + 2 * (b - c(x=[1, 'y', None]))") == [
        (1.0, "a", {}),
        (2.0, "b", {}),
        (-2.0, "c", {"x": [1, "y", None]}),
    ]
    with pytest.raises(ValueError, match="no plain value"):
        named.terms("loss", "a(x=open('f'))")


def test_transforms_by_name():
    settings = Settings(size=(8, 8), transforms=("random_scale_crop", "color_jitter(0.3)"))
    assert len(augmentation.augmentation(settings, 255)) == 2
    for names, said in (
        (("random_flop", "pad"), "'random_flop': expected a transform.*'random_flip'"),
        (("random_flip",), "end in crops of one size"),
    ):
        with pytest.raises(ValueError, match=said):
            augmentation.check(Settings(transforms=names))


def rates(steps=100, **given):
    schedule = optimizers.schedule(Settings(learning_rate=0.1, **given), steps)
    return [float(schedule(step)) for step in (0, 5, 10, 55, 100)]


def test_schedules_by_hand():
    close = pytest.approx
    # half of the warm-up, its end, half of the cosine, its end
    assert rates(warmup=0.1) == close([0, 0.05, 0.1, 0.05, 0], abs=1e-6)
    assert rates(warmup=0.1, end=0.1) == close([0, 0.05, 0.1, 0.055, 0.01], abs=1e-6)
    linear = {"schedule": "polynomial", "power": 1.0}
    assert rates(warmup=0.1, **linear) == close([0, 0.05, 0.1, 0.05, 0], abs=1e-6)
    assert rates(warmup=0.0, **linear) == close([0.1, 0.095, 0.09, 0.045, 0], abs=1e-6)
    assert rates(warmup=0.1, schedule="constant") == close([0, 0.05, 0.1, 0.1, 0.1], abs=1e-6)
    assert rates(warmup=0.0, schedule="constant") == close([0.1] * 5)
    # the optimizer counts once in four steps
    by_four = optimizers.schedule(
        Settings(learning_rate=0.1, warmup=0.1, gradient_accumulation_steps=4), 400
    )
    assert float(by_four(55)) == close(0.05, abs=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion", "muon"])
def test_optimizers_and_what_their_decay_leaves(name):
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    settings = Settings(optimizer=name, ema_momentum=0.9, global_clipnorm=3.0)
    made = optimizers.optimizer(settings, 10, model)
    made.build(model.trainable_variables)
    assert made.name == "kseg" and made.use_ema and made.global_clipnorm == 3.0
    keras_own = {each.lower(): cls for each, cls in vars(keras.optimizers).items()}[name]
    assert isinstance(made, keras_own) and type(made).__name__ == keras_own.__name__
    decayed = [v for v in model.trainable_variables if made._use_weight_decay(v)]
    assert decayed == [v for v in model.trainable_variables if len(v.shape) > 1]
    all_of_them = optimizers.optimizer(Settings(decay_norms=True), 10, model)
    assert all(all_of_them._use_weight_decay(v) for v in model.trainable_variables)


def test_unknown_optimizers():
    with pytest.raises(ValueError, match="optimizer='adamx': expected.*Did you mean 'adam"):
        optimizers.check(Settings(optimizer="adamx"))
    with pytest.raises(ValueError, match="optimizer_options='moment': expected an option of SGD"):
        optimizers.check(Settings(optimizer="sgd", optimizer_options={"moment": 1}))


@pytest.mark.slow
def test_a_run_is_repeated_from_its_settings(pair_folders, tmp_path, monkeypatch, capsys):
    """The same network, data and numbers; `--set` and options over the file."""
    monkeypatch.chdir(tmp_path)
    data = f"folder:{pair_folders(size=(32, 40))}"
    small = [
        "--width",
        "2",
        "--depth",
        "1",
        "--size",
        "32x32",
        "--epochs",
        "1",
        "--batch-size",
        "2",
    ]
    more = ["--set", "loss.name=cross_entropy + 0.5 * focal", "--optimizer", "lion"]
    assert main(["fit", data, "--run", "a", "--no-check", *small, *more]) == 0
    assert main(["fit", "--settings", "a/settings.toml", "--run", "b", "--no-check"]) == 0
    a, b = (kseg.Run.open(name) for name in "ab")
    assert a.settings == b.settings and a.data == b.data
    own = {"images_per_second"}
    assert [{k: v for k, v in row.items() if k not in own} for row in a.history()] == [
        {k: v for k, v in row.items() if k not in own} for row in b.history()
    ]
    capsys.readouterr()
    twice = ["--set", "schedule.epochs=2", "--epochs", "3"]
    assert main(["fit", "--settings", "a", "--run", "c", *twice]) == 2
    assert "--epochs 3: expected 2, which --set says too" in capsys.readouterr().err
