"""Samples in folds: groups stay together, and each fold has about as much of every class."""

import numpy as np

from kseg.base.arguments import refused
from kseg.data.bad_files import naming_bad_files
from kseg.data.sample import samples
from kseg.models.contract import part

STRATIFIED = 5000  # samples that are read for it; of more, folds are drawn


def content_of(source):
    """In which samples each class is: bool `(N, C)`; None of more than `STRATIFIED`."""
    if len(source) > STRATIFIED:
        return None
    room, rows = part("kseg.training", source), []
    with naming_bad_files(source):
        for sample in samples(source):
            rows.append(room.content(sample, source))
    return np.array(rows, bool)


def folds_of(groups, content, count, seed):
    """The fold, from 0 on, of each sample.

    Groups are placed one after the other, those that hold the rarest classes and the most samples
    first, each where it leaves classes and samples the most even.

    Args:
        groups: The group of each sample.
        content: bool `(N, C)`, in which samples each class is; or None.
        count: Of folds.
        seed: Of what is drawn: the order of groups that are alike.

    Raises:
        ValueError: there are fewer groups than folds.

    Example:

    >>> folds_of(["a", "a", "b", "c"], None, 2, 0).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < count:
        expected = f"at most {len(names)}, as many as there are groups of samples"
        raise refused("folds", count, expected, "Give fewer, or other groups (group=).")
    ones = np.ones((len(groups), 1))
    held = ones if content is None else np.hstack((content, ones))
    rows = np.zeros((len(names), held.shape[1]))
    np.add.at(rows, member, held)  # of each group: samples with each class, and samples
    total = np.maximum(rows.sum(axis=0), 1)
    shares = rows / total
    drawn = np.random.default_rng(seed).permutation(len(names))
    order = drawn[np.argsort(-shares[drawn].max(axis=1), kind="stable")]
    filled, placed = np.zeros((count, held.shape[1])), np.zeros(len(names), int)
    empty, most = count, np.ceil(len(groups) / count) / len(groups) + 1e-9
    for left, group in zip(range(len(names), 0, -1), order):
        # what it costs to have a fold hold more than its share, by class and in samples
        cost = ((filled + shares[group]) ** 2 - filled**2).sum(axis=1)
        fits = filled[:, -1] + shares[group, -1] <= most
        cost = np.where(fits | ~fits.any(), cost, np.inf)
        free = filled[:, -1] == 0
        if left <= empty:  # each of the rest begins a fold
            cost = np.where(free, cost, np.inf)
        fold = int(np.argmin(cost))
        empty -= bool(free[fold])
        filled[fold] += shares[group]
        placed[group] = fold
    return placed[member]
