"""No file of a user's is written over, whatever it is called."""

import os
from pathlib import Path

import pytest

from kseg.base.outputs import check_outputs, place


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with a photo in `photos`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.png").write_text("photo")
    return tmp_path


def output(path):
    return [("output", path)]


@pytest.mark.parametrize(
    "spelling", ["photos/a.png", "./photos/../photos/a.png", "{here}/photos/a.png"]
)
@pytest.mark.parametrize("read", ["photos/a.png", "{here}/photos/./a.png", "photos"])
def test_what_is_read_is_not_written(here, spelling, read):
    spelling, read = (each.format(here=here) for each in (spelling, read))
    with pytest.raises(ValueError, match="^output='.*a.png': expected .* read"):
        check_outputs(output(spelling), [read], overwrite=True)


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_links_to_what_is_read(here, make):
    make(here / "photos/a.png", here / "link.png")
    with pytest.raises(ValueError, match="link.png.*which would be lost"):
        check_outputs(output("link.png"), ["photos/a.png"], overwrite=True)
    with pytest.raises(ValueError, match="which would be lost"):  # and the other way round
        check_outputs(output("photos/a.png"), ["link.png"], overwrite=True)


def test_a_link_to_the_folder_of_what_is_read(here):
    (here / "masks").symlink_to("photos")
    with pytest.raises(ValueError, match="which would be lost"):
        check_outputs(output("masks/a.png"), ["photos/a.png"], overwrite=True)
    with pytest.raises(ValueError, match="not there yet in 'photos', whose files are read"):
        check_outputs(output("masks/a.png"), ["photos"], overwrite=True)
    check_outputs(output("masks/new.png"), ["photos", "photos/a.png"])  # harms nothing


def test_what_is_there_is_replaced_only_on_request(here):
    for name, target in (("file", None), ("dangling", "nowhere")):
        path = here / name
        path.symlink_to(target) if target else path.write_text("")
        with pytest.raises(FileExistsError, match=f"output='{name}'.*overwrite=True to replace"):
            check_outputs(output(name))
        check_outputs(output(name), overwrite=True)
    with pytest.raises(ValueError, match="this is a folder"):
        check_outputs(output("photos"), overwrite=True)
    # of several the first that is there is named, and how many are
    several = [("output", name) for name in ("new", "file", "photos/a.png")]
    with pytest.raises(FileExistsError, match=r"^output='file': .* \(2 of 3 are there\)"):
        check_outputs(several)
    with pytest.raises(FileExistsError, match=r"^output='file': .* \(1 of 2 are there\)"):
        check_outputs(several[:2])
    with pytest.raises(FileExistsError, match=r"not there yet\. Give"):
        check_outputs(several[1:2])


@pytest.mark.parametrize(
    "first, second",
    [
        ("a.png", "a.png"),
        ("a.png", "A.PNG"),
        ("a.png", "x/../a.png"),
        ("a.png", "{here}/a.png"),
        ("Stra\u00dfe.png", "STRASSE.png"),
        ("\u00e9.png", "e\u0301.png"),
        ("photos/b.png", "link/B.png"),
    ],
)
def test_two_outputs_are_two_files(here, first, second):
    (here / "link").symlink_to("photos")
    pair = [("json", first), ("html", second.format(here=here))]
    with pytest.raises(ValueError, match="^html='.*': expected another file than json="):
        check_outputs(pair)
    assert len({place(path) for _, path in pair}) == 1


def test_an_output_is_not_the_folder_of_another(here):
    with pytest.raises(ValueError, match="json='a/b': expected a file that is not within html='a'"):
        check_outputs([("json", "a/b"), ("html", "a")])


def test_a_file_in_the_way_of_a_folder(here):
    with pytest.raises(NotADirectoryError, match="photos/a.png' is a file"):
        check_outputs(output("photos/a.png/masks/a.png"))


def test_new_files_are_welcome(here):
    check_outputs([("json", "new/a.json"), ("html", Path("new/a.html"))], ["photos", "nowhere"])
