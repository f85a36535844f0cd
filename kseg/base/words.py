"""In whose words something is said: Python's, or those of the command that is being run."""

import contextlib
import contextvars

_spoken = contextvars.ContextVar("spoken", default=str)


def say(text):
    """Prints a line at once, in the words of whoever asked."""
    print(_spoken.get()(text), flush=True)


@contextlib.contextmanager
def spoken_as(function):
    """Within it, `say` says what `function` makes of a text.

    >>> with spoken_as(str.upper):
    ...     say("values=(0, 255)")
    VALUES=(0, 255)
    """
    token = _spoken.set(function)
    try:
        yield
    finally:
        _spoken.reset(token)
