"""Sums over a batch of which each of several workers sees only a part.

A network that is copied to several workers, each with its rows of the batch, takes the very step
of one worker with the whole batch if every sum over the batch is taken over the rows of all of
them: of the losses, of batch norm's statistics, of what metrics count. Where arrays are already
those of the whole batch, as on JAX, or there is one worker, a sum is what it is.

Each worker's loss is then the loss of the whole batch. The gradient of a sum adds up too, so that
the mean of the workers' gradients is the gradient of that one loss.
"""

import contextlib

_team = None


def rows_of(batch_size, place, count):
    """First and last row, not included, of a worker's part of a batch.

    Args:
        batch_size: Rows in all.
        place: Which worker, from 0 on.
        count: How many there are.

    Example:

    >>> [rows_of(8, place, 3) for place in range(3)]
    [(0, 2), (2, 5), (5, 8)]
    """
    return place * batch_size // count, (place + 1) * batch_size // count


@contextlib.contextmanager
def together(team):
    """Within it sums are those of all workers.

    Args:
        team: What knows the others. `is_training()`: whether there are any where it is asked;
            `summed(x)`: the sum over the workers, with its gradient; `counted(x)`: that of counts,
            unless metrics add up by themselves; `stacked(x)`: the `x` of all, `(W, ...)`;
            `rows()`: first and last row of this one, and the rows of all; `workers()`: how many.
    """
    global _team
    before, _team = _team, team
    try:
        yield
    finally:
        _team = before


def team():
    """The others, where there are any; else None."""
    return _team if _team is not None and _team.is_training() else None


def summed(x):
    """The sum over all workers of a float tensor, which has a gradient."""
    others = team()
    return x if others is None else others.summed(x)


def counted(x):
    """The sum over all workers of int32 counts, for a metric."""
    others = team()
    return x if others is None else others.counted(x)


def any_of(x):
    """Whether a bool scalar holds at any worker."""
    from keras import ops  # here, for data and `import kseg` need no Keras

    others = team()
    return x if others is None else others.summed(ops.cast(x, "float32")) > 0


def averaged(loss):
    """What a worker learns from of a loss that is that of all: on TensorFlow, gradients are added
    up and Keras takes the loss to be divided by the number of workers."""
    others = team()
    return loss if others is None else others.averaged(loss)


def drawn(draw, shape):
    """Random numbers for a worker's rows: those that one worker would draw for all of them.

    Args:
        draw: Function of a shape.
        shape: `(rows, ...)` of this worker.
    """
    others = team()
    if others is None:
        return draw(shape)
    first, last, count = others.rows(shape[0])
    return draw((count, *shape[1:]))[first:last]
