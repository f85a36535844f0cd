"""Scores as rows of text, for a terminal or a page."""

import dataclasses
import math

from kseg.models.contract import scored_contract


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Args:
        headings: Of its columns; the first is that of the names.
        rows: Tuples of text, as many as there are headings.
        total: A last row, set apart; None for none.
        title: Over it; empty for none.
    """

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    total: tuple[str, ...] | None = None
    title: str = ""


def tables_of_images(model, scores):
    """Tables of what is asked for beside the scores of all images: intervals, and groups."""
    score = scored_contract(model).score
    tables = []
    if "intervals" in scores:
        share = f"{100 * scores['protocol']['confidence']:g} %"
        rows = [
            (heading(name), f"{scores[name]:.3f}", between(ends))
            for name, ends in scores["intervals"].items()
            if not math.isnan(ends[0])
        ]
        title = f"{share} of {scores['protocol']['bootstrap']} draws of the images lie within"
        tables.append(Table(("", "", "interval"), rows, title=title))
    if "groups" in scores:
        tables.append(_groups(scores, score))
    return tables


def _groups(scores, score):
    """Of each group, the worst first."""
    groups = scores["groups"]
    names = [name for name in OF_GROUPS if name in scores["mean_of_groups"]]
    order = sorted(groups, key=lambda each: (math.isnan(groups[each][score]), groups[each][score]))
    with_ends = "intervals" in scores

    def row(name):
        own = groups[name]
        ends = (between(own["intervals"][score]),) if with_ends else ()
        values = [f"{own[key]:.3f}" for key in names]
        return (name, values[0], *ends, *values[1:], f"{own['images']:,}")

    means = [f"{scores['mean_of_groups'][key]:.3f}" for key in names]
    total = ("mean", means[0], *([""] * with_ends), *means[1:], f"{scores['images']:,}")
    ends = ("its interval",) * with_ends
    first, *others = (OF_GROUPS[name] for name in names)
    headings = ("group", first, *ends, *others, "images")
    title = f"{len(groups)} groups, the worst first: {scores['worst_group']}"
    return Table(headings, [row(name) for name in order], total, title)


OF_GROUPS = {  # the score that counts is the first
    "mean_iou": "mean IoU",
    "mean_dice": "Dice",
    "mean_boundary_iou": "boundary IoU",
    "pixel_accuracy": "pixels right",
    "mask_ap": "mask AP",
    "box_ap": "box AP",
    "pq": "PQ",
    "nuclei_ap": "nuclei AP",
}


WORDS = {
    **{
        word: word.upper() for word in ("ap", "ap50", "ap75", "pq", "sq", "rq", "f1", "hd95", "asd")
    },
    "iou": "IoU",
    "dice": "Dice",
}


def heading(name):
    """The key of a score as people write it.

    >>> heading("mean_iou"), heading("nuclei_ap50")
    ('mean IoU', 'nuclei AP50')
    """
    return " ".join(WORDS.get(word, word) for word in name.split("_"))


def between(ends):
    """An interval as text."""
    return f"{ends[0]:.3f} .. {ends[1]:.3f}"
