"""Categories of an annotation file that are no class of objects: what tools add to their exports.

background  `background`, `_background_`, `__background__`: class 0 of a map; no object
ignore      `__ignore__` and its kin, as labelme has it: void in a map; a crowd region
root        the supercategory of all others, without an annotation, as Roboflow's category 0
"""

ROLES = ("background", "ignore")


def role_of(name):
    """`"background"`, `"ignore"` or None, by a category's or a class' name.

    >>> role_of("_background_"), role_of("__ignore__"), role_of("cell")
    ('background', 'ignore', None)
    """
    plain = name.strip("_ ").lower() if isinstance(name, str) else None
    return plain if plain in ROLES else None


def roles_of(categories, used, notes):
    """The role of each category that is no class of objects, by its id.

    Args:
        categories: The file's, each with `"id"` and `"name"`.
        used: Ids of those that have annotations.
        notes: List of `(kind, message)` of the set, to which what is understood is added.
    """
    roles = {each["id"]: role for each in categories if (role := role_of(each.get("name")))}
    for category in categories:
        key, name = category["id"], category.get("name")
        others = [each for each in categories if each["id"] != key and each["id"] not in roles]
        is_root = others and all(each.get("supercategory") == name for each in others)
        if key not in roles and key not in used and is_root:
            roles[key] = "root"
    meaning = {
        "background": "is the background",
        "ignore": "is void: what it covers is neither learnt nor scored",
        "root": "is the supercategory of all others and has no annotation, as Roboflow writes it: "
        "it is no class",
    }
    for category in categories:
        role = roles.get(category["id"])
        if role and (role != "background" or category["id"] in used):
            message = f"the category {category['id']}, {category['name']!r}, {meaning[role]}."
            notes.append(("no_class", message))
    return roles
