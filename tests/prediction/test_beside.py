"""Photos are read and written beside the one that is answered, without a change in what is told."""

import threading

import pytest

from kseg.base.words import say, spoken_as
from kseg.prediction import beside as module
from kseg.prediction.beside import Beside

pytestmark = pytest.mark.once("torch")


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setattr(module, "WORKERS", 1)


def failing(word):
    raise OSError(f"no room for {word}")


def test_reading_and_writing_do_not_wait_for_what_is_between(monkeypatch):
    """Each of both goes on while the caller holds on to a photo; neither runs away from it."""
    monkeypatch.setattr(module, "WORKERS", 2)
    read, written, looked = [], threading.Event(), []

    def write(item):
        written.set()

    with Beside() as beside:
        for item, image in beside.ahead(lambda item: read.append(item) or item, [1, 2, 3, 4]):
            assert image() == item
            if looked:
                assert written.wait(10)  # of the one before: it would never be set from here
                written.clear()
            assert len(read) <= item + 1
            beside.write(write, item, pixels=1)
            looked.append(item)
    assert looked == read == [1, 2, 3, 4]


def test_an_error_of_reading_is_raised_where_it_is_asked_for():
    with Beside() as beside:
        pairs = beside.ahead(lambda item: 1 / item, [1, 0, 2])
        assert next(pairs)[1]() == 1
        with pytest.raises(ZeroDivisionError):
            next(pairs)[1]()
        assert next(pairs)[1]() == 0.5


def test_an_error_of_writing_ends_it():
    """As if each were written before the next is answered: the first error is raised."""
    done = []
    with pytest.raises(OSError, match="no room for b"), Beside() as beside:
        for number, word in enumerate("abcdefgh"):
            beside.write(failing if word in "bd" else done.append, word, pixels=1)
            assert number < 6
    assert done[0] == "a" and "h" not in done


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_answered_is_written_before_another_error(error):
    done, go = [], threading.Event()
    with pytest.raises(error), Beside() as beside:
        beside.write(go.wait, 10, pixels=1)
        beside.write(done.append, "b", pixels=1)
        go.set()
        raise error
    assert done == ["b"]


def test_an_interruption_stays_one_where_writing_fails_too():
    with pytest.raises(KeyboardInterrupt), Beside() as beside:
        beside.write(failing, "a", pixels=1)
        raise KeyboardInterrupt


def test_few_pixels_wait():
    """A large photo is written by the caller, whom Ctrl-C stops, after those that waited."""
    done = []
    with Beside() as beside:
        beside.write(done.append, "a", pixels=module.PIXELS)
        beside.write(lambda: done.append(threading.current_thread()), pixels=module.PIXELS + 1)
        assert done == ["a", threading.main_thread()]


def test_words_are_those_of_the_command(capsys):
    with spoken_as(str.upper), Beside() as beside:
        beside.write(say, "epochs", pixels=1)
    assert capsys.readouterr().out == "EPOCHS\n"
