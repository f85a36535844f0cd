"""`kseg.robustness`: the same numbers as `kseg.evaluate` of each changed set, kept and shown."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from instance_model import source_of

import kseg
from kseg.evaluation.groups import groups_of
from kseg.reports.robustness import write_robustness
from kseg.shifts.classes import mapped
from kseg.shifts.conditions import conditions, made

pytestmark = pytest.mark.once("torch")  # the scores themselves are kseg.evaluate's

FEW = {"corruptions": ("fog", "rain"), "severities": (1, 5), "scales": (0.5,), "exposures": (2,)}
SCORED = "kseg.shifts.robustness.evaluate"


@pytest.fixture(scope="module")
def model():
    return kseg.build_unet(6, width=2, depth=1, compile=False)


def val(count=3):
    return kseg.data.shapes("val", size=(32, 32), count=count)


@pytest.fixture
def scored(monkeypatch):
    """Names of the sets that are scored, in place of the scoring: each photo has its own score."""
    names = []

    def evaluate(model, source, per_image, group):
        names.append(source.name)
        share = 2 if "," in source.name else 1
        own = [(0.9 - 0.1 * int(name[-1])) / share for name in source.ids]
        score = float(np.mean(own))
        found = {"mean_iou": score, "images": len(source)}
        found["classes"] = {name: {"iou": score} for name in source.class_names}
        found["per_image"] = [{"mean_iou": each} for each in own]
        if group is not None:
            by = {}
            for name, each in zip(groups_of(group, source), own):
                by.setdefault(name, []).append(each)
            found["groups"] = {
                name: {"images": len(each), "mean_iou": float(np.mean(each))}
                for name, each in by.items()
            }
        return found

    monkeypatch.setattr(SCORED, evaluate)
    return names


def test_numbers_are_those_of_evaluate(model):
    source = val(2)
    found = kseg.robustness(model, source, **FEW, worst=2, group=r"(\d)$")
    assert found["clean"] == kseg.evaluate(model, source)["mean_iou"]
    foggy = kseg.evaluate(model, kseg.data.corrupted(source, "fog", 5, seed=0))
    assert found["corruptions"]["fog"]["severities"]["5"] == foggy["mean_iou"]
    small = kseg.evaluate(model, kseg.data.rescaled(source, 0.5))["mean_iou"]
    assert found["scales"] == {"0.5": small}
    assert found["exposures"] == {
        "2": kseg.evaluate(model, kseg.data.exposed(source, 2))["mean_iou"]
    }
    first = [each for each in found["worst"] if each["condition"] == "clean"][0]
    alone = [kseg.evaluate(model, source.subset([i]))["mean_iou"] for i in range(2)]
    assert first["score"] == min(alone) and first["index"] == int(np.argmin(alone))
    assert found["scenes"] == {str(i): {"images": 1, "score": alone[i]} for i in range(2)}
    hard = [each for each in found["worst"] if each["condition"] != "clean"]
    assert [kseg.evaluate(model, changed(source, each))["mean_iou"] for each in hard] == [
        each["score"] for each in hard
    ]


def changed(source, row):
    """The one photo that is spoken of, as it was seen."""
    return made(source, row["condition"], 0).subset([row["index"]])


def test_each_condition_is_scored_once(model, scored):
    """Scenes and the worst photos are of the same scoring."""
    found = kseg.robustness(model, val(), **FEW, group=r"(\d)$", worst=3)
    assert len(scored) == 7 and len(found["worst"]) == 3 and len(found["scenes"]) == 3


def test_means_scenes_and_the_worst(model, scored):
    found = kseg.robustness(model, val(), **FEW, group=r"(\d)$", worst=3)
    np.testing.assert_allclose(found["clean"], 0.8)
    assert not found["corruptions"]["rain"]["common"]  # so it is not in the mean
    np.testing.assert_allclose([found["mean_corrupted"], found["retained"]], [0.4, 0.5])
    assert found["worst_scene"] == "2" and found["scenes"]["2"] == {"images": 1, "score": 0.7}
    listed = [(each["id"][-1], each["condition"]) for each in found["worst"]]
    assert listed == [("2", "clean"), ("1", "clean"), ("2", "fog 1")]
    titles = [table.headings[0] for table in found.tables]
    assert titles == ["corruption, worst first", "scale", "exposure", "scene, worst first", "class"]
    assert found.tables[0].rows[0] == ("fog", "0.400", "0.400", "0.400")


def test_it_goes_on_where_it_was_stopped(model, scored, tmp_path):
    file, stopped = tmp_path / "kept.json", []

    def stop(done, total, name):
        stopped.append((done, total, name))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kseg.robustness(model, val(), **FEW, file=file, worst=0, progress=stop)
    assert stopped[:2] == [(0, 7, "clean"), (1, 7, "fog 1")]
    assert scored == ["shapes/val", "shapes/val, fog 1", "shapes/val, fog 5"]
    scored.clear()
    found = kseg.robustness(model, val(), **FEW, file=file, worst=0)
    assert scored == [
        f"shapes/val, {key}" for key in ("rain 1", "rain 5", "scale 0.5", "exposure 2")
    ]
    assert found == kseg.robustness(model, val(), **FEW, worst=0)
    with pytest.raises(ValueError, match="Its seed differ. .* overwrite=True"):
        kseg.robustness(model, val(), **FEW, file=file, seed=1)
    other = kseg.build_unet(6, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match="Its model differ."):
        kseg.robustness(other, val(), **FEW, file=file)
    kseg.robustness(other, val(), **FEW, file=file, overwrite=True)


def test_scenes_of_another_grouping_are_others(model, scored, tmp_path):
    """Both groupings call a scene "0", of other photos."""
    given = {**FEW, "corruptions": (), "file": tmp_path / "kept.json", "worst": 0}
    single = kseg.robustness(model, val(), **given, group=r"(\d)$")["scenes"]["0"]
    whole = kseg.robustness(model, val(), **given, group=r"-(0)")["scenes"]["0"]
    assert (single["images"], whole["images"]) == (1, 3) and single["score"] != whole["score"]


def test_rows_for_a_spreadsheet(model, scored, tmp_path):
    found = kseg.robustness(model, val(2), **FEW, group=r"(\d)$", worst=1)
    found.write_csv(tmp_path / "scores.csv")
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert [row["group"] for row in rows] == [
        *("clean", *["corruption"] * 4, "scale", "exposure", "scene", "scene", "photo")
    ]
    by_row = {(row["name"], row["amount"]): float(row["mean_iou"]) for row in rows}
    assert by_row["fog", "5"] == found["corruptions"]["fog"]["severities"]["5"]
    assert json.loads(json.dumps(found))["clean"] == found["clean"]


def test_a_page_shows_the_worst_first(model, tmp_path):
    source = val(2)
    options = {**FEW, "corruptions": ("fog",), "severities": (5,), "scales": ()}
    found = kseg.robustness(model, source, **options, worst=2)
    write_robustness(found, model, source, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure><img alt=") == 2 * 4  # photo, truth, prediction, error
    assert page.index("<h2>The worst photos") < page.index("<h2>corruption, worst first")
    assert f"{found['worst'][0]['id']}, clean: mean_iou" in page
    assert "http:" not in page and "https:" not in page


def test_objects(model):
    pytest.importorskip("pycocotools")
    from instance_model import InstanceModel, detections

    found = [detections(np.random.default_rng(i), (48, 64), 3) for i in range(2)]
    source = source_of(found)
    scored = kseg.robustness(
        InstanceModel(found), source, corruptions=[], scales=[], exposures=[], worst=0
    )
    assert scored["score"] == "mask_ap" and scored["clean"] > 0.5
    assert np.isnan(scored["mean_corrupted"])


def test_classes_of_another_set():
    source, names = val(1), ("background", "round", "angular")
    label = source[0]["label"]
    to = {"disk": "round", "ring": "round", "square": "angular", "triangle": None}
    found = mapped(source, names, to)
    expected = np.array([0, 1, 1, 2, 255, 255])[label]  # cross is none of the model's
    np.testing.assert_array_equal(found[0]["label"], expected)
    assert found.class_names == names and mapped(source, names, None) is source
    np.testing.assert_array_equal(mapped(source, names, {})[0]["label"], np.where(label, 255, 0))
    for given, message in (
        ({"disc": "round"}, "'disc'"),
        ({"disk": "flat"}, "a class of the model"),
    ):
        with pytest.raises(ValueError, match=message):
            mapped(source, names, given)
    with pytest.raises(ValueError, match="left to score"):
        mapped(source, ("a", "b"), {})


def test_another_set_is_scored_in_the_classes_of_the_model(scored):
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    found = kseg.robustness(model, val(), **FEW, class_map={"background": "0", "disk": "1"})
    assert list(found["classes"]) == ["0", "1"]
    with pytest.raises(ValueError, match="2 classes"):
        kseg.robustness(model, val(), **FEW)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"corruptions": "fog"}, TypeError, "corruptions='fog': expected a list. .*'fog'"),
        ({"corruptions": ["foggy"]}, ValueError, "corruptions='foggy'"),
        ({"severities": [0]}, ValueError, "severities=0"),
        ({"scales": [0]}, ValueError, "scales=0"),
        ({"exposures": [-1]}, ValueError, "exposures=-1"),
        ({"images": 0}, ValueError, "images=0"),
        ({"worst": -1}, ValueError, "worst=-1"),
        ({"worst": 101}, ValueError, "worst=101"),
        ({"group": "(.)(.)"}, ValueError, "group='.*one group in parentheses"),
        ({"group": "folder"}, ValueError, "group='folder': .* in several folders"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"source": "val"}, TypeError, "source='val'"),
        ({"model": 3}, TypeError, "model=3"),
    ],
)
def test_refused(model, scored, given, error, message):
    with pytest.raises(error, match=message):
        kseg.robustness(**{"model": model, "source": val(), **FEW, **given})
    assert scored == []


def test_jpeg_is_left_out_of_photos_that_it_cannot_hold():
    source = val()
    deep = dataclasses.replace(source, value_range=(0, 4095))
    names = {each.name for each in conditions(deep, None, (1,), (), ())}
    assert len(names) == 1 + 16 and "jpeg_compression" not in names
    with pytest.raises(ValueError, match="JPEG holds 1 or 3"):
        conditions(deep, ["jpeg_compression"], (1,), (), ())
