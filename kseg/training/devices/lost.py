"""A worker that is gone: the others end, with a message that says how the run goes on."""

import contextlib
import re

# What gloo, NCCL and JAX' coordination say when another process does not answer any more
SIGNS = re.compile(
    r"Connection (closed|reset|refused)|closed by peer|Broken pipe|[Rr]emote process exited|"
    r"[Tt]imed out|Timed out waiting|socket.*(closed|error)|heartbeat|"
    r"another task|peer task|NCCL|gloo",
    re.IGNORECASE,
)


class WorkerLost(ConnectionError):
    """Another process of the training ended, or cannot be reached."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason

    def __str__(self):
        return (
            "a worker of this training is gone, or cannot be reached: look into its own output for "
            "the reason. What was learned up to the last checkpoint is kept: start the workers "
            f"again, as many or fewer, with resume=True. ({self.reason.splitlines()[0]})"
        )


@contextlib.contextmanager
def lost():
    """Within it, what a library raises because another process is gone becomes `WorkerLost`."""
    try:
        yield
    except WorkerLost:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("torch", "jax", "jaxlib", "builtins"):
            raise
        if isinstance(error, (ValueError, TypeError, KeyError, OSError)) and not isinstance(
            error, ConnectionError
        ):
            raise
        if not SIGNS.search(str(error)):
            raise
        raise WorkerLost(str(error)) from error
