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
            (name.replace("_", " "), f"{scores[name]:.3f}", between(ends))
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
    names = [name for name in scores["mean_of_groups"] if name in OF_GROUPS]
    order = sorted(groups, key=lambda each: (math.isnan(groups[each][score]), groups[each][score]))
    with_ends = "intervals" in scores

    def row(name):
        own = groups[name]
        ends = (between(own["intervals"][score]),) if with_ends else ()
        return (name, *(f"{own[key]:.3f}" for key in names), *ends, f"{own['images']:,}")

    means = [f"{scores['mean_of_groups'][key]:.3f}" for key in names]
    total = ("mean of groups", *means, *([""] * with_ends), f"{scores['images']:,}")
    ends = (f"interval of {score.replace('_', ' ')}",) * with_ends
    headings = ("group", *(name.replace("_", " ") for name in names), *ends, "images")
    title = f"{len(groups)} groups, the worst first: {scores['worst_group']}"
    return Table(headings, [row(name) for name in order], total, title)


OF_GROUPS = (
    *("mean_iou", "mean_dice", "mean_boundary_iou", "mean_boundary_f1", "pixel_accuracy"),
    *("box_ap", "mask_ap", "mask_ap50", "pq", "nuclei_ap"),
)


def between(ends):
    """An interval as text."""
    return f"{ends[0]:.3f} .. {ends[1]:.3f}"
