"""What a training asks of its devices, and the answers where there is but one."""

import contextlib

from kseg.ops.replicas import rows_of


class Devices:
    """One process that trains on one device; the base of those that are several.

    Attributes:
        count: Devices that share each step, in all processes.
        processes: Processes that train together, and `process`, which of them this one is.
        uneven: Whether the devices may have different numbers of rows.
    """

    count = processes = 1
    process = 0
    uneven = True

    @property
    def first(self):
        """Whether it is for this process to write files and to speak."""
        return self.process == 0

    @property
    def share(self):
        """`(place, count)` of this process' part of each batch; None for all of it."""
        return (self.process, self.processes) if self.processes > 1 else None

    def rows(self, batch_size):
        """First and last row of this process' part of a batch."""
        return rows_of(batch_size, self.process, self.processes)

    def places(self, source):
        """`max_instances` of the batches: None for as many as there are objects."""

    def batches(self, dataset):
        """The batches as Keras' `fit` is to have them."""
        return dataset

    def scope(self):
        """Within it a model is built, loaded and compiled."""
        return contextlib.nullcontext()

    def training(self, model, batch_size):
        """Within it Keras' `fit` takes the steps of all devices."""
        return contextlib.nullcontext()

    def alone(self, model):
        """Within it, inside of `training`, the model answers to this process alone."""
        return contextlib.nullcontext()

    def gathered(self, value):
        """The values that all processes give, in their order: a list of what `pickle` takes."""
        return [value]

    def of_first(self, value):
        """The value that the first process gives."""
        return self.gathered(value)[0]

    def any(self, flag):
        """Whether a flag is set in any process; all ask at the same step."""
        return flag

    def wait(self):
        """Goes on when all processes are here."""

    def assign(self, variable, value):
        """Gives a generator's or metric's variable what it had, of all devices together."""
        variable.assign(value)

    def close(self, model):
        """Leaves nothing of all this in the model."""
