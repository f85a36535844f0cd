"""Which files below a folder are photos and which are their masks: found by looking at the names.

Every file is read as `{}` and something more: a folder of a role (`images/{}`), a word before or
after (`img_{}`, `{}_mask`), an ending. Files with the same something are a family, and two families
with the same texts for `{}` are photos and masks. Words tell which is which, or the endings: a JPEG
is no mask.
"""

import collections
import os
import re
from typing import NamedTuple

from kseg.data.listing import MASKS, PHOTOS
from kseg.data.pairs import HOLE

OF_MASKS = (
    "mask masks msk label labels lbl annotation annotations annot gt groundtruth seg segm segs "
    "segmentation segmentations segmentationclass segmentationclasspng target targets trimap "
    "trimaps labelstr truth l y mattes matte manual labelids"
).split()
OF_PHOTOS = (
    "image images img imgs photo photos picture pictures jpegimages rgb sat input inputs data raw "
    "original imagestr x frames frame scan leftimg8bit"
).split()
# What is drawn from either, and is none: no mask of ids
OTHERS = "visualization vis viz overlay overlays color preview pred prediction predictions".split()
NNUNET = "0000"  # the channel of a photo in nnU-Net, the one number that is a word
MOST = 20_000  # files looked at
WORD = re.compile(r"[A-Za-z]+\d?")


class Family(NamedTuple):
    """What files have in common beside `{}`; as a pattern, `pattern`."""

    before: bool  # whether there is a hole before the folder
    role: str | None  # a folder, None for none
    start: str  # of the name
    end: str
    ending: str  # "" for any

    @property
    def pattern(self):
        folder = f"{self.role}/" if self.role else ""
        name = f"{self.start}{HOLE}{self.end}" if self.start is not None else self.end
        return f"{f'{HOLE}/' if self.before else ''}{folder}{name}{self.ending}"

    @property
    def words(self):
        pieces = f"{self.role or ''} {self.start or ''} {self.end}"
        return set(re.split(r"[\W_]+", pieces.lower())) - {""}

    @property
    def fixed(self):
        """How much is said, of two families of the same files the less the better."""
        return len(self.pattern) - len(self.ending)


def find_pairs(files):
    """Patterns of photos and of masks.

    Args:
        files: Paths with `/`, as `kseg.data.pairs.files_below` gives them.

    Returns:
        List of `(photos, masks)`, each of as many pairs of files; several where names do not tell,
        and none where nothing fits.

    Example:

    >>> find_pairs(["1_sat.jpg", "1_mask.png", "2_sat.jpg", "2_mask.png", "notes.txt"])
    [('{}_sat.jpg', '{}_mask.png')]
    >>> find_pairs(["train/img/a.jpg", "train/gt/a.png", "val/img/b.jpg", "val/gt/b.png"])
    [('{}/img/{}.jpg', '{}/gt/{}.png')]
    """
    pictures = [file for file in files if file.lower().endswith((*PHOTOS, *MASKS))][:MOST]
    families = _families(pictures)
    shared = collections.Counter()
    by_key = collections.defaultdict(list)
    for family, members in families.items():
        for key in members:
            by_key[key].append(family)
    for members in by_key.values():
        for photo in members:
            for mask in members:
                if _may_be(photo, mask):
                    shared[photo, mask] += 1
    return _best(families, shared)


def _families(pictures):
    """Family -> text for its holes -> file; families in which two files have one text are none."""
    families = collections.defaultdict(dict)
    doubled = set()
    for file in pictures:
        for family, key in _readings(file):
            if families[family].setdefault(key, file) != file:
                doubled.add(family)
    return {family: of for family, of in families.items() if family not in doubled}


def _readings(file):
    """Every `(Family, key)` that a path may be of."""
    *folders, name = file.split("/")
    stem, ending = os.path.splitext(name)
    ending = ending.lower()
    for at in range(-1, len(folders)):
        role = folders[at] if at >= 0 else None
        before = "/".join(folders[:at]) if at > 0 else ""
        after = "".join(f"{each}/" for each in (folders[at + 1 :] if at >= 0 else folders))
        for start, core, end in _pieces(stem):
            key = (before, after + core)
            for ending_of in (ending, ""):
                yield Family(at > 0, role, start, end, ending_of), key
        if at == 0:  # train/a.jpg, train_masks/a.png
            for start_of, core_of, end_of in _pieces(role, of_folder=True):
                folder = f"{start_of}{HOLE}{end_of}"
                for start, core, end in _pieces(stem):
                    for ending_of in (ending, ""):
                        yield Family(False, folder, start, end, ending_of), (core_of, after + core)
        if (before or after) and WORD.fullmatch(stem) and at < 0:  # case1/image.png
            yield Family(False, None, None, f"{HOLE}/{stem}", ending), ("", after)


def _pieces(stem, of_folder=False):
    """`(start, core, end)` of a name: a word and what parts it from the rest may be left out."""
    starts, ends = [""], [""]
    if found := re.match(r"([A-Za-z]+)[-_. ]+(?=.)|([A-Za-z]{1,12})(?=\d)", stem):
        starts.append(found[0])
    if found := re.search(r"[-_. ]+([A-Za-z][A-Za-z0-9]*|0000)$", stem):
        ends.append(found[0])
    if found := re.search(r"(?<=\d)([A-Za-z]{2,12})$", stem):
        ends.append(found[0])
    if of_folder and (found := re.search(r"(?<=[a-z])(annot|masks?|labels?|gt|seg)$", stem)):
        ends.append(found[0])
    for start in starts:
        for end in ends:
            core = stem[len(start) : len(stem) - len(end)]
            if core and len(start) + len(end) < len(stem):
                yield start, core, end


def _may_be(photo, mask):
    """Whether names allow that one family are photos and the other their masks."""
    if photo == mask or photo.before != mask.before or bool(photo.ending) != bool(mask.ending):
        return False
    if mask.ending and mask.ending.lower() not in MASKS:
        return False
    if photo.ending and photo.ending.lower() not in PHOTOS:
        return False
    if mask.words & set(OTHERS) or photo.words & set(OTHERS):
        return False
    return _sureness(photo, mask) > 0


def _sureness(photo, mask):
    """How much speaks for these being photos and masks and not the other way round."""
    of_masks, of_photos = (set(words) for words in (OF_MASKS, OF_PHOTOS))
    own_mask, own_photo = mask.words & of_masks, photo.words & of_photos
    wrong = len(photo.words - mask.words & of_masks) if photo.words & of_masks - mask.words else 0
    sure = 2 * bool(own_mask - photo.words) + bool(own_photo - mask.words) - 2 * bool(wrong)
    sure -= 2 * bool(mask.words & of_photos - photo.words and not own_mask)
    return sure + (photo.ending.lower() in (".jpg", ".jpeg") and mask.ending.lower() in MASKS)


def _best(families, shared):
    """The patterns of the pairs that take most files in, the surest and the simplest of them."""
    if not shared:
        return []

    def rank(pair):
        photo, mask = pair
        whole = shared[pair] == len(families[photo])
        spare = abs(len(families[mask]) - shared[pair])
        return shared[pair], whole, -spare, _sureness(*pair)

    top = max(map(rank, shared))
    equal = [pair for pair in shared if rank(pair) == top]
    simplest = {}
    for photo, mask in sorted(equal, key=lambda p: (p[0].fixed + p[1].fixed, not p[0].ending)):
        same = frozenset(
            (families[photo][key], families[mask][key])
            for key in families[photo].keys() & families[mask].keys()
        )
        simplest.setdefault(same, (photo.pattern, mask.pattern))
    return list(simplest.values())
