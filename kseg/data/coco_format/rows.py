"""From an annotation file's categories and objects to classes, and to the rows of a `Source`."""

import numpy as np

from kseg.data.coco_format.rle import END

MANY_CROWDS = 0.2  # share of the annotations; 0.01 in COCO


def classes_of(annotated, instances):
    """Category ids and names of the classes, and the class of each category id."""
    roles = annotated.roles
    chosen = [each for each in annotated.categories if each["id"] not in roles]
    categories, names = ([each[key] for each in chosen] for key in ("id", "name"))
    grounds = [key for key, role in roles.items() if role == "background"]
    if not instances:
        own = grounds[0] if grounds else 0 if 0 not in categories else -1
        categories, names = [own, *categories], ["background", *names]
    class_of = {category: position for position, category in enumerate(categories)}
    return categories, names, class_of | dict.fromkeys(() if instances else grounds, 0)


def row_of_objects(objects, class_of, roles, void):
    """Columns of an image's objects. What is to be ignored is a crowd region of each class."""
    rles, classes, crowd, stated = [], [], [], []
    for each in objects:
        role = roles.get(each["category"])
        if role == "background":
            continue
        own = range(len(class_of)) if role == "ignore" else [class_of[each["category"]]]
        rles += [each["counts"] + END] * len(own)
        classes += own
        crowd += [int(each["crowd"] or role == "ignore")] * len(own)
        stated += [each["stated"]] * len(own)
    columns = {"rles": "".join(rles), "classes": as_text(classes), "crowd": as_text(crowd)}
    return {**columns, "stated": np.array(stated, "float64").reshape(-1, 5)}


def stated_by(annotation):
    """Box and area that an annotation gives itself: x, y, width, height, area; NaN for none."""
    box, area = annotation.get("bbox") or [np.nan] * 4, annotation.get("area")
    box = box if min(box[2:]) > 0 else [np.nan] * 4  # no box has neither height nor width
    number = isinstance(area, (int, float)) and not isinstance(area, bool) and area > 0
    return [*box, area if number else np.nan]


def row_of_map(objects, class_of, roles, void):
    """Columns of an image's map, in the order to paint: void, then objects by falling area."""

    def is_void(each):
        return each["crowd"] or roles.get(each["category"]) == "ignore"

    ordered = sorted(objects, key=lambda each: (not is_void(each), -each["area"]))
    return {
        "rles": "".join(each["counts"] + END for each in ordered),
        "classes": as_text(void if is_void(x) else class_of[x["category"]] for x in ordered),
        "crowd": as_text(int(each["crowd"]) for each in ordered),
    }


def crowds(annotated):
    """What is odd about the crowd regions of a file: a list of `(kind, message)`."""
    marks = [bool(each.get("iscrowd", 0)) for listed in annotated.of_image for each in listed]
    if not sum(marks) > MANY_CROWDS * len(marks):
        return []
    message = f"{annotated.path}: {sum(marks)} of {len(marks)} annotations have iscrowd=1: they are"
    message += " crowd regions, of which nothing is learnt."
    return [("all_crowd" if all(marks) else "many_crowd", message)]


def as_text(numbers):
    return " ".join(map(str, numbers))
