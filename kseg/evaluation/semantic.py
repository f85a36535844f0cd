"""TODO"""


def predicted_labels(model, images, count, with_confidence):
    """Ids of the first `count` images, and their confidence, or None where it is not asked for."""
    from kseg.prediction.semantic import confident_labels_on_batch, labels_on_batch

    if not with_confidence:
        return labels_on_batch(model, images)[:count], None
    labels, confidence = confident_labels_on_batch(model, images)
    return labels[:count], confidence[:count]
