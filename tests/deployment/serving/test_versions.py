"""TensorFlow Serving's folders: a version is there whole or not at all."""

import os

import pytest

from kseg.deployment.saved_model import versions


def write(folder, version=None, content="x"):
    with versions.new(folder, version) as (temporary, final):
        assert list(versions.present(folder)) == before(folder)
        (temporary / "saved_model.pb").write_text(content)
    return final[0]


def before(folder):
    return sorted(int(name) for name in os.listdir(folder) if name.isdecimal() and name.isascii())


def test_versions_count_on(tmp_path):
    folder = tmp_path / "street"
    assert list(versions.present(folder)) == []
    assert write(folder) == folder / "1"
    assert write(folder, 9) == folder / "9"
    assert write(folder) == folder / "10"
    assert list(versions.present(folder)) == [1, 9, 10] and versions.latest(folder) == folder / "10"
    assert sorted(os.listdir(folder)) == ["1", "10", "9"]
    # other users may read it, such as a server's
    assert (folder / "10").stat().st_mode & 0o777 == 0o755


def test_numbers_may_begin_with_zeros(tmp_path):
    for name in ("00000007", "00000100", "x", "٣"):
        (tmp_path / name).mkdir()
    assert versions.present(tmp_path) == {7: tmp_path / "00000007", 100: tmp_path / "00000100"}
    assert versions.latest(tmp_path) == tmp_path / "00000100"
    assert write(tmp_path) == tmp_path / "101"
    with pytest.raises(FileExistsError, match="version=7: .*00000007"):
        write(tmp_path, 7)


def test_what_fails_leaves_nothing(tmp_path):
    folder = tmp_path / "street"
    with pytest.raises(RuntimeError):
        with versions.new(folder) as (temporary, _):
            (temporary / "half").write_text("x")
            raise RuntimeError
    assert not folder.exists()
    write(folder)
    with pytest.raises(KeyboardInterrupt):
        with versions.new(folder):
            raise KeyboardInterrupt
    assert os.listdir(folder) == ["1"]


def test_two_exports_at_once_get_a_version_each(tmp_path):
    folder = tmp_path / "street"
    with versions.new(folder) as (slow, final):
        (slow / "a").write_text("slow")
        assert write(folder) == folder / "1"
    assert final == [folder / "2"] and (folder / "2" / "a").read_text() == "slow"


def test_a_version_is_never_written_over(tmp_path):
    write(tmp_path, 3, "first")
    with pytest.raises(FileExistsError, match="version=3.*another number"):
        write(tmp_path, 3, "second")
    assert (tmp_path / "3" / "saved_model.pb").read_text() == "first"
    for wrong in (0, -1, "2", 1.0):
        with pytest.raises(ValueError, match=f"version={wrong!r}"):
            write(tmp_path, wrong)
    with pytest.raises(FileNotFoundError, match="no version"):
        versions.latest(tmp_path / "nothing")
