"""TODO"""

from kseg.checks.findings import refusal

SPLITS = ("train", "val", "test")


def open_splits(named):
    """The splits that the set has, as sources, and findings for those that a reader refuses."""
    kind = named.spec.partition(":")[0]
    if named.path is not None and not named.path.exists():
        raise FileNotFoundError(
            f"{str(named.path)!r} does not exist: expected the folder of the data set."
        )
    sources, refused = [], {}
    for split in SPLITS:
        try:
            sources.append(named.open(split, probe=False))
        except (ValueError, FileNotFoundError) as error:
            if str(error).startswith(f"data {named.spec!r}"):  # no such kind of data
                raise
            optional = split == "test" and str(error) in refused  # said of the whole set
            if not optional and not _no_such_split(error, split):
                refused.setdefault(str(error), (error, []))[1].append(f"{kind}/{split}")
    if not sources and not refused:
        raise ValueError(f"{named.spec!r} has no split {', '.join(SPLITS)}.")
    return sources, [refusal(", ".join(names), error) for error, names in refused.values()]


def _no_such_split(error, split):
    """Whether a reader says that the set has no such split, rather than that it is damaged."""
    text = str(error)
    if split == "train":
        return False
    missing = isinstance(error, FileNotFoundError) and f"{split}' does not exist" in text
    missing_list = isinstance(error, FileNotFoundError) and f"{split}.txt' does not exist" in text
    return missing or missing_list or f"split={split!r}" in text
