"""Why a sample cannot be read: its files looked at one by one, with Pillow."""

import os

from kseg.checks.mask_values import wrong_colors, wrong_values
from kseg.data.bad_files import fault_of, file_of, files_of, look_at, size_mismatch, undecodable
from kseg.data.embedded import is_embedded
from kseg.data.errors import DataError, data_error
from kseg.data.files import load_mask, start_of
from kseg.data.listing import ARRAYS

ORIENTATION = 274  # EXIF tag: 1 upright, 2..4 flipped or upside down, 5..8 on its side


ON_ITS_SIDE = (5, 6, 7, 8)


SIGNATURES = (  # first bytes of a file -> format
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x93NUMPY", "NumPy"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"version https://git-lfs", "Git LFS pointer"),
)


USUAL = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WebP", "JPEG 2000", "NumPy", "NumPy's npz")


def format_of(start):
    """The format of a file by its first 32 bytes, whatever its name; None if it is none of ours."""
    for signature, name in SIGNATURES:
        if start.startswith(signature):
            return name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[4:8] == b"ftyp":
        return "AVIF" if start[8:12] == b"avif" else "HEIF or video"
    return None


def orientation_of(file):
    """The EXIF orientation of an image file or stream, 1..8; 1 if there is none."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.getexif().get(ORIENTATION, 1)
    except Exception:  # reported elsewhere, or of no consequence
        return 1


def why_unreadable(source, index, error):
    """`(kind, file, message)` of each reason why a sample cannot be read.

    Args:
        source, index: The sample.
        error: What was raised when it was read: the last resort.
    """
    photo, mask = file_of(source, "image", index), file_of(source, "label", index)
    masks = [mask, *(p for name in ("labels", "instances") for p in files_of(source, name, index))]
    seen = [_broken(each, "image") for each in files_of(source, "image", index)]
    seen += [_broken(each, "label") for each in masks]
    seen += [_broken(each, "weight") for each in files_of(source, "weight", index)]
    problems = [problem for problem in seen if problem]
    if not problems and (fault := undecodable(source, index)):
        problems = [(fault.kind, fault.subject, fault.message)]
    fault = data_error(error)
    of_weights = fault.subject in files_of(source, "weight", index)
    if mask and not (problems or of_weights) and source.task == "semantic":
        problems = _of_the_pair(source, photo, mask, fault)
    if photo and not (problems or of_weights):
        problems = _of_other_size(photo, masks)
    if problems:
        return problems
    fault = fault_of(source, index, error)
    if fault.kind == "unreadable":
        return [(fault.kind, fault.subject, fault.message)]
    if fault.kind == "size_mismatch" and photo and orientation_of(photo) in ON_ITS_SIDE:
        return [("exif_rotation", photo, f"{fault.message} EXIF turns this photo.")]
    if fault.kind in ("size_mismatch", "mask_value"):  # whose remedy stands in `findings.KINDS`
        return [(fault.kind, fault.subject, fault.message)]
    kind = fault.kind if fault.kind == "unsuitable" else "unreadable"
    return [(kind, fault.subject, str(fault))]


def _of_other_size(photo, masks):
    """Masks, each a whole file, that are of another size than their photo.

    Asked of the files: in the graph, what the sizes break may be heard of before them.
    """
    size, problems = look_at(photo).shape[:2], []
    for mask in filter(None, masks):
        shape = look_at(mask, "label").shape
        if shape[:2] != size:
            problems.append(("size_mismatch", mask, size_mismatch(repr(mask), size, shape)))
    return problems


def _broken(file, column):
    """What is wrong with a photo (`"image"`) or a mask (`"label"`) by itself, or None."""
    if not file:
        return None
    if not os.path.isfile(file):
        return "unreadable", file, f"{file!r} does not exist."
    if not os.path.getsize(file):
        return "empty_file", file, f"{file!r} is empty, 0 bytes."
    kind = _format(file)
    if kind not in USUAL and not (is_embedded(file) or _opens(file)):
        what = f"a {kind} file" if kind else "no image"
        return "wrong_format", file, f"{file!r} is {what}, whatever its name says."
    try:
        look_at(file, column)
    except DataError as error:
        kind = "unsuitable" if error.kind == "unsuitable" else "unreadable"
        return kind, file, error.message
    return None


def _opens(file):
    """Whether a file of a format without a name here is a photo all the same, as PGM and TGA."""
    try:
        look_at(file)
    except DataError:
        return False
    return True


def _of_the_pair(source, photo, mask, fault):
    """What is wrong with a photo and its mask, each a whole image file; `fault`, a `DataError`, is
    what was raised when they were read."""
    problems = []
    values = load_mask(mask)
    if photo:
        size = look_at(photo).shape[:2]
        if size != values.shape[:2]:
            text = size_mismatch(repr(mask), size, values.shape)
            turned = orientation_of(photo) in ON_ITS_SIDE and size == values.shape[1::-1]
            file = photo if turned else mask
            problems.append(("exif_rotation" if turned else "size_mismatch", file, text))
    if _format(mask) == "JPEG":
        return [*problems, ("jpeg_mask", mask, f"{mask!r} is a JPEG file.")]
    kind = seen = None
    if values.ndim == 2:
        kind, seen = wrong_values(values, source)
    elif fault.kind == "color_mask":
        kind, seen = "color_mask", "this is a colour mask, but ids were expected"
    elif fault.kind == "unknown_id":
        kind, seen = wrong_colors(values, source)
    if kind and seen:
        problems.append((kind, mask, f"{mask!r}: {seen}."))
    elif fault.kind == "unknown_id":
        problems.append(("unknown_id", mask, fault.message))
    return problems


def _format(file):
    kind = format_of(start_of(file))
    return "NumPy's npz" if kind == "ZIP" and file.lower().endswith(ARRAYS) else kind
