"""TODO"""

import re

from kseg.base.tensorflow import tensorflow

OWN = "kseg: "  # what the messages of `kseg.data.decode.require` start with


def own_words(error):
    """The text of an error; of `kseg.data.decode.require`, without TensorFlow's wrapping."""
    message = getattr(error, "message", None) or str(error)
    _, _, text = message.partition(OWN)
    text = text or re.sub(r"^({{.*?}} *)+| *\[Op:.*", "", message)
    return text.split("\n")[0].rstrip("'\"] ").replace('\\"', "'")


def require(condition, message):
    """Fails the step in flight with `message()`, a string tensor, unless `condition` holds.

    The message starts with "kseg: ", by which `kseg.data.bad_files` knows it for our own. It is
    put together only when it is needed.
    """
    tf = tensorflow()

    def fail():
        tf.debugging.Assert(False, [tf.strings.join(["kseg: ", message()])])
        return False

    tf.cond(condition, lambda: True, fail)
