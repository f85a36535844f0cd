"""Scores as rows of text, for a terminal or a page."""

import dataclasses
import math

import numpy as np

from kseg.base.shown import counted
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
    if "per_image" in scores:
        tables.append(_worst_images(scores, score))
    return tables


def _worst_images(scores, score):
    """The images of the lowest scores; those that have none are not among them."""
    scored = [each for each in scores["per_image"] if not math.isnan(each[score])]
    worst = sorted(scored, key=lambda each: each[score])[:WORST]
    rows = [(each["name"], f"{each[score]:.3f}") for each in worst]
    of = f"the {len(worst)} worst of {scores['images']:,} images"
    return Table(("", heading(score)), rows, title=of)


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
    title = f"{counted(len(groups), 'group')}, the worst first: {scores['worst_group']}"
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


def confusion_table(scores):
    """The confusion matrix as shares of each true class: rows are the truth.

    Of objects the last row is what was invented, which is no share of anything but counts, as the
    last column is of what was missed. Of several classes a pixel it is each class by itself.

    Args:
        scores: What `kseg.evaluate` gives.
    """
    names, counts = list(scores["classes"]), np.array(scores["confusion"])
    if counts.ndim == 3:
        headings = ("class", "found", "missed", "invented")
        rows = [
            (name, *_shares([*own[1][::-1], own[0][1]], own[1].sum()))
            for name, own in zip(names, counts)
        ]
        return Table(headings, rows, title="of each class' pixels, %")
    names = [*names, *["nothing"] * (len(counts) - len(names))]
    rows = [(name, *_shares(row, row.sum())) for name, row in zip(names, counts)]
    return Table(("true", *names), rows, title="what each true class is found as, %")


def _shares(counts, whole):
    return ["" if not whole else f"{100 * count / whole:.1f}" for count in counts]


def most_confused(scores, unit):
    """What is most often taken for something else, in a line; "" where nothing is.

    Args:
        scores: Of one class a pixel, or of objects.
        unit: What the confusion matrix counts, as "pixels".
    """
    names, counts = list(scores["classes"]), np.array(scores["confusion"])
    counts = counts[: len(names), : len(names)]
    others = np.where(np.eye(len(names), dtype=bool), 0, counts)
    order = np.argsort(-others, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = [np.unravel_index(each, others.shape) for each in order]
    whole = np.array(scores["confusion"])[: len(names)].sum(1)
    said = [
        f"{names[true]} for {names[found]} ({100 * counts[true, found] / whole[true]:.0f} %)"
        for true, found in pairs
        if others[true, found]
    ]
    return f"most {unit} taken for another class: {', '.join(said)}" if said else ""


MOST_CONFUSED = 3
WORST = 10  # images that are shown
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
