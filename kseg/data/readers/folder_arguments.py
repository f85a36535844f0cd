"""What may be said of a folder of masks, and what does not go together."""

from kseg.base.arguments import number, refused
from kseg.data.source import VOID, WIDE_VOID, void_beyond


def check_unused(what, **given):
    """Raises `ValueError` if values of classes are given for masks that hold something else."""
    for argument, value in given.items():
        if value is not None:
            raise refused(argument, value, f"None: these masks hold {what}", "Leave it out.")


def check_several(class_names, instances, stored, palette):
    """Raises `ValueError` if something is given that goes with one mask of all classes."""
    for argument, value, default in (
        ("instances", instances, False),
        ("stored", stored, "classes"),
        ("palette", palette, None),
    ):
        if value != default:
            raise refused(argument, value, f"{default!r} with multilabel=True", "Leave it out.")
    if not class_names or len(set(class_names)) < len(class_names):
        raise refused("class_names", class_names, "the name of each class, each another")


def check_beside(instances, class_masks, pixel_weights, weight_scale):
    """Raises `ValueError` if what lies beside masks does not go with what is read of these."""
    if class_masks is not None and not instances:
        expected = "None without instances=True: of labels the masks of classes are the masks"
        raise refused("class_masks", str(class_masks), expected, "Give them as masks=.")
    if pixel_weights is not None and instances:
        expected = "None with instances=True: pixels of labels have weights"
        raise refused("pixel_weights", str(pixel_weights), expected, "Leave it out.")
    if weight_scale is not None and pixel_weights is None:
        expected = "None without pixel_weights=, whose number of weight 1 it is"
        raise refused("weight_scale", weight_scale, expected, "Leave it out.")
    if weight_scale is not None:
        number("weight_scale", weight_scale, above=0)


def check_objects(class_names, instances, palette):
    if palette:
        raise refused("palette", palette, "None: these masks hold objects, not classes")
    if len(class_names) != (1 if instances else 2):
        expected = "1 name, that of the object" if instances else "2 names, ground and object"
        remedy = "The masks tell objects apart, not classes: "
        remedy += "give the one name, or class_masks= for their classes."
        raise refused("class_names", class_names, expected, remedy)


def check_values(class_names, values, palette):
    if not class_names:
        raise refused("class_names", class_names, "the name of each class")
    if len(class_names) > WIDE_VOID:
        expected = f"at most {WIDE_VOID}, because label {WIDE_VOID} means void"
        raise refused("len(class_names)", len(class_names), expected)
    for argument, given in (("values", values), ("palette", palette)):
        if given is not None and len(given) != len(class_names):
            expected = f"one for each of the {len(class_names)} class_names"
            raise refused(argument, given, expected)
        if given is not None and len({str(entry) for entry in given}) != len(given):
            raise refused(argument, given, "a different entry for each class")
    return tuple(values) if values is not None else tuple(range(len(class_names)))


def check_void(void_values, values, palette):
    """The values or colours of void, which are no class."""
    if void_values is None:
        if palette or VOID in values and void_beyond(len(values)) == VOID:
            return ()
        return tuple({VOID, void_beyond(len(values))} - set(values))
    kind, argument, of_classes = (
        ("colours (r, g, b)", "palette", tuple(map(tuple, palette)))
        if palette
        else ("integers", "values", values)
    )
    voids = tuple(tuple(each) if isinstance(each, (list, tuple)) else each for each in void_values)
    if any(isinstance(each, tuple) != bool(palette) for each in voids):
        raise refused("void_values", voids, f"{kind}, as the masks have them")
    for each in voids:
        if each in of_classes:
            name = f"{argument}[{of_classes.index(each)}]"
            expected = f"values that are no class, and {each!r} is {name}"
            remedy = f"Leave it out, or give {argument}= of the classes without it."
            raise refused("void_values", voids, expected, remedy)
    return voids
