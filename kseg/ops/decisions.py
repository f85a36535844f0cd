"""The class that a model decides for: one rule for prediction, scores and exports."""

from keras import ops


def winners(logits):
    """Class ids of logits `(..., C)`: int32 `(...)`; C = 1 is binary, its ids are 0 and 1.

    Of equal logits the first class wins; a binary logit of 0, whose probability is one half, is no
    object.

    Example:

    >>> ops.convert_to_numpy(winners(np.array([[0.5, 2.0, 2.0], [1.0, 0.0, 0.0]])))
    array([1, 0], dtype=int32)
    """
    if logits.shape[-1] == 1:
        return ops.cast(logits[..., 0] > 0, "int32")
    return ops.cast(ops.argmax(logits, axis=-1), "int32")


def above(probabilities, threshold):
    """Which classes a pixel has, where it may have several: those more probable than a threshold.

    Args:
        probabilities: Floats `(..., C)`, 0..1.
        threshold: A number, or one for each class; as of `kseg.base.arguments.threshold`.

    Returns:
        bool `(..., C)`.

    Example:

    >>> ops.convert_to_numpy(above(np.array([[0.5, 0.4]]), (0.5, 0.3)))
    array([[False,  True]])
    """
    probabilities = ops.cast(probabilities, "float32")
    return probabilities > ops.convert_to_tensor(threshold, dtype="float32")


def finite(logits):
    """Whether all logits `(B, ..., C)` of an image are finite: bool `(B,)`.

    NaN is no class, but what wins beside it is: the first one.

    Example:

    >>> ops.convert_to_numpy(finite(np.array([[0.5, 2.0], [np.nan, 1.0]])))
    array([ True, False])
    """
    return ops.all(ops.isfinite(logits), axis=tuple(range(1, len(logits.shape))))


def top_class(scores, from_logits=True):
    """The predicted class and its probability.

    Args:
        scores: Logits or probabilities (B, ..., C); C = 1 is binary.
        from_logits: Which of the two. Defaults to True.

    Returns:
        Class ids, int32 (B, ...), and confidences, float32 (B, ...).

    Example:

    >>> ids, confidence = top_class(np.array([[0.0, 0.0]]))
    >>> int(ids[0]), float(confidence[0])
    (0, 0.5)
    """
    scores = ops.cast(scores, "float32")
    if scores.shape[-1] == 1:
        score = scores[..., 0]
        predicted = winners(scores if from_logits else scores - 0.5)
        probability = ops.sigmoid(score) if from_logits else score
        return predicted, ops.where(ops.equal(predicted, 1), probability, 1.0 - probability)
    probabilities = ops.softmax(scores, axis=-1) if from_logits else scores
    # the winner of the scores, as everywhere: two logits may round to one probability
    return winners(scores), ops.max(probabilities, axis=-1)
