"""COCO's average precision by hand: that pycocotools is asked the right thing."""

import numpy as np
import pytest

from kseg.data.coco_format.results import of_mask
from kseg.metrics import average_precision

pytest.importorskip("pycocotools", reason="needs the extra coco")


def entry(box, category=1, image=1, **fields):
    """A filled rectangle x1, y1, x2, y2 as an annotation or a result."""
    x1, y1, x2, y2 = box
    mask = np.zeros((200, 200))
    mask[y1:y2, x1:x2] = 1
    return {
        "image_id": image,
        "category_id": category,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "segmentation": of_mask(mask),
        **fields,
    }


def true(box, category=1, image=1, crowd=0):
    x1, y1, x2, y2 = box
    return entry(box, category, image, iscrowd=crowd, area=(x2 - x1) * (y2 - y1))


def test_perfect_and_by_size(capsys):
    # 10^2 is small, 50^2 medium, 100^2 large: each has an object of its own.
    boxes = [(0, 0, 10, 10), (20, 20, 70, 70), (90, 90, 190, 190)]
    scores = average_precision([true(b) for b in boxes], [entry(b, score=0.9) for b in boxes], [1])
    for kind in ("box", "mask"):
        assert {name: scores[kind].pop(name) for name in list(scores[kind])[:6]} == {
            "ap": pytest.approx(1),
            "ap50": pytest.approx(1),
            "ap75": pytest.approx(1),
            "ap_small": pytest.approx(1),
            "ap_medium": pytest.approx(1),
            "ap_large": pytest.approx(1),
        }
    scores = average_precision([true(b) for b in boxes], [entry(boxes[1], score=0.9)], [1])
    assert scores["box"]["ap_medium"] == pytest.approx(1)
    assert scores["box"]["ap_small"] == scores["mask"]["ap_large"] == 0
    # Precision 1 up to a recall of 1/3: of the levels 0, 0.01, ..., 1 these are 34.
    assert scores["mask"]["ap"] == pytest.approx(34 / 101)
    assert capsys.readouterr().out == ""  # pycocotools does not print


def test_a_size_at_the_end_of_two_ranges_is_of_both():
    """As of pycocotools: 32x32 is small and medium, 96x96 medium and large."""
    for side, found, missing in (
        (32, ("small", "medium"), "large"),
        (96, ("medium", "large"), "small"),
    ):
        box = (0, 0, side, side)
        scores = average_precision([true(box)], [entry(box, score=0.9)], [1])["mask"]
        assert [scores[f"ap_{area}"] for area in found] == pytest.approx([1, 1])
        assert not scores[f"ap_{missing}"] > 0


def test_a_wrong_one_before_the_right_one():
    # Precision 1/2 at every recall.
    detections = [entry((100, 100, 140, 140), score=0.9), entry((0, 0, 40, 40), score=0.8)]
    scores = average_precision([true((0, 0, 40, 40))], detections, [1])
    assert scores["box"]["ap"] == scores["mask"]["ap50"] == pytest.approx(0.5)


def test_box_and_mask_are_scored_apart():
    # The mask is right; the box, at an IoU of 60 %, is right for 0.50, 0.55 and 0.60.
    detections = entry((0, 0, 50, 50), score=0.9)
    detections["bbox"] = [0, 0, 50, 30]
    scores = average_precision([true((0, 0, 50, 50))], [detections], [1])
    assert scores["mask"]["ap"] == pytest.approx(1)
    assert scores["box"]["ap"] == pytest.approx(0.3)
    assert scores["box"]["ap75"] == 0


def test_area_of_a_mask_is_its_pixels():
    """An unmatched detection counts where its mask is of that size, whatever its box."""
    wrong = entry((100, 100, 120, 120), score=0.95)  # a mask of 400 pixels, small
    wrong["bbox"] = [100, 100, 60, 60]  # in a box of 3,600, medium
    truth, detections = true((0, 0, 50, 50)), entry((0, 0, 50, 50), score=0.9)
    scores = average_precision([truth], [wrong, detections], [1])
    assert scores["mask"]["ap_medium"] == pytest.approx(1)
    assert scores["box"]["ap_medium"] == pytest.approx(0.5)


def test_crowds_count_neither_for_nor_against():
    truth = [true((0, 0, 40, 40)), true((100, 100, 190, 190), crowd=1)]
    inside = [entry((100 + i, 100, 130 + i, 140), score=0.95) for i in range(3)]
    scores = average_precision(truth, [*inside, entry((0, 0, 40, 40), score=0.5)], [1])
    assert scores["box"]["ap"] == scores["mask"]["ap"] == pytest.approx(1)


def test_classes_are_scored_apart():
    truth = [true((0, 0, 40, 40), 3), true((50, 50, 90, 90), 7)]
    detections = [entry((0, 0, 40, 40), 3, score=0.5), entry((50, 50, 90, 90), 3, score=0.6)]
    scores = average_precision(truth, detections, [3, 5, 7])["mask"]
    np.testing.assert_allclose(scores["classes"], [0.5, np.nan, 0])
    assert scores["ap"] == pytest.approx(0.25)


def test_nothing_to_find_and_nothing_found():
    assert np.isnan(average_precision([], [], [1])["box"]["ap"])
    assert np.isnan(average_precision([], [entry((0, 0, 9, 9), score=1.0)], [1])["mask"]["ap"])
    assert average_precision([true((0, 0, 9, 9))], [], [1])["mask"]["ap"] == 0


def test_more_objects_than_a_byte_counts():
    boxes = [
        (10 * (i % 20), 10 * (i // 20), 10 * (i % 20) + 8, 10 * (i // 20) + 7) for i in range(300)
    ]
    detections = [entry(box, score=0.9 - i / 1000) for i, box in enumerate(boxes[:10])]
    with pytest.warns(UserWarning, match="300 objects of category 1.* 100 detections"):
        scores = average_precision([true(box) for box in boxes], detections, [1])
    # Precision 1 up to a recall of 1/30: of the levels 0, 0.01, ..., 1 these are 4.
    assert scores["box"]["ap"] == scores["mask"]["ap"] == pytest.approx(4 / 101)
    truth = [true(boxes[0], image=i) for i in range(300)]
    detections = [entry(boxes[0], image=i, score=0.9) for i in range(300)]
    assert average_precision(truth, detections, [1])["mask"]["ap_small"] == pytest.approx(1)


def test_arguments_stay_as_they_are():
    truth, detections = [true((0, 0, 9, 9))], [entry((0, 0, 9, 9), score=0.5)]
    average_precision(truth, detections, [1])
    assert truth == [true((0, 0, 9, 9))] and detections == [entry((0, 0, 9, 9), score=0.5)]
