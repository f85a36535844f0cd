"""Labels that a model contradicts, as a contact sheet: a crop each, with label, model and doubt."""

import numpy as np

from kseg.models.contract import part
from kseg.pictures.image import picture_of, shrunk
from kseg.reports.shots import shot, side_for, size_for
from kseg.reports.subject import predicted

SHOWN = 48  # crops on a page
LISTED = 200  # rows of the list on a page
PAIRS = 20
AROUND = 1.7  # times the longer side of a box, what a crop shows
LEAST = 96  # pixels of a crop's side at least, where the photo has them
SIDE = 300
FRAME = (255, 255, 255), (0, 0, 0)  # of the box: seen on any ground


def sheet(doubts, places):
    """What the template shows of `kseg.doubts.doubts.Doubts`.

    Args:
        doubts: They.
        places: `kseg.reports.places.Places`.
    """
    room = part("kseg.reports", doubts.model)
    shots, class_ids = _shots(doubts, room)
    return {
        "line": f"{doubts.summary()}, the most doubtful first.",
        "note": places(doubts.note),
        "shots": shots,
        "legend": room.legend(doubts.sources[0], class_ids) if shots else [],
        "total": doubts.found,
        "headings": ["photo", "what", "labelled", "expected", "box (x1, y1, x2, y2)", "score"],
        "rows": [
            (
                places(each.file),
                each.kind,
                each.given,
                each.expected,
                ", ".join(map(str, each.box)),
                f"{each.score:.3f}",
            )
            for each in doubts.rows[:LISTED]
        ],
        "pair_headings": ["labelled", "expected", "pixels"],
        "pairs": [(*pair, f"{pixels:,}") for pair, pixels in list(doubts.pairs.items())[:PAIRS]],
    }


def _shots(doubts, room):
    """The crops, each photo read once and predicted by who judged it; and the classes on them."""
    rows = doubts.rows[:SHOWN]
    side = min(SIDE, side_for(3 * len(rows)))
    by_name = {source.name: source for source in doubts.sources}
    about = part("kseg.reports.seen", doubts.model)
    made, class_ids = {}, set()
    for name, index in dict.fromkeys((each.source, each.index) for each in rows):
        source = by_name[name]
        sample = source[index]
        judge = doubts.judge(source.ids[index])
        said = about.answer(predicted(judge, about, sample["image"]))
        layers = _layers(room, source, sample, said)
        photo = picture_of(source, sample)
        for place, each in enumerate(rows):
            if (each.source, each.index) == (name, index):
                made[place] = _crop(each, photo, layers, side)
        class_ids |= room.class_ids(sample)
    return [made[place] for place in sorted(made)], class_ids


def _layers(room, source, sample, said):
    """Label, prediction and where they differ, as large as the photo."""
    size = sample["image"].shape[:2]
    return [
        ("truth", room.truth(source, sample, size)),
        ("prediction", room.prediction(source, sample, said, size)),
        ("error", room.error(source, sample, said, size)),
    ]


def _crop(doubt, photo, layers, side):
    """The surroundings of a doubt as a `Shot`, its box drawn on every layer."""
    rows, columns = window(doubt.box, photo.shape[:2])
    size = size_for((rows.stop - rows.start, columns.stop - columns.start), side)
    x1, y1, x2, y2 = doubt.box
    height, width = size
    scale_y, scale_x = height / (rows.stop - rows.start), width / (columns.stop - columns.start)
    box = (
        int((x1 - columns.start) * scale_x),
        int((y1 - rows.start) * scale_y),
        round((x2 - columns.start) * scale_x),
        round((y2 - rows.start) * scale_y),
    )
    drawn = [(name, 0, framed(shrunk(layer[rows, columns], size), box)) for name, layer in layers]
    named = f"{doubt.sample}: {doubt.given} → {doubt.expected}"
    what = "" if doubt.kind == "region" else f"{doubt.kind}, "
    return shot(named, f"{what}{doubt.score:.2f}", photo[rows, columns], drawn, side)


def window(box, size):
    """Rows and columns, two slices, of a square round a box, as far as the photo goes.

    >>> window((10, 20, 30, 40), (480, 640))
    (slice(0, 96, None), slice(0, 96, None))
    """
    x1, y1, x2, y2 = box
    side = max(LEAST, round(AROUND * max(x2 - x1, y2 - y1)))
    slices = []
    for low, high, length in ((y1, y2, size[0]), (x1, x2, size[1])):
        start = max(0, min((low + high - side) // 2, length - side))
        slices.append(slice(start, min(length, start + side)))
    return tuple(slices)


def framed(layer, box):
    """A layer with a box, x1, y1, x2, y2 in its pixels, in two lines."""
    x1, y1, x2, y2 = box
    for grown, color in zip((0, 1), FRAME):
        left, top = max(0, x1 - grown), max(0, y1 - grown)
        right, bottom = (min(a - 1, b + grown) for a, b in zip(layer.shape[1::-1], (x2, y2)))
        for lines in (
            np.s_[[top, bottom], left : right + 1],
            np.s_[top : bottom + 1, [left, right]],
        ):
            layer[lines] = (*color, 255)
    return layer
