"""Cross-validated training: how samples are divided, what is trained, and that it goes on."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from rich.console import Console

import kseg
from kseg.cli.check import doubted, note_of
from kseg.cli.main import main
from kseg.doubts.judges import Judges
from kseg.models.saving import save_model
from kseg.reports.doubts import sheet
from kseg.reports.subject import predicted
from kseg.runs.folds import Folds
from kseg.shifts.adapt import check_adapted
from kseg.training import cross, split
from kseg.training.place import began_with
from kseg.training.settings import Settings, to_dict

pytestmark = pytest.mark.once("torch")
SMALL = {"width": 2, "depth": 1}
SETTINGS = Settings(model="unet", network=SMALL, size=(32, 32), batch_size=2, epochs=1, folds=2)


def test_groups_stay_together_and_sizes_are_even():
    groups = np.repeat(list("abcdefgh"), [1, 1, 2, 2, 3, 3, 4, 4])
    placed = split.folds_of(groups, None, 4, 0)
    assert all(len(set(placed[groups == each])) == 1 for each in set(groups))
    assert np.bincount(placed).tolist() == [5, 5, 5, 5]
    with pytest.raises(ValueError, match="folds=9: expected at most 8, as many as there are "):
        split.folds_of(groups, None, 9, 0)


def test_classes_are_spread_and_the_seed_decides_between_equals():
    content = np.zeros((20, 3), bool)
    content[:, 0] = True
    content[:4, 1] = True  # a rare class, in four of twenty
    content[3:13, 2] = True
    placed = split.folds_of(range(20), content, 4, 0)
    assert np.bincount(placed[:4], minlength=4).tolist() == [1, 1, 1, 1]
    assert sorted(np.bincount(placed[3:13], minlength=4).tolist()) == [2, 2, 3, 3]
    assert np.bincount(placed).tolist() == [5, 5, 5, 5]
    assert placed.tolist() == split.folds_of(range(20), content, 4, 0).tolist()
    assert placed.tolist() != split.folds_of(range(20), content, 4, 1).tolist()
    for seed in range(5):  # whatever classes they have, folds are of one size
        drawn = np.random.default_rng(seed).random((13, 4)) < 0.4
        sizes = np.bincount(split.folds_of(range(13), drawn, 3, seed))
        assert sizes.max() <= 5 and sizes.sum() == 13
    # by classes alone, the last sample of these would make it 7 and 5
    held = np.random.default_rng(240).random((12, 4)) < [0.1, 0.1, 0.2, 0.9]
    assert np.bincount(split.folds_of(range(12), held, 2, 240)).tolist() == [6, 6]
    crowded = split.folds_of(["a"] * 18 + ["b", "c"], None, 3, 0)
    assert sorted(np.bincount(crowded).tolist()) == [1, 1, 18]  # no fold is empty


def test_what_a_sample_holds():
    train = kseg.data.shapes("train", count=3)
    found = split.content_of(train)
    for row, sample in zip(found, train):
        assert np.flatnonzero(row).tolist() == [i for i in np.unique(sample["label"]) if i < 6]
    objects = kseg.data.shapes("train", count=2, instances=True)
    rows = split.content_of(objects)
    assert [set(np.flatnonzero(row)) for row in rows] == [set(s["classes"]) for s in objects]


class Stops(keras.callbacks.Callback):
    """Ends the program after so many steps, as `kill` would."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def on_train_batch_end(self, batch, logs=None):
        self.left[0] -= 1
        if not self.left[0]:
            raise SystemExit


@pytest.mark.slow
def test_folds_are_trained_and_go_on_where_they_were_stopped(tmp_path, capsys):
    train, val = kseg.data.shapes("train", count=8), kseg.data.shapes("val", count=2)
    more = {"settings": SETTINGS, "check_data": False}
    whole = kseg.fit(None, train, val, run=tmp_path / "a", **more)
    with pytest.raises(SystemExit):
        kseg.fit(None, train, val, run=tmp_path / "b", callbacks=[Stops([3])], **more)
    stopped = Folds.open(tmp_path / "b")
    assert stopped.scores() is None and not (stopped.paths()[1] / "best.keras").exists()
    with pytest.raises(FileNotFoundError, match="fold-2.* has no model yet: go on with the train"):
        kseg.load(tmp_path / "b")
    again = kseg.fit(None, train, val, run=tmp_path / "b", resume=True, check_data=False)
    assert all(np.array_equal(*each) for each in zip(whole.get_weights(), again.get_weights()))
    first, second = (Folds.open(tmp_path / name) for name in "ab")
    assert first.folds == second.folds and first.scores() == second.scores()
    assert sorted(name for names in first.folds for name in names) == sorted(train.ids)
    # each run learns from what is not of its fold, and is scored on the fold
    found = first.scores()
    for names, path, row in zip(first.folds, first.paths(), found["folds"]):
        rest = [name for name in train.ids if name not in names]
        assert kseg.Run.open(path).begun["samples"] == len(rest) == 4
        held = train.subset([train.ids.index(name) for name in sorted(names, key=train.ids.index)])
        scores = kseg.evaluate(kseg.Run.open(path).load_model(), held)
        assert row["mean_iou"] == scores["mean_iou"] and row["images"] == 4
    each = [row["mean_iou"] for row in found["folds"]]
    assert found["mean"]["mean_iou"] == pytest.approx(np.mean(each))
    assert found["std"]["mean_iou"] == pytest.approx(np.std(each, ddof=1))
    assert found["ensemble"]["mean_iou"] == kseg.evaluate(tmp_path / "a", val)["mean_iou"]
    assert kseg.Run.open(first.paths()[1]).settings["seed"] == 1  # another for each
    assert f"mean_iou {np.mean(each):.3f} ±" in capsys.readouterr().out
    with pytest.raises(ValueError, match="run=.*: expected a folder that holds no run"):
        kseg.fit(None, train, run=tmp_path / "a", **more)
    with pytest.raises(ValueError, match="train='2 samples': expected the 8 samples"):
        kseg.fit(None, val, run=tmp_path / "a", resume=True)
    with pytest.raises(ValueError, match="group='folder': expected None with resume=True"):
        kseg.fit(None, train, run=tmp_path / "a", resume=True, group="folder")


def test_nothing_is_given_for_nothing():
    train = kseg.data.shapes("train", count=2)
    with pytest.raises(ValueError, match="group='folder': expected None without folds. Give folds"):
        kseg.fit(None, train, group="folder")
    with pytest.raises(ValueError, match="group='x': expected None without folds"):
        Settings(group="x")
    with pytest.raises(ValueError, match="folds=1: expected an integer >= 2"):
        Settings(folds=1)


def test_the_summary_by_hand():
    scores = [
        {"images": 2, "a": 0.2, "classes": {"x": {"iou": 0.2, "pixels": 3}}},
        {"images": 3, "a": 0.6, "classes": {"x": {"iou": float("nan"), "pixels": 3}}},
    ]
    found = cross.summary(scores, ("a",))
    assert found["folds"] == [{"images": 2, "a": 0.2}, {"images": 3, "a": 0.6}]
    assert found["mean"] == {"a": pytest.approx(0.4)}
    assert found["std"] == {"a": pytest.approx(0.2 * 2**0.5)}
    assert found["classes"]["x"]["mean"] == {"iou": 0.2}


def folds_at(path, answers, names):
    """Folds of untrained runs, each of which takes every pixel for one class."""
    source = kseg.data.shapes("val", count=1)
    about = (source.class_names, source.colors, source.void, to_dict(SETTINGS))
    Folds(path, *about, {"spec": "shapes"}, {}, names).write()
    for answer, place in zip(answers, Folds.open(path).paths()):
        kseg.Run(place, *about).write()
        model = kseg.build_unet(6, compile=False, **SMALL)
        head = model.get_layer("head")
        head.kernel.assign(np.zeros(head.kernel.shape))
        head.bias.assign(4.0 * np.eye(6)[answer])
        save_model(model, place / "best.keras")
    return path


def test_a_photo_is_judged_by_the_model_that_has_not_learned_from_it(tmp_path, monkeypatch):
    train = kseg.data.shapes("train", count=3)
    names = ((train.ids[1],), (train.ids[0],))
    path = folds_at(tmp_path / "folds", (0, 3), names)
    judges = Judges(path)
    said = [
        kseg.predict(judges.of(name), sample["image"])[0, 0]
        for name, sample in zip(train.ids[:2], train)
    ]
    assert said == [3, 0]
    assert judges.of(train.ids[2]) is judges.model
    doubts = kseg.check_labels(path, train)
    expected = {
        name: {row.expected for row in doubts.rows if row.sample == name} for name in train.ids[:2]
    }
    assert expected == {train.ids[0]: {train.class_names[3]}, train.ids[1]: {train.class_names[0]}}
    opened = dataclasses.replace(Folds.open(path), begun=began_with(train, None))
    assert note_of([opened], [train, kseg.data.shapes("val", count=1)]) == (
        "Each photo of shapes/train is judged by the model that has not learned from it."
    )

    def drawn(model, about, image):
        shown[image.tobytes()] = model
        return predicted(model, about, image)

    shown = {}  # on the page
    monkeypatch.setattr("kseg.reports.doubts.predicted", drawn)
    assert sheet(doubts, str)["shots"]
    for place in range(3):
        assert shown[train[place]["image"].tobytes()] is doubts.judge(train.ids[place])
    # another run beside the folds: all of them answer together
    loaded = kseg.load([path, Folds.open(path).paths()[0]])
    together = doubted(Console(quiet=True), loaded, [train], None)
    assert together.judge(train.ids[0]) is together.model is loaded.model


def test_several_runs_answer_as_one(tmp_path):
    path = folds_at(tmp_path / "folds", (1, 2), ((), ()))
    both, photo = kseg.load(Folds.open(path).paths()), np.zeros((8, 9, 3), "uint8")
    assert len(both.members) == 2 and "2 members" in repr(both)
    assert [file.name for file in both.files()].count("best.keras") == 2
    probabilities = kseg.predict(both.model, photo, probabilities=True)[0, 0]
    alone = np.exp(4) / (np.exp(4) + 5), 1 / (np.exp(4) + 5)
    np.testing.assert_allclose(probabilities[[1, 2, 0]], [sum(alone) / 2] * 2 + [alone[1]], 1e-5)
    of_folder = kseg.predict(kseg.load(path).model, photo, probabilities=True)[0, 0]
    np.testing.assert_array_equal(of_folder, probabilities)
    with pytest.raises(ValueError, match="output=.*ends in .keras, for several runs that answer"):
        check_adapted(kseg.load(path), tmp_path / "b")
    with pytest.raises(ValueError, match="path=.*: expected at least one run folder"):
        kseg.load([])


def test_a_fold_that_is_trained_is_not_trained_again(tmp_path):
    train, seen = kseg.data.shapes("train", count=4), []

    def fit(model, learned, judged, path, settings, resume):
        seen.append((path.name, learned.ids, judged.ids, settings.seed, settings.folds, resume))
        if len(seen) == 2:
            raise SystemExit
        about = (train.class_names, train.colors, train.void, to_dict(settings))
        kseg.Run(path, *about).write()
        save_model(kseg.build_unet(6, compile=False, **SMALL), path / "best.keras")

    opened = cross.begun(None, train, tmp_path / "f", SETTINGS, None, None, False)
    with pytest.raises(SystemExit):
        cross.train_all(opened, SETTINGS, train, None, fit)
    opened, settings = cross.gone_on(tmp_path / "f", None, {}, train)
    assert settings == SETTINGS
    cross.train_all(opened, settings, train, None, fit)
    first, second = opened.folds
    assert seen[0] == ("fold-1", second, first, 0, None, False)
    assert seen[1] == seen[2] == ("fold-2", first, second, 1, None, False) and len(seen) == 3
    assert opened.scores()["mean"]["mean_iou"] > 0 and "ensemble" not in opened.scores()


def test_new_folds_take_the_place_of_those_before(tmp_path):
    train, root = kseg.data.shapes("train", count=4), tmp_path / "f"
    cross.begun(None, train, root, SETTINGS, None, None, False)
    fold = kseg.Run(root / "fold-1", train.class_names, train.colors, train.void, {})
    fold.write()
    (root / cross.SCORES).write_text("{}")
    (root / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected a folder that holds no run.*overwrite=True"):
        cross.check_folder(root, train, overwrite=False)
    cross.check_folder(root, train, overwrite=True)
    assert [path.name for path in root.rglob("*") if path.is_file()] == ["mine.txt"]


@pytest.mark.slow
def test_the_commands_take_several_runs_as_one(tmp_path, capsys, write_image):
    path = folds_at(tmp_path / "folds", (1, 2), ((), ()))
    first, second = map(str, Folds.open(path).paths())
    photo = str(write_image("photo.png", np.zeros((8, 9, 3), "uint8")))
    both = kseg.load([first, second])
    out = str(tmp_path / "out")
    assert main(["predict", photo, "-o", out, "--run", first, "--with", second]) == 0
    assert main(["predict", photo, "-o", out, "--run", str(path), "--overwrite"]) == 0
    file = str(tmp_path / "scores.json")
    command = ["evaluate", first, "shapes", "--with", second, "--json", file]
    assert main(command) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    val = kseg.data.shapes("val")
    assert scores["mean_iou"] == kseg.evaluate([first, second], val)["mean_iou"]
    assert scores["protocol"]["model"]["path"] == [first, second]
    assert main(["evaluate", "--repeat", file]) == 0
    assert "numbers are equal" in capsys.readouterr().out
    assert (
        main(["export", first, str(tmp_path / "served"), "--with", second, "--samples", "1"]) == 0
    )
    served = kseg.load(tmp_path / "served" / "ensemble")
    assert served.class_names == both.class_names
    with pytest.raises(ValueError, match="beside others, and it is an export"):
        kseg.load([first, tmp_path / "served" / "ensemble"])
