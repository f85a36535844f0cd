"""How sure a score is: images drawn anew, and two models on the same images.

A score is of sums over images, so of images drawn with replacement it is that of the same sums,
weighted by how often each was drawn: exact, and no photo is predicted twice. Efron and Tibshirani,
"An Introduction to the Bootstrap", 1993, chapters 13 and 15.

Axes: N images, R resamples.
"""

import numpy as np

SEED = 0  # intervals of one result are the same today and tomorrow
AT_ONCE = 1 << 22  # weights in memory


def intervals(tally, resamples, confidence, within=None):
    """The interval of each score: the percentiles of its bootstrap distribution.

    Args:
        tally: A `Tally`.
        resamples: R.
        confidence: Share of the resamples that lie within, as 0.95.
        within: Which images to draw from, bool `(N,)`. Default None: all.

    Returns:
        dict of `(low, high)`; NaN where a score has none in any resample.
    """
    chosen = np.arange(len(tally)) if within is None else np.flatnonzero(within)
    drawn = [tally.scores(each) for each in _drawn(len(tally), chosen, resamples)]
    return {
        name: percentiles(np.concatenate([part[name] for part in drawn]), confidence)
        for name in drawn[0]
    }


def percentiles(values, confidence):
    """The two ends between which the middle share of values lies, as floats."""
    values = values[~np.isnan(values)]
    if not len(values):
        return [float("nan")] * 2
    ends = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return [float(each) for each in ends]


def _drawn(count, chosen, resamples):
    """Yields how often each image is drawn, `(r, N)`, a part of the R resamples at a time."""
    rng = np.random.default_rng(SEED)
    most = max(1, AT_ONCE // count)
    for start in range(0, resamples, most):
        size = min(most, resamples - start)
        weights = np.zeros((size, count))
        weights[:, chosen] = rng.multinomial(
            len(chosen), np.full(len(chosen), 1 / len(chosen)), size
        )
        yield weights


def paired(first, second, resamples, confidence):
    """Two models on the same images: the difference of each score, its interval and its p-value.

    The interval is of images drawn anew for both models together. The p-value is of a permutation
    test: were the models alike, their answers to an image could be swapped; it is the share of
    random swaps that make a difference as large as the one seen, of either sign.

    Args:
        first, second: Their `Tally`s, of the same images.
        resamples: R, of both.
        confidence: As of `intervals`.

    Returns:
        dict of dicts: `"first"`, `"second"`, `"difference"` (second - first), `"interval"`, `"p"`.
    """
    count, both = len(first), first.joined(second)
    every = np.ones((1, count))
    alone = [tally.scores(every) for tally in (first, second)]
    seen = {name: alone[1][name][0] - alone[0][name][0] for name in alone[0]}
    drawn, swapped = [], []
    for weights in _drawn(count, np.arange(count), resamples):
        drawn.append(_difference(first.scores(weights), second.scores(weights)))
    rng = np.random.default_rng(SEED + 1)
    most = max(1, AT_ONCE // count)
    for start in range(0, resamples, most):
        swap = rng.integers(0, 2, (min(most, resamples - start), count)).astype(float)
        mixed = (np.concatenate([1 - swap, swap], 1), np.concatenate([swap, 1 - swap], 1))
        swapped.append(_difference(*map(both.scores, mixed)))
    result = {}
    for name, difference in seen.items():
        values, swaps = (
            np.concatenate([part[name] for part in parts]) for parts in (drawn, swapped)
        )
        result[name] = {
            "first": float(alone[0][name][0]),
            "second": float(alone[1][name][0]),
            "difference": float(difference),
            "interval": percentiles(values, confidence),
            "p": p_value(difference, swaps),
        }
    return result


def _difference(first, second):
    return {name: second[name] - first[name] for name in first}


def p_value(difference, swaps):
    """The share of swaps that differ as much, itself among them; NaN without a difference."""
    swaps = swaps[~np.isnan(swaps)]
    if np.isnan(difference) or not len(swaps):
        return float("nan")
    tolerance = 1e-12  # sums in another order
    return float(
        (1 + np.count_nonzero(abs(swaps) >= abs(difference) - tolerance)) / (1 + len(swaps))
    )
