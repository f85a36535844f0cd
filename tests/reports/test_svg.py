"""Charts of pages: what is drawn stands where the numbers say."""

import math
from xml.etree import ElementTree

import pytest

from kseg.pictures import svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text):
    """The elements of a chart by their tag."""
    root = ElementTree.fromstring(
        text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    )
    found = {}
    for element in root.iter():
        found.setdefault(element.tag.removeprefix(SVG), []).append(element)
    return root, found


def test_lines_fall_where_numbers_fall():
    points = [(1, 2.0), (2, math.nan), (3, 0.5)]
    root, found = drawn(svg.lines([("loss <a>", points, "a dash")], "loss & more"))
    assert root.get("aria-label") == "loss & more" and root.get("role") == "img"
    first, last = (float(dot.get("cy")) for dot in found["circle"])  # NaN has no dot
    assert first < last  # down the picture is down the axis
    assert [dot.find(f"{SVG}title").text for dot in found["circle"]] == [
        "loss <a>, epoch 1: 2",
        "loss <a>, epoch 3: 0.5",
    ]
    assert found["polyline"][0].get("class") == "line a dash"
    ticks = [text.text for text in found["text"]]
    assert ticks == ["0", "0.5", "1", "1.5", "2", "1", "2", "3", "epoch"]


def test_a_frame_fills_its_picture():
    """420x240, of which 44 on the left, 12 on the right, 14 above and 36 below are margins."""
    frame = svg.Frame((1, 9), (0, 1))
    assert (frame.x(1), frame.x(5), frame.x(9)) == (44, 226, 408)
    assert (frame.y(0), frame.y(0.5), frame.y(1)) == (204, 109, 14)
    _, found = drawn(f"<svg>{frame.grid(percent=True)}</svg>")
    lines = [[float(line.get(end)) for end in ("x1", "x2", "y1")] for line in found["line"]]
    assert (lines[0], lines[-1]) == ([44, 408, 204], [44, 408, 14])
    assert (found["text"][0].text, found["text"][-1].text) == ("0%", "100%")


def test_nothing_to_draw_is_no_chart():
    assert svg.lines([("a", [], "a")], "x") == ""
    assert svg.columns([("a", [math.nan], None)], "x") == ""


def test_columns_are_as_high_as_their_numbers():
    groups = [("0", [0.4, 0.2], ["40 % of all", "few"]), ("1", [0.1, math.nan], None)]
    _, found = drawn(svg.columns(groups, "errors", percent=True))
    heights = [float(bar.get("height")) for bar in found["rect"]]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2)
    assert heights[0] == pytest.approx(4 * heights[2], abs=0.4)
    assert [bar.get("class") for bar in found["rect"]] == ["fill-a", "fill-b", "fill-a"]
    assert found["title"][0].text == "0: 40.0% (40 % of all)"
    assert "40%" in [text.text for text in found["text"]]


def test_columns_of_a_group_stand_side_by_side():
    """364 pixels from 44 on, 182 a group; a column is 0.92 of half of the middle 0.8 of these."""
    _, found = drawn(svg.columns([("0", [0.4, 0.2], None), ("1", [0.1, 0.3], None)], "errors"))
    left = [float(bar.get("x")) for bar in found["rect"]]
    assert left == pytest.approx([62.2, 135.0, 244.2, 317.0], abs=0.1)
    widths = [float(bar.get("width")) for bar in found["rect"]]
    assert widths == pytest.approx([67.0] * 4, abs=0.2)


def test_reliability_lies_on_its_diagonal_where_it_is_right():
    _, found = drawn(svg.reliability([[(0.25, 0.25, 0.5), (0.75, 0.5, 0.5), (math.nan,) * 3]], "c"))
    (ideal,) = [line for line in found["line"] if line.get("class") == "ideal"]
    x1, y1, x2, y2 = (float(ideal.get(name)) for name in ("x1", "y1", "x2", "y2"))
    right, sure = found["circle"]
    on = y1 + (float(right.get("cx")) - x1) * (y2 - y1) / (x2 - x1)
    assert float(right.get("cy")) == pytest.approx(on, abs=0.2)
    below = y1 + (float(sure.get("cx")) - x1) * (y2 - y1) / (x2 - x1)
    assert float(sure.get("cy")) > below + 20 and len(found["circle"]) == 2


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (1, 3, True, "1 2 3"),
        (0, 0.3, False, "0 0.1 0.2 0.3"),
        (2, 2, True, "2"),
        (0, 90, False, "0 20 40 60 80"),
    ],
)
def test_ticks_are_round(low, high, whole, expected):
    assert " ".join(text for _, text in svg._ticks(low, high, 5, whole)) == expected
