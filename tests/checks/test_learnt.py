"""What `kseg check` and `kseg fit` say of a set: the same; and why nothing is learnt from one."""

import dataclasses

import numpy as np
import pytest

import kseg
from kseg.checks import whole_set
from kseg.checks.findings import Finding, Report
from kseg.cli.main import main
from kseg.models.mask_rcnn.model import RCNNSettings
from kseg.training import begin

pytestmark = pytest.mark.once("tensorflow")  # reads files, whatever the backend
SETTINGS = kseg.Settings(size=(32, 32), epochs=1, batch_size=2)


def source(labels, names=("ground", "object"), name="set", seed=0):
    labels = np.array(labels, np.uint8)
    photos = np.random.default_rng(seed).integers(0, 256, (*labels.shape, 3), np.uint8)
    return kseg.data.Source(
        name,
        {"image": photos, "label": labels},
        lambda row: row,
        names,
        tuple((i, 0, 0) for i in range(len(names))),
        tuple(map(str, range(len(labels)))),
    )


def labels(*values, count=2):
    maps = np.zeros((count, 40, 40), np.uint8)
    for row, value in enumerate(values):
        maps[:, 10 * row : 10 * row + 10] = value
    return maps


def errors(*sources, **options):
    return [(each.kind, each.source) for each in kseg.check(*sources, **options).errors]


@pytest.mark.parametrize(
    "values, words",
    [
        ([0], "every labelled pixel is of 'ground', none is of 'object', in 2 photos"),
        ([1, 1, 1, 1], "every labelled pixel is of 'object', none is of 'ground', in 2 photos"),
        ([255] * 4, "there is no labelled pixel, none is of 'ground', 'object', in 2 photos"),
    ],
)
def test_one_class_alone(values, words, tmp_path):
    bare = source(labels(*values))
    report = kseg.check(bare)
    (finding,) = report.errors
    assert finding.kind == "nothing_to_learn" and words in str(finding)
    with pytest.raises(ValueError, match=words):
        kseg.fit(kseg.build_unet(2, width=2, depth=1), bare, run=tmp_path / "run")
    good = source(labels(1), name="train", seed=1)
    assert errors(good, bare) == []  # there it is scored alone
    assert "nothing_to_score" in {each.kind for each in kseg.check(good, bare).warnings}


def test_a_mask_of_one_class_is_told_with_its_name():
    maps = labels(0, 1, 0, 1, count=3)
    maps[1] = 1
    findings = kseg.check(source(maps)).findings
    (said,) = (each.message for each in findings if each.kind == "single_class_mask")
    assert said.startswith("'1': every pixel is 'object'")


def test_one_class_of_some_samples_proves_nothing():
    maps = labels(count=3)
    maps[1, :10] = 1
    assert errors(source(maps), limit=2) == [] == errors(source(maps))


def test_an_instance_source_without_an_object():
    masks = np.zeros((1, 8, 8), np.uint8)
    empty = kseg.data.Source(
        "none",
        {"image": np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)},
        lambda row: {**row, "masks": masks[:0], "classes": np.zeros(0, np.int32)},
        ("a",),
        ((0, 0, 0),),
        ("x",),
        task="instance",
    )
    assert errors(empty) == [("nothing_to_learn", "none")]
    masks = masks + 1
    objects = {"masks": masks, "classes": np.array([0]), "crowd": np.array([True])}
    crowd = dataclasses.replace(empty, decode=lambda row: {**row, **objects})
    assert errors(crowd) == [("all_crowd", "none")]


def test_classes_of_two_splits():
    train = source(labels(1), name="train")
    val = source(labels(1), name="val", seed=1)
    swapped = dataclasses.replace(val, class_names=("object", "ground"))
    (finding,) = kseg.check(train, swapped, duplicates=False).errors
    assert str(finding) == (
        "class 0 of val is 'object', of train 'ground'. "
        "Give all splits one list of classes, in one order."
    )
    more = source(labels(1), ("ground", "object", "sky"), "val", 1)
    assert errors(train, more) == [("classes_differ", "val")]
    other = dataclasses.replace(val, class_names=("Ground", "Object"))
    report = kseg.check(train, other, duplicates=False)
    assert report.ok and [each.kind for each in report.warnings] == ["other_names"]


def test_two_classes_of_one_name_are_refused():
    with pytest.raises(ValueError, match="class_names=.*'cell' comes twice. Rename one"):
        source(labels(1), ("cell", "cell"))


def test_fit_refuses_photos_to_score_by_that_are_learnt_from(tmp_path):
    train = source(labels(1), name="train")
    model = kseg.build_unet(2, width=2, depth=1)
    with pytest.raises(ValueError, match="'0' and '0' are the same pixels"):
        kseg.fit(model, train, train.subset([0], "val"), run=tmp_path / "a", settings=SETTINGS)
    assert not (tmp_path / "a").exists()


@pytest.mark.once("torch")  # where nothing is compiled
def test_fit_says_the_warnings_of_the_check_in_ten_lines(tmp_path, capsys, monkeypatch):
    noted = dataclasses.replace(source(labels(1)), notes=(("no_class", "number 0."),))
    kseg.fit(kseg.build_unet(2, width=2, depth=1), noted, run=tmp_path / "a", settings=SETTINGS)
    assert "warning: set: number 0. If it is a class" in capsys.readouterr().out
    many = tuple(Finding("no_class", "warning", "set", f"number {i}.", "") for i in range(12))
    monkeypatch.setattr(begin, "check", lambda *sources, **options: Report(many, ()))
    begin.checked([noted], True)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [f"warning: set: number {i}." for i in range(9)]
    assert last == "... and 3 more; `kseg check` and kseg.check show all"


def test_a_set_of_objects_says_what_to_set():
    assert whole_set.DETECTIONS == RCNNSettings().detections


@pytest.mark.slow
@pytest.mark.once("torch")  # where nothing is compiled
def test_check_ends_with_0_where_fit_starts(tmp_path, write_image, rng, capsys):
    """No "val" is an error; a fault of "test", which is not learnt from, is none."""

    def write(split, count, values):
        for index in range(count):
            mask = np.zeros((32, 32), np.uint8)
            for place, value in enumerate(values):
                mask[4 * place : 4 * place + 4] = value
            photo = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            write_image(f"set/images/{split}/{split}{index}.png", photo)
            write_image(f"set/masks/{split}/{split}{index}.png", mask)

    (tmp_path / "set").mkdir()
    (tmp_path / "set/classes.txt").write_text("ground\nobject\n")
    write("train", 2, [1])
    arguments = ["--width", "2", "--depth", "1", "--epochs", "1", "--size", "32x32"]
    fit = ["fit", f"folder:{tmp_path / 'set'}", "--run", str(tmp_path / "run"), *arguments]
    check = ["check", f"folder:{tmp_path / 'set'}"]
    assert main(check) == 1 and main(fit) == 2
    write("val", 1, [1])
    write("test", 1, [1, 9])
    capsys.readouterr()
    assert main(check) == 0
    assert "folder:set/test" in capsys.readouterr().out
    assert main(fit) == 0
    write("train", 3, [255])
    write("val", 1, [255])
    capsys.readouterr()
    assert main(check) == 1 and main([*fit, "--overwrite"]) == 2
    assert "--values 0,255" in capsys.readouterr().out


def test_fit_reads_all_of_a_set_that_looks_bare(tmp_path, monkeypatch):
    maps = labels(count=4)
    maps[1, :10] = 1
    monkeypatch.setattr(begin, "CHECKED_SAMPLES", 2)  # the first and the last
    assert begin.checked([source(maps)], True).sources[0].read == 4
    with pytest.raises(ValueError, match="every labelled pixel is of 'ground'"):
        begin.checked([source(labels(count=4))], True)
