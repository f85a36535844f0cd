"""The page of a run: what it shows, that it shows nothing of the machine, and what it refuses."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from instance_model import InstanceModel, detections, source_of

import kseg
from kseg.cli.main import main
from kseg.data.spec import DataSpec
from kseg.models.saving import save_model
from kseg.reports import multilabel as several
from kseg.reports.places import Places
from kseg.reports.seen import instance, multilabel
from kseg.reports.seen.borders import Borders
from kseg.reports.shots import side_for, size_for

NAMED = ("button", "input", "select", "textarea", "dialog", "svg")


class Page(HTMLParser):
    """Whatever a browser, a screen reader or a network would stumble over."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, path):
        super().__init__()
        self.open, self.ids, self.links, self.nameless, self.alts = [], [], [], [], []
        self.text, self.label, self.tags = "", 0, []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given[name] for name in ("src", "href") if name in given]
        if tag == "img":
            self.alts.append(given.get("alt"))
        within_label = "label" in self.open
        if tag in NAMED and not (given.get("aria-label") or within_label or tag == "button"):
            self.nameless.append((tag, given))
        if tag == "button" and not given.get("aria-label"):
            self.label = len(self.text)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "button" and not self.text[self.label :].strip():
            self.nameless.append(tag)

    def handle_data(self, data):
        if not {"style", "script"} & {*self.open}:
            self.text += data

    def check(self):
        """Nothing is loaded, all is named, ids are unique and links within the page arrive."""
        assert len(self.ids) == len(set(self.ids)) and self.nameless == []
        assert None not in self.alts
        for link in self.links:
            assert link.startswith("data:") or link[1:] in self.ids, link[:80]
        return self


@pytest.fixture(scope="module")
def scenes():
    return kseg.data.shapes("val", size=(32, 48), count=5)


def made(path, model, source, data=None, history=2):
    """A run folder as `kseg.fit` leaves it, without the training."""
    settings = {"epochs": 2, "learning_rate": 1e-3, "network": {"weights": "/home/ann/w/x.h5"}}
    run = kseg.Run(path, source.class_names, source.colors, source.void, settings, data)
    run.write()
    save_model(model, path / "best.keras")
    run.write_history(
        [
            {"epoch": e, "step": e, "loss": 2 / e, "mean_iou": 0.1 * e, "val_mean_iou": 0.05 * e}
            for e in range(1, history + 1)
        ]
    )
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory, scenes):
    """Two runs of one kind."""
    root = tmp_path_factory.mktemp("two")
    folders = []
    for number in (1, 2):
        keras.utils.set_random_seed(number)
        model = kseg.build_unet(6, width=2, depth=1, compile=False)
        folders.append(made(root / f"run{number}", model, scenes, {"spec": "shapes:32"}))
    return folders


@pytest.mark.slow
@pytest.mark.once("torch")
def test_page_of_a_run(two, scenes, tmp_path):
    done = []
    path = kseg.report(
        two[0],
        data=scenes,
        path=tmp_path / "page.html",
        images=4,
        group=r"(\d)$",
        progress=lambda *each: done.append(each),
    )
    text, page = path.read_text(), Page(path).check()
    assert done[-1] == (10, 10) and [each for each, _ in done[-5:]] == [
        6,
        7,
        8,
        9,
        10,
    ]  # twice each
    scores = kseg.evaluate(kseg.load(two[0]).model, scenes, boundary=True, calibration=True)
    for key in ("mean_iou", "mean_boundary_iou", "pixel_accuracy", "calibration_error"):
        assert f"{scores[key]:.3f}" in page.text
    for name, row in scores["classes"].items():
        assert name in page.text and f"{row['pixels']:,}" in page.text
    assert text.count('class="shot"') == 4 and text.count('data-layer="error" data-pane="0"') == 4
    assert page.tags.count("svg") == 5  # loss, score, photos, borders, calibration
    for position, name in enumerate(scenes.ids):  # a group each
        alone = kseg.evaluate(kseg.load(two[0]).model, scenes.subset([position]))["mean_iou"]
        assert f"{name[-1]}{alone:.3f}1" in "".join(page.text.split())
    assert "Groups, the worst first" in page.text and "learning_rate" in page.text
    assert "/home/ann" not in text and "…/x.h5" in page.text and str(tmp_path) not in text
    assert len(text) < 500_000


@pytest.mark.once("torch")
def test_the_photos_of_the_page_are_the_worst_and_the_best(two, scenes, tmp_path):
    model = kseg.load(two[0]).model
    each = [kseg.evaluate(model, scenes.subset([i]))["mean_iou"] for i in range(5)]
    order = np.argsort(each)
    path = kseg.report(two[0], data=scenes, path=tmp_path / "page.html", images=2)
    shown = re.findall(r'data-name="([^"]+)"', path.read_text())
    assert shown == [scenes.ids[order[0]], scenes.ids[order[-1]]]
    text = Page(path).text
    assert f"{min(each):.3f}" in text and f"{max(each):.3f}" in text


@pytest.mark.once("torch")
def test_two_runs_side_by_side(two, scenes, tmp_path):
    path = kseg.report(*two, data=scenes, path=tmp_path / "page.html", images=2)
    page = Page(path).check()
    first, second = (kseg.evaluate(kseg.load(run).model, scenes)["mean_iou"] for run in two)
    assert f"{first:.3f} → {second:.3f}" in " ".join(page.text.split())
    assert path.read_text().count('class="pane"') == 2
    for pane in "01":
        assert path.read_text().count(f'data-layer="prediction" data-pane="{pane}"') == 2
    assert "run1 beside run2" in page.text
    other = made(
        tmp_path / "other", kseg.build_unet(2, width=2, depth=1, compile=False), kseg_two(), None
    )
    with pytest.raises(ValueError, match=r"other=.*expected a run of the classes of 'run1'"):
        kseg.report(two[0], other, path=tmp_path / "no.html")


def kseg_two():
    """Names, colours and void of two classes."""
    return type(
        "Source", (), {"class_names": ("a", "b"), "colors": ((0, 0, 0), (9, 9, 9)), "void": 255}
    )


@pytest.mark.once("torch")
def test_without_photos_the_page_says_what_is_missing_and_why(two, scenes, tmp_path, capsys):
    gone = {"spec": f"camvid:{tmp_path}/gone"}
    run = made(
        tmp_path / "run", kseg.build_unet(11, width=2, depth=1, compile=False), camvid_like(), gone
    )
    page = Page(kseg.report(run)).check()
    assert "The photos are not where they were" in page.text and str(tmp_path) not in page.text
    assert "Training" in page.text and page.tags.count("svg") == 2
    assert "There are no scores" in page.text
    scores = {
        "mean_iou": 0.25,
        "classes": {
            name: {"iou": 0.25, "dice": 0.4, "accuracy": 0.5, "precision": 0.5, "pixels": 7}
            for name in camvid_like().class_names
        },
    }
    (run / "evaluation.json").write_text(json.dumps(scores))
    assert main(["report", str(run), "--overwrite"]) == 0
    page = Page(run / "report.html").check()
    assert "0.250" in page.text and "Bicyclist" in page.text
    of_python = made(
        tmp_path / "python", kseg.build_unet(6, width=2, depth=1, compile=False), scenes
    )
    assert "made from Python" in Page(kseg.report(of_python)).text
    assert main(["report", str(of_python)]) == 2  # the page is there
    assert "--overwrite" in capsys.readouterr().err
    assert main(["report", str(of_python), "--palette", "0,0,0", "--overwrite"]) == 2
    assert "--data" in capsys.readouterr().err


def camvid_like():
    from kseg.data.readers.camvid import CLASSES

    members = {"class_names": tuple(CLASSES), "colors": tuple(CLASSES.values()), "void": 255}
    return type("Source", (), members)


@pytest.mark.once("torch")
def test_a_run_knows_its_own_data(two, tmp_path):
    path = kseg.report(two[0], path=tmp_path / "page.html", images=0, limit=2)
    page = Page(path).check()
    assert "2 of 100, evenly spread" in page.text and "shapes:32, split val" in page.text
    assert "samples of shapes/train and shapes/val were looked at" in " ".join(page.text.split())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": -1}, "images=-1"),
        ({"limit": 0}, "limit=0"),
        ({"group": "("}, r"group='\(': expected a pattern"),
        ({"group": "(zebra)"}, "zebra.*expected a pattern that is found in every name"),
    ],
)
def test_wrong_arguments_are_refused(two, scenes, tmp_path, given, said):
    with pytest.raises(ValueError, match=said):
        kseg.report(two[0], data=scenes, path=tmp_path / "page.html", **given)
    assert list(tmp_path.iterdir()) == []


def test_other_things_are_refused(two, tmp_path):
    with pytest.raises(TypeError, match="data="):
        kseg.report(two[0], data="shapes")
    with pytest.raises(FileNotFoundError, match="no run folder"):
        kseg.report(tmp_path)
    objects = kseg.data.shapes("val", count=1, instances=True)
    with pytest.raises(ValueError, match="is of task 'instance'"):
        kseg.report(two[0], data=objects, path=tmp_path / "page.html")


def test_borders_by_hand():
    label = np.zeros((1, 12), int)
    label[0, 6:] = 1
    wrong = np.zeros((1, 12), bool)
    wrong[0, [5, 3]] = True  # beside the border, and two pixels from it
    borders = Borders()
    borders.add(label, wrong, np.ones((1, 12), bool))
    borders.add(np.zeros((1, 4), int), np.ones((1, 4), bool), np.ones((1, 4), bool))  # no border
    assert borders.wrong.tolist() == [1, 0, 1, 0, 0, 0, 4]
    assert borders.pixels.tolist() == [2, 2, 4, 4, 0, 0, 4]
    assert borders.near() == pytest.approx(2 / 6)


def test_objects_by_hand():
    pytest.importorskip("pycocotools")
    masks = np.zeros((3, 20, 20), np.uint8)
    masks[0, :8, :8], masks[1, 10:14, 10:14], masks[2, 16:, 16:] = 1, 1, 1
    found = [masks[0].copy(), masks[1] * 0, masks[2]]
    found[0][:, 4:] = 0  # half of the first: IoU 0.5
    found[1][10:14, 2:6] = 1  # where nothing is
    predicted = type("Found", (), {})()
    predicted.each_mask = lambda: found
    predicted.scores, predicted.classes = np.array([0.95, 0.85, 0.15]), np.array([1, 0, 0])
    sample = {
        "masks": masks,
        "classes": np.array([0, 0, 1]),
        "crowd": np.array([False, False, True]),
    }
    seen = instance.Seen(type("Source", (), {"num_classes": 2, "class_names": ("a", "b")}))
    seen.add(sample, predicted)
    sizes = {name: (share, iou, n) for name, share, iou, n in seen.sizes() if n}
    assert sizes == {"to 8": (0.0, pytest.approx(np.nan, nan_ok=True), 1), "8-16": (1.0, 0.5, 1)}
    known = [each for each in seen.calibration({}) if each[0] == each[0]]
    # the one in the crowd is neither right nor wrong
    assert known == [(0.85, 0.0, 0.5), (0.95, 1.0, 0.5)]
    pairs, missed, extra = instance.matched(sample, found)
    assert (pairs, missed, extra) == ([(0, 0)], [1], [1])


def test_labels_of_several_classes_by_hand():
    label = np.zeros((4, 4, 2), np.uint8)
    label[:2, :, 0] = 1
    label[3, :, 1] = 255
    said = np.full((4, 4, 2), 0.1)
    said[:1, :, 0] = 0.9
    seen = multilabel.Seen(type("Source", (), {"num_classes": 2, "class_names": "ab", "void": 255}))
    seen.add({"label": label}, said)
    low, high = [each for each in seen.calibration({}) if each[0] == each[0]]
    assert low == pytest.approx((0.1, 4 / 24, 24 / 28)) and high == pytest.approx(
        (0.9, 1.0, 4 / 28)
    )
    assert multilabel.answer(said).sum() == 4
    source = SimpleNamespace(colors=np.array([(200, 0, 0), (0, 90, 250)]), void=255)
    both = np.repeat(label[..., :1], 2, axis=-1)  # the first class' pixels are of both
    both[3] = 255
    truth = several.truth(source, {"label": both}, (4, 4))
    assert truth[0, 0].tolist() == [100, 45, 125, 255] and truth[2, 0, 3] == 0
    given = {"confusion": [[[8, 0], [4, 4]], [[12, 0], [0, 0]]]}
    assert multilabel.confusion("ab", given)[2].tolist() == [[4, 4, 0, 8], [0, 0, 0, 12]]


@pytest.mark.once("torch")
def test_a_photo_without_labels_is_not_shown(two, scenes, tmp_path):
    empty = dataclasses.replace(
        scenes.subset([0, 1]),
        decode=lambda row: {**scenes.decode(row), "label": np.full((32, 48), scenes.void)},
    )
    path = kseg.report(two[0], data=empty, path=tmp_path / "page.html")
    assert "no photo has a score" in Page(path).check().text


@pytest.mark.once("torch")
def test_page_of_objects(rng, tmp_path, monkeypatch):
    pytest.importorskip("pycocotools")
    found = [detections(rng, (60, 80), count) for count in (2, 0, 3)]
    source = source_of(found)
    run = made(tmp_path / "run", kseg.build_unet(2, width=2, depth=1, compile=False), source)
    monkeypatch.setattr(kseg.Run, "load_model", lambda self: InstanceModel(found * 9))
    page = Page(kseg.report(run, data=source, images=2)).check()
    assert instance.confused("nothing there", "cell", 1234, 1300) == "1,234 cell where nothing is"
    assert instance.confused("cell", "missed", 1, 4) == "cell missed (25.0%)"
    assert instance.confused("cell", "speck", 1, 4) == "cell for speck (25.0%)"
    for word in ("mask AP50", "Objects found, by size", "nothing there", "Calibration"):
        assert word in page.text


@pytest.mark.once("torch")
def test_groups_are_folders_where_there_are_several(two, scenes, tmp_path):
    named = dataclasses.replace(scenes, ids=("a/1", "a/2", "b/1", "b/2", "b/3"))
    path = kseg.report(two[0], data=named, path=tmp_path / "page.html", images=0)
    text = "".join(Page(path).text.split())
    alone = kseg.evaluate(kseg.load(two[0]).model, scenes.subset([2, 3, 4]))["mean_iou"]
    assert "groupmeanIoUphotos" in text and f"b{alone:.3f}3" in text
    path = kseg.report(two[0], data=scenes, path=tmp_path / "none.html", images=0)
    assert "Groups, the worst first" not in Page(path).text


def test_paths_are_told_from_the_set(tmp_path, write_image):
    photo = write_image("my set/images/a.png", np.zeros((4, 4, 3), np.uint8))
    write_image("my set/masks/a.png", np.zeros((4, 4), np.uint8))
    root = tmp_path / "my set"
    source = kseg.data.folder(root / "images", root / "masks", ["a", "b"])
    places = Places([source])
    assert places(f"{str(photo)!r} is odd") == "'images/a.png' is odd"
    assert places("see https://a.b/c/d and /etc/x/hosts, or 3/4") == (
        "see https://a.b/c/d and …/hosts, or 3/4"
    )
    assert places(r"C:\Users\ann\x.png") == "…/x.png"


def test_pictures_shrink_where_there_are_many():
    assert side_for(4) == 720 and 200 <= side_for(200) < side_for(40) <= 720
    assert size_for((1000, 500), 100) == (100, 50)


def test_specs_of_other_tasks_are_opened_as_the_model_asks():
    assert DataSpec("shapes").for_task("instance").open("val").task == "instance"


def test_page_of_a_check_is_filtered_by_kind_and_named_throughout(scenes, tmp_path):
    from kseg.checks.findings import Finding, Report
    from kseg.reports.check import write_check

    report = kseg.check(scenes)
    odd = [
        Finding("unreadable", "error", scenes.name, "x", "y", ("a", "b"), ((scenes.name, 0),)),
        Finding("blank_photo", "warning", scenes.name, "x", "y", ("c",), ((scenes.name, 1),)),
    ]
    write_check(Report((*odd, *report.findings), report.sources), [scenes], tmp_path / "page.html")
    text, page = (tmp_path / "page.html").read_text(), Page(tmp_path / "page.html").check()
    assert re.findall(r'data-filter="(\w*)"', text) == [
        "",
        "error",
        "warning",
        "unreadable",
        "blank_photo",
    ]
    assert re.findall(r'data-kinds="([^"]+)"', text) == ["error unreadable", "warning blank_photo"]
    assert page.tags.count("dialog") == 1 and text.count('class="shot"') == 2 + 5


@pytest.mark.once("torch")
def test_page_of_several_classes_a_pixel(tmp_path):
    import multilabel_scenes

    source = multilabel_scenes.source_of(*multilabel_scenes.scenes(3))
    model = kseg.build_unet(source.num_classes, width=2, depth=1, multilabel=True, compile=False)
    run = made(tmp_path / "run", model, source)
    page = Page(kseg.report(run, data=source, images=2)).check()
    for word in ("labels right", "rightly absent", "Errors by distance", "Calibration"):
        assert word in page.text
    doubts = kseg.check_labels(model, source)
    assert doubts.samples == 3 and all(0 <= each.score <= 1 for each in doubts.rows)
