"""TensorFlow's own words as it starts, kept off the terminal: the command has words of its own.

Its C++ parts write a dozen lines as it is imported, and heed no variable of the environment until
then (2.21). So standard error is held back there, and only there: what a crash in the middle of a
training says is seen.
"""

import contextlib
import logging
import os
import sys
import tempfile

from kseg.base.imports import when_imported

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # set by the user, it lets everything through that it says


def silence_tensorflow():
    """From now on TensorFlow starts without a word, unless the user has asked for them."""
    if LEVEL in os.environ:
        return
    os.environ[LEVEL] = "3"  # heeded only once it has been imported
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    when_imported("tensorflow", lambda: None, within=silenced)


@contextlib.contextmanager
def silenced():
    """What is written to standard error within it is dropped, by C++ too; kept if it ends in an
    error."""
    with tempfile.TemporaryFile() as written, contextlib.ExitStack() as restored:
        sys.stderr.flush()
        before = os.dup(2)
        restored.callback(os.close, before)
        restored.callback(os.dup2, before, 2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(before, 2)
            written.seek(0)
            os.write(2, written.read())
            raise
        finally:
            sys.stderr.flush()
