"""What libraries write to standard error as they start is held back, and nothing else."""

import logging
import os

import pytest

from kseg.base.quiet import LEVEL, silence_tensorflow, silenced


def write():
    """As C++ writes: past Python."""
    os.write(2, b"I0000 port.cc:153] oneDNN custom operations are on.\n")


def test_lines_are_dropped_within_and_only_there(capfd):
    with silenced():
        write()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_an_error_brings_them_back(capfd):
    with pytest.raises(ImportError, match="no such library"):
        with silenced():
            write()
            raise ImportError("no such library")
    assert "oneDNN custom" in capfd.readouterr().err
    write()
    assert "oneDNN custom" in capfd.readouterr().err


def test_who_has_asked_for_the_words_gets_them(monkeypatch):
    waiting = []
    monkeypatch.setattr("kseg.base.quiet.when_imported", lambda *_, **more: waiting.append(more))
    monkeypatch.setattr(logging.getLogger("tensorflow"), "level", logging.WARNING)
    monkeypatch.setattr(logging.getLogger("absl"), "level", logging.WARNING)
    monkeypatch.setenv(LEVEL, "0")
    silence_tensorflow()
    assert os.environ[LEVEL] == "0" and waiting == []
    assert logging.getLogger("tensorflow").level == logging.WARNING
    monkeypatch.delenv(LEVEL)
    silence_tensorflow()
    assert os.environ[LEVEL] == "3" and waiting == [{"within": silenced}]
    assert logging.getLogger("tensorflow").level == logging.ERROR
