"""Text files as people have them: UTF-8, UTF-16, and Windows-1252, which says so."""

import codecs
import io
import re
from pathlib import Path

from kseg.base.words import say
from kseg.data.errors import DataError

SIGNS = "\u20ac\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u00a7\u00b0"  # beside letters
FOREIGN = re.compile(r"[^\x00-\x7f]+")
LONGEST = 20  # half of a word that is shown
MOST = 2  # such letters beside each other; of Chinese or Cyrillic there are more


_said = set()  # folders and endings of files of which a line was said


def text_of(path):
    """The text of a file in UTF-8, or with Windows' mark (BOM) before it, or in UTF-16 with one.

    One in Windows-1252, as older programs write "Stra\u00dfe", is read so too, and a line says it.

    Raises:
        DataError: it is in none of these.
    """
    path = Path(path)
    text = text_in(path.read_bytes(), path)
    return io.StringIO(text, newline=None).read()  # of any line ends


def text_in(content, path):
    """The text of a file's bytes; see `text_of`."""
    try:
        return in_utf8(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = _of_windows(content)
        if text is None:
            message = f"{str(path)!r} is no text file ({error})."
            remedy = "Save it as plain text in UTF-8."
            raise DataError("malformed", path, message, remedy) from error
    _say_once(path, text)
    return text


def in_utf8(content):
    """The bytes of a text file as UTF-8: those of UTF-16, as Windows writes it, have a mark."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", "replace").encode()
    return content


def _of_windows(content):
    """Bytes as Windows-1252; None if they are hardly a text in it."""
    if not content.decode("utf-8", "ignore").isascii():
        return None  # some of it is in UTF-8: it is damaged, or of several encodings
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    is_text = all(char.isprintable() or char in "\t\r\n\f\xa0" for char in text)
    foreign = FOREIGN.findall(text)
    western = all(char.isalpha() or char in SIGNS for run in foreign for char in run)
    return text if is_text and western and max(map(len, foreign)) <= MOST else None


def _say_once(path, text):
    """Says it of the first file of a kind in a folder: there may be thousands."""
    path = Path(path)
    if (path.parent, path.suffix) in _said:
        return
    _said.add((path.parent, path.suffix))
    place = FOREIGN.search(text).start()
    around = re.split(r"[\s\"',;:]+", text[max(0, place - LONGEST) : place + LONGEST])
    word = next(word for word in around if not word.isascii())
    say(
        f"{path} is not in UTF-8: read as Windows-1252, as in {word!r}. If that is wrong, save it "
        "in UTF-8."
    )
