"""Every kind of fault, put into clean sets of three layouts: each is found and its file named."""

import dataclasses
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from faulty_sets import FAULTS, SIZE, SPLITS, Layout

import kseg
from kseg.checks import one_sample, unreadable
from kseg.checks.findings import KINDS, Finding
from kseg.checks.open_splits import open_splits
from kseg.data import bad_files, decode, errors
from kseg.data.readers.shapes import CLASS_NAMES
from kseg.data.spec import DataSpec
from kseg.data.writers.layouts import write_cityscapes, write_coco, write_voc
from kseg.reports.check import write_check

pytestmark = pytest.mark.backends("tensorflow", reason="reads files, whatever the backend")


@pytest.fixture(scope="module", params=["folder", "camvid", "colors"])
def layout(request, tmp_path_factory):
    """A clean set, two samples of "train" for each fault."""
    made = Layout(request.param, tmp_path_factory.mktemp("sets") / request.param)
    made.write(2 * len(FAULTS))
    return made


@pytest.fixture(scope="module")
def harmed(layout, tmp_path_factory):
    """The path at fault and the samples concerned by fault, and the report on all of them."""
    root = tmp_path_factory.mktemp("harmed") / layout.kind
    shutil.copytree(layout.root, root)
    paths, concerned = {}, {}
    for position, (fault, (_, harm, *only)) in enumerate(FAULTS.items()):
        if not only or layout.kind in only[0]:
            here = dataclasses.replace(layout, root=root, bad=2 * position, other=2 * position + 1)
            paths[fault] = harm(here)
            partner = "val01" if fault == "photo of another split" else f"train{here.other:02}"
            concerned[fault] = {paths[fault].stem, partner}
    return paths, concerned, kseg.check(*opened(layout, root))


def opened(layout, root):
    return [dataclasses.replace(layout, root=root).open(split) for split in SPLITS]


def root_of(paths, layout):
    """The folder of the harmed set."""
    return paths["truncated photo"].parents[1 if layout.kind == "camvid" else 2]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_its_file_named(harmed, fault):
    paths, concerned, report = harmed
    if fault not in paths:
        pytest.skip("not a fault in this layout")
    expected = set(FAULTS[fault][0].split())
    path = str(paths[fault])
    found = {finding.kind for finding in report.findings if path in finding.files}
    assert found and found <= expected
    finding = next(f for f in report.findings if path in f.files)
    said = finding.remedy or finding.message.split(": expected", 1)[-1].partition(". ")[2]
    assert finding.severity == KINDS[finding.kind][0] and said
    assert "\n" not in finding.message
    if expected & {"duplicate_photo", "near_duplicate", "shared_photo", "duplicate_mask"}:
        named = {Path(file).stem for f in report.findings for file in f.files}
        assert concerned[fault] <= named
    if fault == "same file":
        assert "are the same file" in finding.message


def test_no_sound_file_is_blamed(harmed):
    _, concerned, report = harmed
    harmed_samples = set().union(*concerned.values())
    for finding in report.findings:
        if finding.kind != "absent_class":  # three samples of "val" do not show all
            assert {Path(file).stem for file in finding.files} <= harmed_samples, finding


def test_nothing_is_found_in_a_clean_set(layout):
    report = kseg.check(*(layout.open(split) for split in SPLITS))
    assert not [f for f in report.findings if f.kind != "absent_class" or "train" in f.source]


# Words that a check once went by
NONSENSE = "differ in size: a colour mask, but ids, is no class, and 'val' does not exist"


def forget_graphs():
    """Of decoders that are `built_once`: the next use builds them with the words of then."""
    for function in vars(decode).values():
        if hasattr(function, "graph"):
            function.graph.cache_clear()


@pytest.fixture
def reworded(monkeypatch):
    """Every sentence about data becomes `NONSENSE`; kinds, subjects and remedies stay."""
    create, pack = errors.DataError.__init__, errors.packed

    def created(self, kind, subject, message, remedy=""):
        create(self, kind, subject, NONSENSE, remedy)

    def seen(function):
        def reword(*arguments):
            kind, sentence = function(*arguments)
            return kind, sentence and NONSENSE

        return reword

    monkeypatch.setattr(errors.DataError, "__init__", created)
    monkeypatch.setattr(errors, "packed", lambda k, s, _, remedy: pack(k, s, NONSENSE, remedy))
    monkeypatch.setattr(errors, "own_words", lambda text: NONSENSE)
    for module in (unreadable, bad_files):
        monkeypatch.setattr(module, "size_mismatch", lambda *arguments: NONSENSE)
    monkeypatch.setattr(one_sample, "wrong_values", seen(one_sample.wrong_values))
    for name in ("wrong_values", "wrong_colors"):
        monkeypatch.setattr(unreadable, name, seen(getattr(unreadable, name)))
    forget_graphs()
    yield
    forget_graphs()


@pytest.fixture
def sets_of_objects(tmp_path, write_image):
    """Sources of instances whose errors arise in TensorFlow's graph alone."""
    labels = kseg.data.shapes("val", count=3, size=SIZE)
    things = kseg.data.shapes("val", count=3, size=SIZE, instances=True)
    write_voc(labels, tmp_path / "voc", "train", things)
    write_coco(things, tmp_path / "coco", tmp_path / "coco.json")
    write_cityscapes(labels, tmp_path / "city", "train", things)
    ids = labels.ids
    write_image(f"voc/SegmentationObject/{ids[0]}.png", np.ones((9, 9), np.uint8))
    write_image(f"voc/SegmentationClass/{ids[1]}.png", np.zeros(SIZE, np.uint8))
    write_image(f"coco/{ids[1]}.png", np.ones((9, 9, 3), np.uint8))
    folder = "city/gtFine/train/kseg/kseg_00000"
    write_image(f"{folder}2_000000_gtFine_instanceIds.png", np.full(SIZE, 40_001, np.uint16))
    return [
        kseg.data.voc(tmp_path / "voc", instances=True),
        kseg.data.coco(tmp_path / "coco", tmp_path / "coco.json", instances=True),
        kseg.data.cityscapes(tmp_path / "city", instances=True),
    ]


@pytest.mark.slow
def test_rewording_changes_no_finding_of_the_graph(sets_of_objects, request):
    def findings():
        return [kseg.check(source, duplicates=False).errors for source in sets_of_objects]

    before = findings()
    assert [[(f.kind, f.samples[0][1]) for f in each] for each in before] == [
        [("unreadable", 1), ("size_mismatch", 0)],
        [("size_mismatch", 1)],
        [("unreadable", 2)],
    ]
    files = [Path(f.files[0]).parent.name for each in before for f in each]
    assert files == ["SegmentationObject", "SegmentationObject", "coco", "kseg"]
    request.getfixturevalue("reworded")
    for one, other in zip(before, findings()):
        assert without_sentences(other) == without_sentences(one)
        assert all(NONSENSE in finding.message for finding in other)


def without_sentences(findings):
    return [dataclasses.replace(finding, message="") for finding in findings]


def test_rewording_every_message_changes_no_finding(harmed, layout, reworded):
    paths, _, report = harmed
    again = kseg.check(*opened(layout, root_of(paths, layout)))
    assert without_sentences(again.findings) == without_sentences(report.findings)
    kinds = {finding.kind for finding in again.findings if NONSENSE in finding.message}
    assert kinds >= {"unreadable", "size_mismatch", "unknown_id"}


@pytest.fixture
def refused_sets(tmp_path, pair_folders):
    """Named sets that have no "test", and of which a reader refuses a split or the whole."""
    labels = [kseg.data.shapes(split, count=2) for split in SPLITS]
    things = [kseg.data.shapes(split, count=2, instances=True) for split in SPLITS]
    for split, label, thing in zip(SPLITS, labels, things):
        write_voc(label, tmp_path / "voc", split)
        annotations = tmp_path / "coco" / "annotations" / f"instances_{split}.json"
        write_coco(thing, tmp_path / "coco" / split, annotations)
        kseg.data.write_records(label, tmp_path / "records" / split)
    (tmp_path / "voc/ImageSets/Segmentation/val.txt").write_text("")
    (tmp_path / "coco/annotations/instances_train.json").write_text("{")
    (tmp_path / "coco/annotations/instances_val.json").unlink()
    (tmp_path / "records/train/source.json").unlink()
    (tmp_path / "records/val/source.json").write_text("{}")
    (pair_folders() / "masks/p3.png").unlink()
    kinds = {"voc": "voc", "coco": "coco", "records": "records", "folder": "set"}
    return {kind: DataSpec(f"{kind}:{tmp_path / name}") for kind, name in kinds.items()}


def test_rewording_changes_nothing_of_what_is_refused(refused_sets, request):
    expected = {  # sources that could be opened; kind and place of each refusal
        "voc": (1, ["voc/val"]),
        "coco": (0, ["coco/train, coco/val"]),
        "records": (0, ["records/train", "records/val"]),
        "folder": (2, ["folder/train, folder/val"]),  # with all but the photo without a mask
    }

    def refusals():
        result = {kind: open_splits(spec) for kind, spec in refused_sets.items()}
        places = {
            kind: (len(sources), [finding.source for finding in findings])
            for kind, (sources, findings) in result.items()
        }
        assert places == expected
        return [finding for _, findings in result.values() for finding in findings]

    before = refusals()
    request.getfixturevalue("reworded")
    after = refusals()
    assert without_sentences(after) == without_sentences(before)
    assert {finding.message for finding in after} == {NONSENSE}


class Checker(HTMLParser):
    """Every tag is closed in order; nothing is loaded from elsewhere."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self):
        super().__init__()
        self.open, self.images, self.text = [], 0, ""

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href"):
                assert value.startswith(("data:image/", "#"))
                self.images += value.startswith("data:image/jpeg")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page(harmed, tmp_path, layout):
    paths, _, report = harmed
    sources = opened(layout, root_of(paths, layout))
    odd = Finding("unreadable", "error", "x", "'<b>&.png' is <odd>", "Replace.", ("<b>&.png",))
    report = dataclasses.replace(report, findings=(odd, *report.findings))
    write_check(report, sources, tmp_path / "deep" / "page.html")
    checker = Checker()
    checker.feed((tmp_path / "deep" / "page.html").read_text(encoding="utf-8"))
    assert not checker.open and checker.images > 20
    assert str(tmp_path.parent) not in (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert "'<b>&.png' is <odd>" in checker.text
    for word in ("jpeg_mask", "suggested training size", "class_weight", CLASS_NAMES[1]):
        assert word in checker.text or layout.kind == "camvid"
    json.dumps(report.to_dict(), allow_nan=False)
