"""Scaling on paper: what up to 1,024 accelerators would train, from measured steps and bytes.

    python benchmarks/scaling.py            # the table of docs/many-devices.md
    python benchmarks/scaling.py --network 12.5 --a-host 1   # one 100 Gb/s card for each host

Nothing of it was run on many accelerators. A step is the measured one of one accelerator (see
benchmarks/README.md, "On a GPU"), the batch of each the same, so that all together learn from a
larger one; then gradients are added up, float32, after the step and not beside it, which is the
worst case (and what kseg does on PyTorch; XLA may begin earlier). Rings as in Patarasuk and Yuan
2009: each of n sends 2 (n - 1) / n of the bytes, within a host first, then each accelerator its
share to its like in the other hosts. Small sums, of batch norm and of losses, cost the latency of
a tree each.
"""

import argparse
import dataclasses
import math

COUNTS = (1, 2, 4, 8, 16, 64, 256, 1024)


@dataclasses.dataclass(frozen=True)
class Work:
    """A step of one accelerator as it was measured.

    Args:
        name: Of it.
        seconds: It takes.
        images: It learns from.
        weights: Of the network, whose gradients are added up.
        small_sums: Sums of a few numbers in a step: two of each batch norm that learns, those of
            losses and counts.
    """

    name: str
    seconds: float
    images: int
    weights: float
    small_sums: int


# H200, 2026-11-27; 30 batch norms learn in the U-Net, 53 in the Mask R-CNN
WORKS = (
    Work("U-Net (ResNet-18), JAX, bfloat16", 0.040, 16, 14.3e6, 2 * 30 + 12),
    Work("U-Net (ResNet-18), PyTorch, bfloat16", 0.120, 16, 14.3e6, 2 * 30 + 12),
    Work("Mask R-CNN (ResNet-50), JAX, TF32", 0.065, 2, 44.4e6, 2 * 53 + 12),
    Work("Mask R-CNN (ResNet-50), PyTorch, TF32", 0.353, 2, 44.4e6, 2 * 53 + 12),
)


@dataclasses.dataclass(frozen=True)
class Links:
    """How accelerators are joined.

    Args:
        in_host: Accelerators of a host.
        within: Bytes a second that one sends to another of its host.
        network: Bytes a second of a network card.
        a_host: Network cards of a host.
        hop_within, hop_network: Seconds until a small message is there.
    """

    in_host: int = 8
    within: float = 450e9
    network: float = 50e9
    a_host: int = 8
    hop_within: float = 5e-6
    hop_network: float = 15e-6


def ring(count, size, rate, hop):
    """Seconds in which a ring adds up `size` bytes of each.

    >>> round(ring(2, 100e6, 10e9, 0), 4), ring(1, 100e6, 10e9, 0)
    (0.01, 0.0)
    """
    return 2 * (count - 1) / count * size / rate + 2 * (count - 1) * hop if count > 1 else 0.0


def seconds_of_gradients(count, weights, links):
    """Seconds in which gradients of so many weights are added up."""
    inside = min(count, links.in_host)
    hosts = -(-count // links.in_host)
    size = 4 * weights
    cards = min(inside, links.a_host)
    return ring(inside, size, links.within, links.hop_within) + ring(
        hosts, size / cards, links.network, links.hop_network
    )


def seconds_of_small(count, sums, links):
    """Seconds of so many small sums, by a tree within hosts and one over them."""
    inside, hosts = min(count, links.in_host), -(-count // links.in_host)
    once = 2 * (math.log2(inside) * links.hop_within + math.log2(hosts) * links.hop_network)
    return sums * once


def efficiency(work, count, links):
    """Share of `count` times the images a second of one accelerator."""
    if count == 1:
        return 1.0
    more = seconds_of_gradients(count, work.weights, links)
    more += seconds_of_small(count, work.small_sums, links)
    return work.seconds / (work.seconds + more)


def table(links):
    """Lines of Markdown: images a second, and of so many times one what share."""
    yield "| | bytes | " + " | ".join(f"{count:,}" for count in COUNTS) + " |"
    yield "|---|---|" + "---|" * len(COUNTS)
    for work in WORKS:
        cells = []
        for count in COUNTS:
            share = efficiency(work, count, links)
            speed = share * count * work.images / work.seconds
            cells.append(f"{speed:,.0f}" + (f" ({share:.0%})" if count > 1 else ""))
        yield f"| {work.name} | {4 * work.weights / 1e6:.0f} MB | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    plain = Links()
    parser.add_argument("--in-host", type=int, default=plain.in_host, help="accelerators (8)")
    parser.add_argument("--within", type=float, default=450, help="GB/s between them (450)")
    parser.add_argument("--network", type=float, default=50, help="GB/s of a card (50)")
    parser.add_argument("--a-host", type=int, default=plain.a_host, help="cards of a host (8)")
    options = parser.parse_args()
    links = Links(options.in_host, options.within * 1e9, options.network * 1e9, options.a_host)
    print("\n".join(table(links)))


if __name__ == "__main__":
    main()
