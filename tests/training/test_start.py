"""From what a training starts: which weights are taken, which are not, and what is said of it."""

import dataclasses

import keras
import numpy as np
import pytest

import kseg
from kseg.cli.main import main
from kseg.models.parts import named_weights, parts_of
from kseg.models.saving import save_model
from kseg.training import checkpoints, start
from kseg.training.settings import Settings, to_dict

pytestmark = pytest.mark.once("torch")
SIZE, NAMES = (32, 32), kseg.data.shapes("val", count=1).class_names
SMALL = {"width": 4, "depth": 2}
WIDTHS = {"fpn_width": 8, "box_width": 8, "mask_width": 8}


def tiny_encoder():
    """Feature maps at the strides 2 to 32, of 4 channels."""
    image = x = keras.Input((None, None, 3))
    for number in range(5):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"conv{number}")(x)
    return keras.Model(image, x)


def objects(classes):
    return kseg.build_mask_rcnn(classes, encoder=tiny_encoder(), **WIDTHS)


def values(model):
    return {name: keras.ops.convert_to_numpy(each) for name, each in named_weights(model).items()}


def filled(model, seed=0):
    rng = np.random.default_rng(seed)
    for each in model.weights:
        each.assign(rng.uniform(0.1, 1, each.shape).astype("float32"))
    return model


@pytest.fixture
def run(tmp_path):
    """A run of a small U-Net, as it is left behind."""
    source, path = kseg.data.shapes("val", count=1), tmp_path / "first"
    settings = to_dict(Settings(model="unet", network=SMALL, size=SIZE))
    kseg.Run(path, NAMES, source.colors, source.void, settings).write()
    save_model(filled(kseg.build_unet(len(NAMES), compile=False, **SMALL)), path / "best.keras")
    return path


def scenes_of(names):
    """Scenes with classes of other names; the labels are those of before."""
    source = kseg.data.shapes("train", count=4)
    colors = (*source.colors, (1, 2, 3))[: len(names)]
    return dataclasses.replace(source, class_names=names, colors=colors)


@pytest.mark.slow
def test_a_run_goes_on_in_another_with_all_of_its_weights(run, tmp_path, capsys):
    train = kseg.data.shapes("train", count=4)
    before = values(kseg.Run.open(run).load_model())
    asked = Settings(size=SIZE, batch_size=2, epochs=1, learning_rate=1e-12, weight_decay=0)
    model = kseg.fit(None, train, run=tmp_path / "next", settings=asked, start=run)
    after = {k: each for k, each in values(model).items() if "moving" not in k}
    for name, each in after.items():
        np.testing.assert_allclose(each, before[name], atol=1e-6)
    said = capsys.readouterr().out
    assert f"are those of {str(run)!r}\nanew: nothing" in said and "start: 23 of 23 layers" in said
    opened = kseg.Run.open(tmp_path / "next")
    assert opened.settings["start"] == str(run) and opened.settings["network"] == SMALL
    assert opened.begun["start"]["classes"] == list(NAMES) and opened.begun["start"]["anew"] == []
    with pytest.raises(ValueError, match="start='elsewhere': expected .*first"):
        other = dataclasses.replace(asked, start="elsewhere")
        kseg.fit(None, train, run=tmp_path / "next", settings=other, resume=True, epochs=2)


def test_classes_are_mapped_by_name(run, capsys):
    names = ("cross", "Background", "new", "disk", "ring", "square", "triangle")
    began = start.opened(str(run))
    settings, made = start.network_of(began, Settings(), scenes_of(names))
    assert made is None and (settings.model, settings.network) == ("unet", SMALL)
    model = filled(kseg.build_unet(len(names), **SMALL))
    own, theirs = values(model), values(began.model)
    said = start.take(model, began, names)
    now = values(model)
    for name in now.keys() - {"head/kernel", "head/bias"}:
        np.testing.assert_array_equal(now[name], theirs[name])
    for row, place in enumerate((5, 0, None, 1, 2, 3, 4)):
        for name in ("head/kernel", "head/bias"):
            expected = own[name][..., row] if place is None else theirs[name][..., place]
            np.testing.assert_array_equal(now[name][..., row], expected)
    assert said["classes"] == [name for name in names if name != "new"] and not said["anew"]
    assert said["numbers"] == sum(each.size for each in now.values()) - 5
    assert "of the head cross, Background, disk" in (out := capsys.readouterr().out)
    assert "anew: the head's numbers of new\n" in out


def test_a_file_without_names_maps_by_position_or_not_at_all(tmp_path, capsys):
    model = filled(kseg.build_unet(3, **SMALL))
    model.save(tmp_path / "m.keras")
    began = start.opened(tmp_path / "m.keras")
    same = start._for_classes(began, scenes_of(("a", "b", "c")))
    start.take(same, began, ("a", "b", "c"))
    assert all(np.array_equal(x, y) for x, y in zip(same.get_weights(), model.get_weights()))
    other = start._for_classes(began, scenes_of(("a", "b")))
    assert other.output.shape[-1] == 2 and type(other) is type(model)
    said = start.take(other, began, ("a", "b"))
    assert said["anew"] == ["head"] and said["classes"] == [] and said["layers"] == 22
    assert "anew: head\n" in capsys.readouterr().out


def test_a_layer_is_taken_whole_or_not_and_what_is_left_is_said(capsys):
    began = start.Start("x", filled(kseg.build_unet(2, width=4, depth=3)), ("a", "b"))
    model = kseg.build_unet(2, input_shape=(None, None, 1), width=4, depth=2)
    said = start.take(model, began, ("a", "b"))
    assert said["anew"] == ["down0_conv1"]  # of one channel; what follows it fits
    assert said["not_taken"][:2] == ["down3_conv1", "down3_norm1"]
    assert "not taken from 'x': down3_conv1" in capsys.readouterr().out
    with pytest.raises(ValueError, match="start='x': expected layers that fit the model 'unet'"):
        start.take(kseg.build_unet(2, width=5, depth=2), began, ("a", "b"))


def test_an_encoder_goes_into_another_network_and_a_head_into_another_task():
    began = start.Start("x", filled(kseg.build_unet(2, encoder=tiny_encoder())), ("a", "b"))
    model = kseg.build_fcn8s(2, encoder=tiny_encoder())
    said = start.take(model, began, ("a", "b"))
    assert said["layers"] == 5 and said["anew"][0] == "score_fr"
    mine = {name: each for name, each in values(model).items() if name.startswith("encoder/")}
    theirs = values(began.model)
    assert len(mine) == 10 and all(np.array_equal(mine[name], theirs[name]) for name in mine)
    assert start.take(objects(2), began, ("a", "b"))["layers"] == 5
    several = kseg.build_unet(2, multilabel=True, encoder=tiny_encoder())
    start.take(several, began, ("b", "a"))
    kernel = values(several)["head/kernel"]
    np.testing.assert_array_equal(kernel, theirs["head/kernel"][..., ::-1])


def test_objects_keep_the_background_and_the_deltas_of_their_class():
    began = start.Start("x", filled(objects(2)), ("cat", "dog"))
    began.model.paste = "torchvision"
    model = filled(objects(3), seed=1)
    own, theirs = values(model), values(began.model)
    said = start.take(model, began, ("dog", "bird", "cat"))
    assert said["numbers"] == sum(each.size for each in own.values()) - 6 * 9  # of one class
    now, head = values(model), "box_head/box_predictor_"
    rows = ((0, 0), (1, 2), (3, 1))  # background, dog, cat
    for row, its in rows:
        for kind in ("kernel", "bias"):
            name = f"{head}cls_score/{kind}"
            np.testing.assert_array_equal(now[name][..., row], theirs[name][..., its])
            name = f"{head}bbox_pred/{kind}"
            part, of = slice(4 * row, 4 * row + 4), slice(4 * its, 4 * its + 4)
            np.testing.assert_array_equal(now[name][..., part], theirs[name][..., of])
    name = "mask_head/mask_predictor_mask_fcn_logits/kernel"
    np.testing.assert_array_equal(now[name][..., 2], own[name][..., 2])  # of birds
    assert model.paste == "torchvision"
    parts = parts_of(model)
    assert [len(parts[name]) for name in ("encoder", "decoder", "head")] == [10, 16, 26]


@pytest.mark.slow
def test_a_checkpoint_of_torchvision(tmp_path, capsys):
    model = filled(kseg.build_deeplabv3(21, encoder="torchvision:resnet18", width=8))
    tensors = kseg.weights.torchvision.state_dict(model)
    tensors["aux_classifier.4.bias"] = np.zeros(21, "float32")
    kseg.weights.write(tmp_path / "deep.safetensors", tensors)
    train = scenes_of(("cat", "background", "shed"))
    began = start.opened(tmp_path / "deep.safetensors")
    _, made = start.network_of(began, Settings(), train)
    said = start.take(made, began, train.class_names)
    now, theirs = values(made), values(model)
    np.testing.assert_array_equal(now["head/kernel"][..., 0], theirs["head/kernel"][..., 8])
    np.testing.assert_array_equal(now["encoder/conv1/kernel"], theirs["encoder/conv1/kernel"])
    assert said["classes"] == ["cat", "background"] and said["not_taken"] == ["aux_classifier"]
    coco = " ".join(checkpoints.COCO.split()).split(", ")
    known = {1: "person", 12: "street sign", 44: "bottle", 67: "dining table", 90: "toothbrush"}
    assert len(coco) == 90 and {i: coco[i - 1] for i in known} == known
    encoder = {
        key.removeprefix("backbone."): each for key, each in tensors.items() if "back" in key
    }
    kseg.weights.write(tmp_path / "resnet18.safetensors", encoder)
    with pytest.raises(ValueError, match="not of a classifier. .*encoder='torchvision:resnet18'"):
        start.opened(tmp_path / "resnet18.safetensors")


def test_what_holds_no_weights_is_refused(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="start='.*none': expected a run folder"):
        start.opened(tmp_path / "none")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="constants of its graph. Give the run or the .keras file"):
        start.opened(tmp_path / "1")
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="folded into the constants"):
        start.opened(tmp_path / "m.onnx")
    assert main(["fit", "shapes", "--start", str(tmp_path / "m.onnx")]) == 2
    assert f"--start {tmp_path / 'm.onnx'}: expected a run folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_starts_from_a_run(run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("kseg.cli.fit.train_and_report", lambda *given: asked.append(given))
    assert main(["fit", "shapes", "--start", str(run), "--run", str(tmp_path / "a")]) == 0
    (tmp_path / "s.toml").write_text(f'[model]\nstart = "{run}"\n[data]\nspec = "shapes"\n')
    assert main(["fit", "--settings", str(tmp_path / "s.toml")]) == 0
    assert [settings.start for *_, settings, spec in asked] == [str(run)] * 2
    save_model(objects(2), tmp_path / "objects.keras")
    assert main(["fit", "shapes", "--start", str(tmp_path / "objects.keras")]) == 0
    assert asked[-1][2].task == "instance"  # the data are opened as that model takes them
