"""Many processes on PyTorch, one for each device, as `torchrun` starts them.

Not by `DistributedDataParallel`: it reduces gradients only of a `forward` called through its
wrapper, while Keras' training step, and a user's own, call the model itself; and it leaves alone
losses and batch norm, so that its step is not that of the whole batch. Here gradients are averaged
where every step passes, before the optimizer applies them, in buckets, as there.
"""

import atexit
import contextlib
import datetime
import os

import torch
import torch.distributed as dist

from kseg.ops import replicas
from kseg.training.devices.lost import lost
from kseg.training.devices.one import Devices

BUCKET = 1 << 25  # bytes of gradients that are sent at once
PATIENCE = datetime.timedelta(hours=24)  # with a worker that answers, but has not come so far


class TorchProcesses(Devices):
    """The processes of `torchrun`: gloo between CPUs, NCCL between GPUs."""

    def __init__(self):
        if not dist.is_initialized():
            gpus = torch.cuda.is_available()
            if gpus:
                torch.cuda.set_device(
                    int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()
                )
            with lost():
                dist.init_process_group("nccl" if gpus else "gloo")
            atexit.register(dist.destroy_process_group)
        self.process, self.processes = dist.get_rank(), dist.get_world_size()
        self.count = self.processes
        # for what is no tensor of a step: a process may wait long there, for the first one's files
        self.talk = dist.new_group(backend="gloo", timeout=PATIENCE)

    @contextlib.contextmanager
    def training(self, model, batch_size):
        self._make_equal(model)
        first, last = self.rows(batch_size)
        team = Team(self.processes, first, last, batch_size)
        optimizer = model.optimizer
        optimizer.apply = lambda grads, variables=None: type(optimizer).apply(
            optimizer, averaged(grads, variables), variables
        )
        of_instance, step = vars(model).get("train_step"), model.train_step
        model.train_step = lambda data: self._step(step, data)
        try:
            with lost(), replicas.together(team):
                yield
        finally:
            del optimizer.apply, model.train_step
            if of_instance is not None:  # a user's own, for this model alone
                model.train_step = of_instance

    def _step(self, step, data):
        """A step in which what PyTorch draws, as for dropout, is another at each worker.

        The generator that they have in common, which checkpoints hold, goes on by one number.
        """
        number = int(torch.randint(2**62, ()))
        gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(gpus):
            torch.manual_seed(number + self.process)
            return step(data)

    def _make_equal(self, model):
        """The weights and all else of the first process go to all."""
        with lost(), torch.no_grad():
            for variable in [*model.variables, *model.optimizer.variables]:
                value = variable.value
                sent = value.detach().contiguous()
                dist.broadcast(sent, 0)
                value.copy_(sent)

    def alone(self, model):
        return replicas.together(None)

    def gathered(self, value):
        values = [None] * self.processes
        with lost():
            dist.all_gather_object(values, value, group=self.talk)
        return values

    def any(self, flag):
        set_somewhere = torch.tensor(int(flag))
        with lost():
            dist.all_reduce(set_somewhere, dist.ReduceOp.MAX, group=self.talk)
        return bool(set_somewhere)

    def wait(self):
        with lost():
            dist.barrier(group=self.talk)


class Team:
    """What `kseg.ops.replicas` asks of the others."""

    def __init__(self, count, first, last, rows):
        self.count, self.first, self.last, self.all_rows = count, first, last, rows

    def is_training(self):
        return True

    def workers(self):
        return self.count

    def rows(self, own):
        return self.first, self.last, self.all_rows

    def summed(self, x):
        if x.device.type == "meta":  # Keras asks for shapes
            return x
        return Summed.apply(x, self)

    def counted(self, x):
        if x.device.type == "meta":
            return x
        x = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(x)
        return x

    def stacked(self, x):
        each = [torch.empty_like(x) for _ in range(self.count)]
        dist.all_gather(each, x.contiguous())
        return torch.stack(each)

    def averaged(self, loss):
        return loss


class Summed(torch.autograd.Function):
    """A sum over all workers. What each is worth to one worker's loss it is worth to all."""

    @staticmethod
    def forward(ctx, x, team):
        ctx.team = team
        return team.counted(x)

    @staticmethod
    def backward(ctx, slope):
        return ctx.team.counted(slope), None


def device():
    """Where this process computes."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def averaged(grads, variables=None):
    """The means of gradients over all workers, in the order given.

    A weight of which a worker's loss did not speak, as of masks where its photos hold no object,
    has gradient 0 there; one of which nobody's did has None, as with a single worker.
    """
    grads = list(grads)
    present = [grad is not None for grad in grads]
    known = torch.tensor(present, dtype=torch.int32, device=device())
    dist.all_reduce(known, dist.ReduceOp.MAX)
    places = [place for place, spoken in enumerate(known.tolist()) if spoken]
    for place in places:
        if grads[place] is None:
            grads[place] = torch.zeros_like(variables[place].value)
    for bucket in buckets([grads[place] for place in places]):
        flat = torch.cat([grad.reshape(-1) for grad in bucket])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for grad, mean in zip(bucket, flat.split([grad.numel() for grad in bucket])):
            grad.copy_(mean.view(grad.shape))
    return grads


def buckets(grads):
    """Lists of gradients of one type that are sent at once, the last layers' first."""
    bucket, size = [], 0
    for grad in reversed(grads):
        if bucket and (size >= BUCKET or grad.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(grad)
        size += grad.numel() * grad.element_size()
    if bucket:
        yield bucket
