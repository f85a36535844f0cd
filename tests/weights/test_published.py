import hashlib
import re

import keras
import pytest

import kseg
from kseg.weights import published


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A local folder in place of the server, with one file of a right and one of a wrong name."""
    content = b"weights" * 1000
    digest = hashlib.sha256(content).hexdigest()
    folder = tmp_path / "server"
    folder.mkdir()
    files = {
        "IMAGENET1K_V1": "resnet50-01234567.pth",
        "IMAGENET1K_V2": f"resnet50-{digest[:8]}.pth",
    }
    for name in files.values():
        (folder / name).write_bytes(content)
    monkeypatch.setattr(published, "BASE", folder.as_uri() + "/")
    monkeypatch.setitem(published.FILES, "resnet50", files)
    return content


def test_fetch_downloads_once(mirror, tmp_path, monkeypatch):
    path = kseg.weights.fetch("resnet50", cache_dir=tmp_path)  # the best: the last in the table
    assert path.read_bytes() == mirror
    assert path.parent == tmp_path / "kseg"
    monkeypatch.setattr(published, "BASE", (tmp_path / "gone").as_uri() + "/")
    assert kseg.weights.fetch("resnet50", "IMAGENET1K_V2", cache_dir=tmp_path) == path


def test_a_file_that_is_not_the_published_one_is_refused(mirror, tmp_path):
    with pytest.raises(ValueError) as error:
        kseg.weights.fetch("resnet50", "IMAGENET1K_V1", cache_dir=tmp_path)
    message = str(error.value)
    assert "resnet50-01234567.pth" in message and "Delete it" in message
    assert hashlib.sha256(mirror).hexdigest()[:8] in message


def test_without_a_network_the_url_is_named(monkeypatch, tmp_path):
    def offline(**arguments):
        raise Exception(f"URL fetch failure on {arguments['origin']}: None -- no network")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(ConnectionError) as error:
        kseg.weights.fetch("fcn_resnet50", cache_dir=tmp_path)
    message = str(error.value)
    assert "https://download.pytorch.org/models/fcn_resnet50_coco-1167a1af.pth" in message
    assert "pass its path" in message


def test_every_name_carries_its_hash():
    names = [name for files in published.FILES.values() for name in files.values()]
    assert len(set(names)) == len(names) == 13
    for name in names:
        assert re.fullmatch(r"[a-z0-9_]+-[0-9a-f]{8}\.pth", name)


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("resnet51",), "model='resnet51': expected one of 'resnet18'"),
        (("resnet50", "V3"), "weights='V3': expected one of 'IMAGENET1K_V1', 'IMAGENET1K_V2'"),
    ],
)
def test_unknown_names_list_the_known(arguments, part):
    with pytest.raises(ValueError) as error:
        kseg.weights.fetch(*arguments)
    assert part in str(error.value)
