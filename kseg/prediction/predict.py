"""A photo of any size -> its class ids, or its objects, at the same size."""

from kseg.data.files import as_array
from kseg.models.contract import contract, options, part


def predict(model, images, *, resize=None, min_score=None, threshold=None, masks=None):
    """Predicts the class of every pixel, or finds the objects.

    Args:
        model: A kseg model, semantic or of instances.
        images: A path, a Pillow image, or an array `(H, W)`, `(H, W, 1)` or `(H, W, C)` of 0..255;
            or a list of those, of any sizes.
        resize: Of a semantic model: `(shortest, longest)` side in pixels that a photo gets for the
            network, its aspect kept; its logits are enlarged or shrunk back. Default None: photos
            go in as they are. An instance model says this itself.
        min_score: Of an instance model, as what follows: objects of a lower score are left out; 0
            keeps all that the model gives. Default None: 0.5.
        threshold: Probability from which on a pixel belongs to an object. Default None: 0.5.
        masks: `"binary"`; `"probability"`; or `"rle"`, COCO's compressed runs, which pycocotools
            makes. Default None: binary.

    Returns:
        Of a semantic model, an int32 array `(H, W)` of class ids at the image's own size; a binary
        model (one class) gives 1 where its probability is above one half. Of an instance model,
        `kseg.prediction.results.Instances`, with boxes and masks in the image's own pixels. For a
        list of images, a list of them.

    Raises:
        FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape, or an
            option is out of its range or not the model's.
        ImportError: `masks="rle"` and pycocotools is not installed.

    Example:

    >>> mask = kseg.predict(model, "street.jpg")
    >>> mask.shape  # the photo's own
    (48, 64)
    >>> objects = kseg.predict(mask_rcnn, "street.jpg", min_score=0.0)
    >>> objects.boxes.shape[1:], objects.masks.shape[1:]
    ((4,), (48, 64))
    """
    given = {"resize": resize, "min_score": min_score, "threshold": threshold, "masks": masks}
    chosen = options("kseg.prediction", model, given)
    several = isinstance(images, (list, tuple))
    channels = contract(model).channels
    photos = (as_array(image, channels) for image in (images if several else [images]))
    results = list(part("kseg.prediction", model).predict(model, photos, **chosen))
    return results if several else results[0]
