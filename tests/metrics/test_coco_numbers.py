"""All twelve numbers of COCO, of boxes and of masks, equal to pycocotools'."""

import contextlib
import io

import numpy as np
import pytest

from kseg.data.coco_format.results import of_mask
from kseg.metrics import AveragePrecision, average_precision
from kseg.metrics.average_precision import NUMBERS

pytest.importorskip("pycocotools", reason="needs the extra coco")

CATEGORIES = (3, 7, 11)
SIZE = 130


def objects(rng, count, image):
    """Rectangles of every size, some doubled, as annotations of an image."""
    listed = []
    for _ in range(count):
        x, y = rng.integers(0, SIZE - 8, 2)
        width, height = (min(int(v), SIZE - p) for v, p in zip(rng.integers(4, 120, 2), (x, y)))
        box = [int(x), int(y), width, height]
        listed.append({"image_id": image, "category_id": int(rng.choice(CATEGORIES)), "bbox": box})
    return listed + [dict(each) for each in listed[3:4]]


def drawn(entry):
    x, y, width, height = entry["bbox"]
    mask = np.zeros((SIZE, SIZE))
    mask[y : y + height, x : x + width] = 1
    return of_mask(mask)


def scene(seed, images=6, ties=True):
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for image in range(images, 0, -1):
        known = objects(rng, int(rng.integers(0, 14)), image * 5) if image > 1 else []
        for each in known:
            area = each["bbox"][2] * each["bbox"][3] * rng.choice([1, 0.8])
            own = {"segmentation": drawn(each), "area": float(area)}
            truth.append({**each, **own, "iscrowd": int(rng.random() < 0.1)})
        for each in [*known, *objects(rng, 5, image * 5)]:
            if rng.random() < 0.8:
                x, y, width, height = each["bbox"]
                moved = [max(0, x + int(rng.integers(-3, 3))), y, max(2, width - 2), height]
                score = rng.integers(1, 9) / 9 if ties else rng.random()
                each = {**each, "bbox": moved, "score": float(score)}
                found.append({**each, "segmentation": drawn(each)})
    return truth, found


def by_pycocotools(truth, found, kind, most):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        ids = sorted({each["image_id"] for each in [*truth, *found]})
        coco.dataset = {
            "images": [{"id": i, "height": SIZE, "width": SIZE} for i in ids],
            "categories": [{"id": i} for i in CATEGORIES],
            "annotations": [{**each, "id": i} for i, each in enumerate(truth, 1)],
        }
        coco.createIndex()
        if kind == "segm":  # else the areas would be those of the boxes
            found = [{k: v for k, v in each.items() if k != "bbox"} for each in found]
        evaluator = COCOeval(coco, coco.loadRes([dict(each) for each in found]), kind)
        evaluator.params.maxDets = [1, 10, most]
        evaluator.evaluate()
        evaluator.accumulate()
    precision, recall = evaluator.eval["precision"], evaluator.eval["recall"]

    def mean(values):
        return values[values > -1].mean() if (values > -1).any() else np.nan

    best = precision[..., -1]
    expected = [mean(best[..., 0]), mean(best[0, ..., 0]), mean(best[5, ..., 0])]
    expected += [mean(best[..., area]) for area in (1, 2, 3)]
    expected += [mean(recall[..., 0, most]) for most in range(3)]
    return expected + [mean(recall[..., area, -1]) for area in (1, 2, 3)]


@pytest.mark.parametrize("seed, most", [(0, 100), (1, 100), (2, 100), (3, 12), (4, 300)])
def test_the_numbers_are_those_of_pycocotools(seed, most):
    truth, found = scene(seed)
    scores = average_precision(truth, found, CATEGORIES, max_detections=most)
    for name, kind in (("box", "bbox"), ("mask", "segm")):
        assert list(scores[name]) == [*NUMBERS, "classes"]
        expected = by_pycocotools(truth, found, kind, most)
        np.testing.assert_allclose([scores[name][n] for n in NUMBERS], expected, rtol=1e-12)
        assert 0.1 < scores[name]["ap"] < 0.9


def test_images_that_count_twice_are_images_that_come_twice():
    truth, found = scene(5, ties=False)
    counted, again = AveragePrecision(CATEGORIES), AveragePrecision(CATEGORIES)
    ids = sorted({each["image_id"] for each in [*truth, *found]})
    weights = np.array([2, 0, 1, 3, 1, 0])[: len(ids)]
    for image, weight in zip(ids, weights):
        own = [[each for each in of if each["image_id"] == image] for of in (truth, found)]
        counted.update(image, *own)
        for copy in range(weight):
            again.update(image + copy / 10, *own)
    expected = again.result()
    for kind in ("box", "mask"):
        weighted = counted.precision(weights, kind)
        for name in ("ap", "ap50", "ap75"):
            assert weighted[name] == pytest.approx(expected[kind][name], rel=1e-12)
        alone = average_precision(
            *([e for e in of if e["image_id"] == 5] for of in (truth, found)), CATEGORIES
        )
        assert counted.of_image(0)[f"{kind}_ap"] == pytest.approx(alone[kind]["ap"], nan_ok=True)


def test_150_perfect_detections_score_one_where_150_count():
    truth, found = [], []
    for i in range(150):
        box = {"image_id": 1, "category_id": 3, "bbox": [8 * (i % 16), 12 * (i // 16), 6, 7]}
        box["segmentation"] = drawn(box)
        truth.append({**box, "area": 42, "iscrowd": 0})
        found.append({**box, "score": 1 - i / 999})
    scores = average_precision(truth, found, CATEGORIES, max_detections=150)
    for kind in ("box", "mask"):
        for name in ("ap", "ap50", "ap_small", "ar", "ar_small"):
            assert scores[kind][name] == pytest.approx(1)
        assert scores[kind]["ar1"] == pytest.approx(1 / 150)
    with pytest.warns(UserWarning, match=r"150 objects .* Count more of them: max_detections=150"):
        assert average_precision(truth, found, CATEGORIES)["box"]["ap"] < 0.67
