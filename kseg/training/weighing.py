"""Metrics of a training whose pixels may have weights."""


def counted(source, metric):
    """The metric as an argument of `compile`: Keras hands weights to `weighted_metrics` alone.

    Args:
        source: What is learned from.
        metric: One that counts no pixel of weight 0, and any other once.
    """
    return {"weighted_metrics" if source.weighted else "metrics": [metric]}
