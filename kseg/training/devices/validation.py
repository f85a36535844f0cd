"""The scores of a validation that several processes share: exactly those of one.

Each scores every so-manieth photo, and what it has counted goes to all.
"""

from kseg.evaluation.evaluate import counted_of, evaluate


def scored(model, val, batch_size, devices):
    """What `kseg.evaluate` says of a model, in every process.

    Args:
        model: The model, which answers to this process alone.
        val: `Source`, the same in all processes.
        batch_size: Photos predicted at once.
        devices: `kseg.training.devices.one.Devices`.
    """
    if devices.processes == 1:
        return evaluate(model, val, batch_size=batch_size)
    own = range(devices.process, len(val), devices.processes)
    *_, tally = counted_of(model, val.subset(own), {}, batch_size, None)
    for process, kept in enumerate(devices.gathered(tally.kept(own))):
        if process != devices.process:
            tally.take(kept)
    return tally.report()
