"""Sums over the parts of a batch are those of the whole batch."""

import threading

import numpy as np
import pytest

from kseg.ops import replicas


def test_rows_are_all_there_once():
    for rows in (1, 5, 8, 13):
        for count in range(1, rows + 1):
            parts = [replicas.rows_of(rows, place, count) for place in range(count)]
            assert [row for first, last in parts for row in range(first, last)] == list(range(rows))
            assert {last - first for first, last in parts} <= {rows // count, -(-rows // count)}


class Workers:
    """Threads that stand for processes: each says its part, and all read the parts of all."""

    def __init__(self, count):
        self.barrier, self.parts = threading.Barrier(count, timeout=30), [None] * count
        self.place = threading.local()

    def stacked(self, x):
        import torch

        self.parts[self.place.number] = x.detach()
        self.barrier.wait()
        every = torch.stack(self.parts)
        self.barrier.wait()
        return every

    def counted(self, x):
        return self.stacked(x).sum(0)


@pytest.mark.backends("torch", reason="a kernel of its own")
@pytest.mark.parametrize("scaled", [True, False])
def test_batch_norm_is_that_of_all_rows(rng, scaled):
    """Parts of 3 and 2 photos, against the whole batch: results, statistics, all gradients."""
    import torch

    from kseg.ops.batch_norm import batch_normalized, normalized_together

    x = torch.tensor(rng.normal(3, 2, (5, 4, 6, 3)), dtype=torch.float32)
    slope = torch.tensor(rng.normal(0, 1, (5, 4, 6, 3)), dtype=torch.float32)
    weights = [torch.tensor([0.5, 1.0, 2.0]), torch.tensor([0.0, 1.0, -1.0])] * scaled or [None] * 2

    def leaves(x):
        return [None if each is None else each.clone().requires_grad_() for each in (x, *weights)]

    own = leaves(x)
    whole, mean, variance = batch_normalized(*own, None, None, 1e-3, of_batch=True)
    (whole * slope).sum().backward()

    workers, found = Workers(2), [None, None]

    def work(place, rows):
        workers.place.number = place
        part = leaves(x[rows])
        y, *of_batch = normalized_together(*part, 1e-3, workers)
        (y * slope[rows]).sum().backward()
        found[place] = y, of_batch, [None if each is None else each.grad for each in part]

    # one thread for the gradients of each: PyTorch computes them where they are asked for on a CPU
    threads = [
        threading.Thread(target=work, args=(place, rows))
        for place, rows in enumerate((slice(0, 3), slice(3, 5)))
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    def equal(a, b):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=2e-5, atol=2e-5)

    equal(torch.cat([y for y, *_ in found]), whole)
    equal(torch.cat([grads[0] for *_, grads in found]), own[0].grad)
    for _, of_batch, _ in found:
        equal(of_batch[0], mean)
        equal(of_batch[1], variance)
    for place in (1, 2) if scaled else ():
        equal(sum(grads[place] for *_, grads in found), own[place].grad)


def test_alone_a_sum_is_what_it_is():
    x = np.float32([1, 2])
    assert replicas.summed(x) is x
    assert replicas.counted(x) is x
    assert replicas.averaged(x) is x
    assert replicas.drawn(lambda shape: shape, (2, 3)) == (2, 3)


def test_random_rows_are_those_of_the_whole_batch():
    class Second:
        def is_training(self):
            return True

        def rows(self, own):
            return 2, 2 + own, 5

    with replicas.together(Second()):
        drawn = replicas.drawn(lambda shape: np.arange(np.prod(shape)).reshape(shape), (3, 2))
    assert drawn.tolist() == [[4, 5], [6, 7], [8, 9]]
    assert replicas.team() is None
