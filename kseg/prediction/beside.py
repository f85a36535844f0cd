"""What is done of photos beside the network: the next is read, those it answered are written.

Decoding a photo, and drawing and packing what is written of it, take a fifth of the time of a light
network on a CPU, and most of it on a GPU; none of them needs Python's lock for long.
"""

import collections
import concurrent.futures
import contextvars
import os

WORKERS = min(4, os.cpu_count() or 1)
PIXELS = 1 << 21  # of all photos that wait to be written: some 50 bytes each


class Beside:
    """Threads beside the one that computes; a context manager, which ends when all is written.

    Errors of what is written are raised at the next call, or in the end, and then nothing more is
    begun. After any other error, and after Ctrl-C, the few photos that wait are written: none of
    them is large. What begins a file ends it, so that none is left half-written.

    Example:

    >>> said = []
    >>> with Beside() as beside:
    ...     for word, read in beside.ahead(str.upper, ["a", "b"]):
    ...         beside.write(said.append, read(), pixels=1)
    >>> sorted(said)
    ['A', 'B']
    """

    def __init__(self):
        self._pool = concurrent.futures.ThreadPoolExecutor(WORKERS, "kseg")
        self._waiting = collections.deque()  # futures and pixels, in the order of the photos
        self._failed = False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if not self._failed:
                self.finish()
        except Exception:
            if kind is None or issubclass(kind, Exception):
                raise
        finally:
            self._pool.shutdown(cancel_futures=True)

    def ahead(self, function, items):
        """Yields each item, and what gives `function` of it, or raises what that raised.

        While one is looked at, the next is computed.
        """
        coming = None
        for place, item in enumerate(items):
            own = coming or self._begun(function, item)
            following = items[place + 1 : place + 2]
            coming = self._begun(function, *following) if following else None
            yield item, own.result

    def write(self, function, *args, pixels):
        """Calls a function in another thread, or here and now for a photo of many pixels."""
        while self._waiting and (self._waiting[0][0].done() or self._is_much(pixels)):
            self._end_first()
        if pixels > PIXELS:
            function(*args)
        else:
            self._waiting.append((self._begun(function, *args), pixels))

    def finish(self):
        """Waits until all is written."""
        while self._waiting:
            self._end_first()

    def _is_much(self, pixels):
        waiting = sum(each for _, each in self._waiting)
        return len(self._waiting) >= 2 * WORKERS or waiting + pixels > PIXELS

    def _end_first(self):
        written, _ = self._waiting.popleft()
        try:
            written.result()
        except Exception:
            self._failed = True
            raise

    def _begun(self, function, *args):
        # what is said there is said in the words of whoever asked here
        return self._pool.submit(contextvars.copy_context().run, function, *args)
