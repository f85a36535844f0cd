"""Photos that come twice: the same bytes, the same pixels, or a re-encoded or resized copy.

Copies are told by a thumbnail of 32x32 greys: two photos are near-duplicates if no grey differs by
more than `TOLERANCE`. On CamVid the most alike consecutive frames, of a car standing still, differ
by 19; JPEG at quality 15 and resizing to 0.4 times change the greys by 5 at most. Buckets of a bit
hash (LSH) would miss some pairs; the k-d tree used here gives every pair within the tolerance.
"""

import collections

import numpy as np

from kseg.data.bad_files import file_of

TOLERANCE = 10  # grey levels of 256


SHALLOW = 8  # a photo of less contrast than this many tolerances gets a smaller one


ASPECT = 0.03  # copies keep the ratio of width to height; to a few hundredths, by rounding


BORDER = 8  # places where a mask changes, below which equal masks prove nothing


def duplicate_problems(sources, seen):
    """Photos and masks that come twice, as the problems that `findings.group` takes.

    Args:
        sources: The splits of one set.
        seen: For each, the `Facts` of its samples.
    """
    samples = _read(sources, seen)
    same = _groups(samples, lambda facts: facts.pixels)
    copies = {}  # position -> the first of its group
    for group in same:
        copies.update(dict.fromkeys(group, group[0]))
        yield from _photos(samples, group, same=True)
    for pair in near_duplicates([facts for _, facts in samples]):
        first, second = (copies.setdefault(position, position) for position in pair)
        if first != second:
            copies.update({k: first for k, v in copies.items() if v == second})
            yield from _photos(samples, pair, same=False)
    for group in _groups(samples, lambda facts: facts.mask):
        facts = samples[group[0]][1]
        different = len({copies.get(position, position) for position in group}) > 1
        trivial = np.count_nonzero(facts.counts) < 2 or facts.border < BORDER
        if different and not trivial:
            files = [_name(samples[position], "label") for position in group]
            message = f"{files[0]!r} and {files[1]!r} are identical, their photos are not."
            where = _sources(samples[position] for position in group)
            for position, file in zip(group, files):
                source, facts = samples[position]
                yield "duplicate_mask", where, (source.name, facts.index), file, message


def shared_photos(sources, seen):
    """Photos of which the very pixels are in several of the sources; as `duplicate_problems`."""
    samples = _read(sources, seen)
    for group in _groups(samples, lambda facts: facts.pixels):
        if len({samples[position][0].name for position in group}) > 1:
            yield from _photos(samples, group, same=True)


def near_duplicates(facts):
    """Pairs of positions of photos that are copies of each other, but for encoding and size."""
    if len(facts) < 2:
        return []
    thumbnails = np.stack([f.thumbnail for f in facts]).reshape(len(facts), -1)
    first, second = _near_pairs(thumbnails).T
    contrast = np.ptp(thumbnails, axis=1).astype(np.int16)
    tolerance = np.minimum(TOLERANCE, contrast // SHALLOW)
    tolerance = np.minimum(tolerance[first], tolerance[second])
    aspects = np.array([f.size[1] / f.size[0] for f in facts])
    maybe = (tolerance >= 1) & (np.abs(aspects[first] / aspects[second] - 1) <= ASPECT)
    return sorted(
        (i, j)
        for i, j, most in zip(*(each[maybe].tolist() for each in (first, second, tolerance)))
        if np.abs(thumbnails[i].astype(np.int16) - thumbnails[j]).max() <= most
    )


def _near_pairs(thumbnails):
    """All pairs of thumbnails `(N, 1024)` that may be within the tolerance: `(P, 2)`, i < j.

    The mean of a block of greys moves no further than its greys may: means of 16 blocks decide.
    """
    from scipy.spatial import cKDTree

    means = thumbnails.reshape(-1, 4, 8, 4, 8).mean((2, 4), dtype=np.float32).reshape(-1, 16)
    return cKDTree(means).query_pairs(TOLERANCE, p=np.inf, output_type="ndarray")


def _read(sources, seen):
    """Pairs of source and facts of the samples whose pixels are known."""
    pairs = ((source, facts) for source, listed in zip(sources, seen) for facts in listed)
    return [(source, facts) for source, facts in pairs if facts.pixels is not None]


def _groups(samples, key):
    """Positions of the samples with equal keys, two and more."""
    positions = collections.defaultdict(list)
    for position, (_, facts) in enumerate(samples):
        if key(facts) is not None:
            positions[key(facts)].append(position)
    return [group for group in positions.values() if len(group) > 1]


def _photos(samples, group, same):
    """The problems of one group of copies."""
    members = [samples[position] for position in group]
    files = [_name(member, "image") for member in members]
    where = _sources(members)
    shared = ", " in where
    if same:
        contents = {facts.content for _, facts in members}
        how = "the same file" if len(contents) == 1 and None not in contents else "the same pixels"
        kind = "shared_photo" if shared else "duplicate_photo"
    else:
        how, kind = "copies but for size or encoding", "near_duplicate"
    masks = {facts.mask for _, facts in members if facts.mask is not None}
    masks = ", with different masks" if same and len(masks) > 1 else ""
    home = members[0][0].name
    second = next(f for f, (s, _) in zip(files[1:], members[1:]) if not shared or s.name != home)
    message = f"{files[0]!r} and {second!r} are {how}{masks}."
    for (source, facts), file in zip(members, files):
        yield kind, where, (source.name, facts.index), file, message


def _sources(members):
    """The names of their sources, each once."""
    return ", ".join(dict.fromkeys(source.name for source, _ in members))


def _name(sample, column):
    source, facts = sample
    return file_of(source, column, facts.index) or source.ids[facts.index]
