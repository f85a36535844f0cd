"""What a page shows of a source of objects: each in its colour, and how many of each class."""

from kseg.base.colors import object_colors
from kseg.pictures.image import picture_of
from kseg.pictures.instance import objects
from kseg.reports.entry import Entry, class_name

OPTIONS = {}


def overlaid(source, sample):
    """The photo of a sample with its objects laid over it: uint8 `(H, W, 3)`."""
    picture = picture_of(source, sample)
    return objects(picture, sample["masks"], sample["boxes"], crowd=sample["crowd"])


def caption(source, sample):
    """How many objects of each class, after their colours, most first: a list of `Entry`."""
    colors_of = {}  # name of a class -> colours of its objects
    for class_id, crowd, color in zip(
        sample["classes"], sample["crowd"], object_colors(sample["crowd"])
    ):
        name = class_name(source, class_id) + (" (crowd)" if crowd else "")
        colors_of.setdefault(name, []).append(color)
    most_first = sorted(colors_of.items(), key=lambda each: -len(each[1]))
    entries = [Entry(f"{name}: {len(colors)}", tuple(colors)) for name, colors in most_first]
    return entries or [Entry("no object")]


def class_ids(sample):
    """The set of class ids in a sample."""
    return set(sample["classes"].tolist())


def legend(source, class_ids):
    """What the colours say: a list of one `Entry`, for they say nothing of classes."""
    return [Entry("Each object in a colour of its own, with its box; a crowd is grey.")]
