"""`kseg.evaluate` of an instance model, against pycocotools and by hand."""

import contextlib
import io
import json
import pickle

import keras
import numpy as np
import pytest
from instance_model import NAMES, InstanceModel, detections, source_of

import kseg
from kseg.data.writers.layouts import write_coco
from kseg.evaluation.evaluate import counted_of
from kseg.metrics.average_precision import NUMBERS

pytestmark = pytest.mark.once("torch")  # of stored detections: no backend computes

pytest.importorskip("pycocotools", reason="needs the extra coco")

SIZES = [(120, 160), (150, 90), (120, 160), (200, 210), (57, 133), (120, 160)]
COUNTS = (4, 3, 0, 6, 1, 5)


@pytest.fixture
def truth(rng):
    return [detections(rng, size, count) for size, count in zip(SIZES, COUNTS)]


def spoiled(rng, truth):
    """Detections with objects missed, moved, called something else, invented and doubled."""
    found = []
    for each in truth:
        kept = rng.random(len(each["scores"])) < 0.8
        more = detections(rng, each["size"], 2)
        again = slice(0, 1)
        parts = [{k: v[kept] for k, v in each.items() if k != "size"}, more]
        if kept.any():
            parts.append({k: v[again] for k, v in parts[0].items()})
        one = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
        one["boxes"] = one["boxes"] + rng.normal(0, 2, one["boxes"].shape).astype("float32")
        one["scores"] = rng.uniform(0.1, 1, len(one["scores"])).astype("float32")
        order = np.argsort(-one["scores"])
        one = {k: v[order] for k, v in one.items()}
        one["classes"] = np.where(
            rng.random(len(order)) < 0.2, (one["classes"] + 1) % 3, one["classes"]
        ).astype("int32")
        found.append({**one, "size": each["size"]})
    return found


def by_pycocotools(annotations, results):
    """The usual twelve numbers of boxes and of masks, from files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    stats = {}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        for kind in ("bbox", "segm"):
            found = json.loads(results.read_text())
            if kind == "segm":  # else the areas would be those of the boxes
                for each in found:
                    del each["bbox"]
            evaluator = COCOeval(truth, truth.loadRes(found), kind)
            evaluator.evaluate()
            evaluator.accumulate()
            evaluator.summarize()
            stats[kind] = [float("nan") if s == -1 else s for s in evaluator.stats]
    return stats


def test_perfect_detections_score_one(truth, capsys):
    for each in truth:  # surely found: 0.5 is where the panoptic map begins
        each["scores"] = 0.5 + each["scores"] / 2
    done = []
    scores = kseg.evaluate(InstanceModel(truth), source_of(truth), progress=done.append)
    for name in ("box_ap", "box_ap50", "mask_ap", "mask_ap75"):
        assert scores[name] == pytest.approx(1)
    assert scores["images"] == 6 and scores["objects"] == scores["detections"] == sum(COUNTS)
    assert scores["crowds"] == 0 and done == [1, 2, 3, 4, 5, 6]
    assert list(scores["classes"]) == list(NAMES)
    classes = np.concatenate([each["classes"] for each in truth])
    for class_id, row in enumerate(scores["classes"].values()):
        assert row["objects"] == np.count_nonzero(classes == class_id) > 0
        assert row["box_ap"] == row["mask_ap"] == pytest.approx(1)
    assert json.loads(json.dumps(scores))["mask_ap"] == scores["mask_ap"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("resize", [None, (90, 140)])
def test_scores_are_those_of_pycocotools_on_files(rng, truth, tmp_path, resize):
    crowd = [np.arange(count) == 2 for count in COUNTS]
    source = source_of(truth, crowd)
    model = InstanceModel(spoiled(rng, truth), resize=resize)
    scores = kseg.evaluate(model, source, batch_size=3, results=tmp_path / "new" / "found.json")
    write_coco(source, tmp_path / "images", tmp_path / "truth.json")
    stats = by_pycocotools(tmp_path / "truth.json", tmp_path / "new" / "found.json")
    for kind, name in (("bbox", "box"), ("segm", "mask")):
        np.testing.assert_allclose(
            [scores[f"{name}_{key}"] for key in NUMBERS], stats[kind], rtol=1e-12
        )
        assert 0.1 < scores[f"{name}_ap"] < 0.95
    assert scores["crowds"] == 4 and scores["objects"] == sum(COUNTS) - 4
    for name in ("box_ap", "mask_ap", "pq"):
        per_class = [row[name] for row in scores["classes"].values()]
        assert scores[name] == pytest.approx(np.mean(per_class))
    assert 0 < scores["pq"] < min(scores["sq"], scores["rq"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["found.json"]


def test_batch_size_does_not_matter(rng, truth, tmp_path):
    model, source = InstanceModel(spoiled(rng, truth)), source_of(truth)
    one, four = (
        kseg.evaluate(model, source, batch_size=n, results=tmp_path / f"{n}.json") for n in (1, 4)
    )
    for name in ("confusion", "protocol"):
        few, many = one.pop(name), four.pop(name)
        assert few == {**many, "batch_size": 1} if name == "protocol" else few == many
    by_class = zip(*(scores.pop("classes").values() for scores in (one, four)))
    for few, many in ((one, four), *by_class):
        assert few == pytest.approx(many, rel=1e-12, nan_ok=True)
    assert (tmp_path / "1.json").read_text() == (tmp_path / "4.json").read_text()


def test_ids_of_the_source_or_positions(truth, tmp_path):
    def ids(source):
        kseg.evaluate(InstanceModel(truth), source, results=tmp_path / "found.json")
        found = json.loads((tmp_path / "found.json").read_text())
        return [each["image_id"] for each in found], {each["category_id"] for each in found}

    images = [i for i, count in enumerate(COUNTS) for _ in range(count)]
    assert ids(source_of(truth)) == ([i + 1 for i in images], {1, 2, 3})
    named = source_of(truth, image_ids=(7, 5, 3, 11, 13, 2), category_ids=(3, 17, 18))
    assert ids(named) == ([named.image_ids[i] for i in images], {3, 17, 18})


def test_results_hold_what_predict_gives(truth, tmp_path):
    from pycocotools import mask as mask_api

    source, model = source_of(truth), InstanceModel(truth)
    kseg.evaluate(model, source, results=tmp_path / "found.json")
    found = [e for e in json.loads((tmp_path / "found.json").read_text()) if e["image_id"] == 4]
    expected = kseg.predict(model, source[3]["image"], min_score=0)
    assert len(found) == len(expected) == 6
    for each, box, score, mask in zip(found, expected.boxes, expected.scores, expected.masks):
        x, y, width, height = each["bbox"]
        np.testing.assert_allclose([x, y, x + width, y + height], box, rtol=1e-6)
        assert each["score"] == score
        np.testing.assert_array_equal(mask_api.decode(each["segmentation"]), mask)


@pytest.mark.once("torch")
def test_boxes_and_areas_of_the_annotation_file_are_the_truth(rng, truth, tmp_path):
    """Boxes of polygons, as in COCO, are not those of the masks' pixels."""
    source = source_of(truth)
    write_coco(source, tmp_path / "images", tmp_path / "truth.json")
    content = json.loads((tmp_path / "truth.json").read_text())
    for each in content["annotations"][:-2]:
        x, y, width, height = each["bbox"]
        each["bbox"] = [x + 1.5, y + 2.25, max(2, width - 4), max(2, height - 5.5)]
        each["area"] *= 0.6
    del content["annotations"][-1]["bbox"], content["annotations"][-2]["area"]
    (tmp_path / "truth.json").write_text(json.dumps(content))
    read = kseg.data.coco(tmp_path / "images", tmp_path / "truth.json", instances=True)
    scores = kseg.evaluate(InstanceModel(truth), read, results=tmp_path / "found.json")
    whole = [each["bbox"] + [each["area"]] for each in content["annotations"][:-2]]
    stated = np.concatenate([read.annotated(index) for index in range(len(read))])
    np.testing.assert_array_equal(stated[:-2], whole)
    assert np.isnan(stated[-1, :4]).all() and np.isnan(stated[-2, 4])
    for each in content["annotations"][-2:]:  # by the masks
        each.setdefault("area", area_of(each["segmentation"]))
        each.setdefault("bbox", box_of(each["segmentation"]))
    (tmp_path / "truth.json").write_text(json.dumps(content))
    stats = by_pycocotools(tmp_path / "truth.json", tmp_path / "found.json")
    for kind, name in (("bbox", "box"), ("segm", "mask")):
        numbers = [scores[f"{name}_{key}"] for key in NUMBERS]
        np.testing.assert_allclose(numbers, stats[kind], rtol=1e-12)
    assert scores["box_ap"] < 0.9 < scores["mask_ap"]
    part = read.subset([3, 1])
    np.testing.assert_array_equal(part.annotated(0), read.annotated(3))


def area_of(runs):
    from pycocotools import mask as mask_api

    return int(mask_api.area([runs])[0])


def box_of(runs):
    from pycocotools import mask as mask_api

    return mask_api.toBbox([runs])[0].tolist()


def test_annotations_of_other_objects_are_refused(truth):
    source = source_of(truth, annotated=lambda index: np.ones((99, 5)))
    with pytest.raises(ValueError, match="expected 99, as Source.annotated says"):
        kseg.evaluate(InstanceModel(truth), source)


def squares(*corners, scores=None, classes=None, size=(64, 64)):
    """Filled squares of 16 x 16 pixels as detections, all of class 0 and sure."""
    count = len(corners)
    boxes = np.array([[x, y, x + 16, y + 16] for x, y in corners], np.float32).reshape(-1, 4)
    return {
        "boxes": boxes,
        "classes": np.array(classes or [0] * count, np.int32),
        "scores": np.array(scores or [0.9] * count, np.float32),
        "masks": np.ones((count, 28, 28), np.float32),
        "size": size,
    }


def quality(found, truth, crowd=None):
    scores = kseg.evaluate(InstanceModel([found]), source_of([truth], crowd))
    return scores["classes"]["cat"]


def test_panoptic_quality_of_squares():
    # One found exactly, one missed: RQ = 1 / (1 + 1/2).
    row = quality(squares((0, 0)), squares((0, 0), (32, 32)))
    assert (row["sq"], row["rq"]) == (1, pytest.approx(2 / 3))
    # The copy of a lower score is hidden by the first and drops out: no error. The average
    # precision does not see it either, for recall is complete before it.
    row = quality(squares((0, 0), (1, 0), scores=[0.9, 0.8]), squares((0, 0)))
    assert row["pq"] == 1 and row["mask_ap"] == pytest.approx(1)
    # Unsure: it has no place in the panoptic map.
    row = quality(squares((0, 0), (32, 32), scores=[0.9, 0.4]), squares((0, 0)))
    assert row["pq"] == 1
    # Sure and wrong: RQ = 1 / (1 + 1/2).
    row = quality(squares((0, 0), (32, 32), scores=[0.9, 0.6]), squares((0, 0)))
    assert row["pq"] == pytest.approx(2 / 3)


def test_panoptic_quality_of_crowds():
    truth = squares((0, 0), (32, 32))
    crowd = [[False, True]]
    row = quality(squares((0, 0)), truth, crowd)  # the crowd need not be found
    assert (row["pq"], row["objects"]) == (1, 1)
    row = quality(squares((0, 0), (34, 34), scores=[0.9, 0.8]), truth, crowd)  # nor does it harm
    assert row["pq"] == 1 and row["mask_ap"] == pytest.approx(1)


def test_the_smaller_of_two_true_objects_lies_on_top():
    # A cup on a table: found exactly, of a higher score; the table then loses what the cup hides.
    table = {**squares((0, 0)), "boxes": np.array([[0, 0, 60, 60]], np.float32)}
    cup = squares((20, 20))
    both = {k: np.concatenate([table[k], cup[k]]) for k in table if k != "size"}
    found = {k: v[::-1].copy() for k, v in both.items()}
    row = quality({**found, "size": (64, 64)}, {**both, "size": (64, 64)})
    assert row["pq"] == 1


@pytest.mark.once("torch")
def test_scores_of_each_photo_are_those_that_it_has_alone(rng, truth):
    crowd = [np.arange(count) == 2 for count in COUNTS]
    source = source_of(truth, crowd)
    model = InstanceModel(spoiled(rng, truth))
    scores = kseg.evaluate(model, source, batch_size=3, per_image=True)
    assert [each["name"] for each in scores["per_image"]] == list(source.ids)
    for index, each in enumerate(scores["per_image"]):
        alone = kseg.evaluate(model, source.subset([index]))
        assert {**each, "name": ""} == {
            "name": "",
            **{name: pytest.approx(alone[name], nan_ok=True) for name in each if name in alone},
            **{name: each[name] for name in ("found", "invented", "missed")},
        }
        assert each["found"] + each["missed"] == each["objects"]
    confusion = np.array(scores["confusion"])
    assert confusion[:3].sum() == scores["objects"]
    found = sum(each["found"] for each in scores["per_image"])
    assert found == np.trace(confusion[:3, :3])


def test_what_objects_are_found_as():
    truth = squares((0, 0), (20, 0), (40, 0), classes=[0, 1, 2])
    found = squares((0, 0), (20, 0), (40, 40), classes=[0, 2, 1], scores=[0.9, 0.8, 0.7])
    scores = kseg.evaluate(InstanceModel([found]), source_of([truth]))
    #                             cat dog bird nothing
    assert scores["confusion"] == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
    assert scores["nuclei_ap"] == pytest.approx(1 / 3) == scores["pq"]
    surer = kseg.evaluate(InstanceModel([found]), source_of([truth]), min_score=0.75)
    assert surer["confusion"][3] == [0, 0, 0, 0] and surer["box_ap"] == scores["box_ap"]


def test_as_many_detections_count_as_the_model_finds():
    corners = [(8 * (i % 16), 8 * (i // 16)) for i in range(150)]
    many = {
        "boxes": np.array([[x, y, x + 6, y + 6] for x, y in corners], np.float32),
        "classes": np.zeros(150, np.int32),
        "scores": np.linspace(0.9, 0.6, 150, dtype=np.float32),
        "masks": np.ones((150, 28, 28), np.float32),
        "size": (90, 130),
    }
    model, source = InstanceModel([many]), source_of([many])
    scores = kseg.evaluate(model, source, max_detections=150)
    assert scores["box_ap"] == scores["mask_ap"] == scores["mask_ar"] == pytest.approx(1)
    model.settings = type("Settings", (), {"detections": 200})()
    assert kseg.evaluate(model, source)["max_detections"] == 200
    del model.settings
    with pytest.warns(UserWarning, match="max_detections=150"):
        assert kseg.evaluate(model, source)["mask_ap"] == pytest.approx(0.663, abs=1e-3)


def test_nothing_of_masks_is_kept(rng):
    """What is kept of a photo is as large whatever its masks are, as ragged ones of many runs."""
    plain = squares((0, 0), (20, 20), (40, 40))
    ragged = {**plain, "masks": rng.random(plain["masks"].shape).astype("float32")}
    sizes = []
    for truth in (plain, ragged):
        model, source = InstanceModel([truth] * 3), source_of([truth] * 3)
        given = dict.fromkeys(("detections", "overlap", "min_score", "max_detections", "results"))
        sizes.append(len(pickle.dumps(counted_of(model, source, given, 1, None)[-1])))
    assert sizes[0] == sizes[1] < 3 * 4000


def test_a_photo_without_objects_and_nothing_found():
    nothing = squares()
    scores = kseg.evaluate(InstanceModel([nothing]), source_of([nothing]))
    assert scores["objects"] == scores["detections"] == 0
    assert np.isnan([scores["box_ap"], scores["mask_ap"], scores["pq"], scores["sq"]]).all()


class TestMistakes:
    def test_the_task(self, truth):
        with pytest.raises(ValueError, match="instances=True"):
            kseg.evaluate(InstanceModel(truth), kseg.data.shapes("val", count=1))
        image = keras.Input((None, None, 3))
        with pytest.raises(ValueError, match="instances=False"):
            kseg.evaluate(keras.Model(image, image), source_of(truth))

    def test_the_classes(self, truth):
        with pytest.raises(ValueError, match="5 classes but 'made' has 3"):
            kseg.evaluate(InstanceModel(truth, num_classes=5), source_of(truth))

    def test_options_of_the_other_task(self, truth):
        with pytest.raises(ValueError, match="surface=True is of semantic models"):
            kseg.evaluate(InstanceModel(truth), source_of(truth), surface=True)
        image = keras.Input((None, None, 3))
        with pytest.raises(ValueError, match="detections=3 is of instance models"):
            kseg.evaluate(keras.Model(image, image), source_of(truth), detections=3)

    def test_without_pycocotools(self, truth, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
        with pytest.raises(ImportError, match=r"extra coco.*\[coco\]"):
            kseg.evaluate(InstanceModel(truth), source_of(truth))

    def test_a_failure_leaves_no_file(self, truth, tmp_path, monkeypatch):
        def fail(*_):
            raise OSError("disk full")

        monkeypatch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="disk full"):
            kseg.evaluate(InstanceModel(truth), source_of(truth), results=tmp_path / "f.json")
        assert list(tmp_path.iterdir()) == []


def test_a_coco_set_keeps_its_own_numbers(truth, tmp_path):
    """From COCO's files, and from records of them, to a result file that fits the former."""
    source = source_of(truth, image_ids=(70, 50, 30, 110, 130, 20), category_ids=(3, 17, 18))
    write_coco(source, tmp_path / "images", tmp_path / "truth.json")
    read = kseg.data.coco(tmp_path / "images", tmp_path / "truth.json", instances=True)
    assert (read.image_ids, read.category_ids) == (source.image_ids, source.category_ids)
    again = kseg.data.records(kseg.data.write_records(read, tmp_path / "records"))
    part = again.subset([4, 1])
    assert again.image_ids == source.image_ids and part.image_ids == (130, 50)
    kseg.evaluate(InstanceModel(truth), again, results=tmp_path / "found.json")
    stats = by_pycocotools(tmp_path / "truth.json", tmp_path / "found.json")
    assert stats["segm"][0] == stats["bbox"][0] == pytest.approx(1)
