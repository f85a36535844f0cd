"""Errors about data: their fields survive pickling, and the way through TensorFlow's text."""

import pickle

import pytest
import tensorflow as tf

from kseg.data.bad_files import size_mismatch
from kseg.data.errors import DataError, MissingData, data_error, require

SUBJECTS = ("masks/a.png", '/tmp/é/it\'s "b" \\n.png', "C:\\new\\303\\x41.png", "")
REMEDY = "Draw the mask again, with 'quotes' and ü."


def checked(number, subject, late=False):
    """Fails for numbers from 2 on, with a message that is made then, or there anyway."""

    def message():
        return tf.strings.format("the mask holds {}\n, of {}.", (number, tf.eye(2)))

    require(number < 2, "unknown_id", subject, message if late else message(), REMEDY)
    return number


def eagerly(subject, late):
    checked(tf.constant(2), subject, late)


def in_a_graph(subject, late):
    tf.function(checked, autograph=False)(tf.constant(2), tf.constant(subject), late)


def in_a_pipeline(subject, late):
    list(tf.data.Dataset.range(4).map(lambda number: checked(number, subject, late)))


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("late", [False, True], ids=["text", "function"])
@pytest.mark.parametrize("run", [eagerly, in_a_graph, in_a_pipeline])
def test_fields_pass_through_tensorflow(run, late, subject):
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        run(subject, late)
    error = data_error(raised.value)
    assert (error.kind, error.subject, error.remedy) == ("unknown_id", subject, REMEDY)
    text = "the mask holds 2 , of [[1 0] [0 1]]."
    assert error.message == (f"{subject!r}: {text}" if subject else text)
    assert str(error) == f"{error.message} {REMEDY}"


def test_what_holds_passes():
    numbers = tf.data.Dataset.range(2).map(lambda number: checked(number, "a.png"))
    assert [int(number) for number in numbers] == [0, 1]


def test_sizes_that_differ_are_width_by_height():
    assert size_mismatch("'m.png'", (20, 30, 3), (21, 31)) == (
        "'m.png': the mask is 31x21 but its image is 30x20 pixels (width x height)."
    )


def test_errors_of_others_are_unreadable():
    error = data_error(OSError("boom"))
    assert (error.kind, error.subject, str(error)) == ("unreadable", "", "cannot be read (boom).")
    with pytest.raises(tf.errors.OpError) as raised:
        tf.io.decode_png(b"no image")
    error = data_error(raised.value)
    assert error.kind == "unreadable" and "{{" not in str(error) and "[Op:" not in str(error)


@pytest.mark.parametrize("kind", [DataError, MissingData])
def test_fields_survive_pickling(kind):
    error = kind("missing", "a.png", "'a.png' does not exist.", "Unpack it.")
    again = pickle.loads(pickle.dumps(error))
    for each in (error, again):
        assert type(each) is kind and isinstance(each, ValueError)
        assert isinstance(each, FileNotFoundError) == (kind is MissingData)
        assert str(each) == "'a.png' does not exist. Unpack it."
        assert (each.kind, each.subject, each.remedy) == ("missing", "a.png", "Unpack it.")
    assert data_error(error) is error
    assert str(kind("missing", "a", "'a' is missing.")) == "'a' is missing."
