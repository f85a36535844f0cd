"""A photo of any size -> its class ids, or its objects, at the same size."""

from kseg.data.files import as_array
from kseg.models.contract import is_instance
from kseg.ops.resize import check_resize
from kseg.prediction.instance import detect
from kseg.prediction.semantic import _resized_labels, labels_on_batch


def predict(model, images, *, resize=None, min_score=0.5, threshold=0.5, masks="binary"):
    """Predicts the class of every pixel, or finds the objects.

    Args:
        model: A kseg model, semantic or of instances.
        images: A path, a Pillow image, or an array `(H, W)`, `(H, W, 1)` or `(H, W, C)` of 0..255;
            or a list of those, of any sizes.
        resize: Of a semantic model: `(shortest, longest)` side in pixels that a photo gets for the
            network, its aspect kept; its logits are enlarged or shrunk back. Default None: photos
            go in as they are. An instance model says this itself.
        min_score: Of an instance model, as what follows: objects of a lower score are left out; 0
            keeps all that the model gives. Default 0.5.
        threshold: Probability from which on a pixel belongs to an object. Default 0.5.
        masks: `"binary"` (the default); `"probability"`; or `"rle"`, COCO's compressed runs, which
            pycocotools makes.

    Returns:
        Of a semantic model, an int32 array `(H, W)` of class ids at the image's own size; a binary
        model (one class) gives 1 where its probability is above one half. Of an instance model,
        `kseg.instances.Instances`, with boxes and masks in the image's own pixels. For a list of
        images, a list of them.

    Raises:
        FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape, or an
            option is out of its range or not the model's.
        ImportError: `masks="rle"` and pycocotools is not installed.

    Example:

    >>> mask = predict(model, "street.jpg")
    >>> mask.shape  # the photo's own
    (480, 640)
    >>> found = predict(mask_rcnn, "street.jpg", min_score=0.7)
    >>> found.boxes.shape, found.masks.shape
    ((7, 4), (7, 480, 640))
    """
    several = isinstance(images, (list, tuple))
    options = {"min_score": min_score, "threshold": threshold, "masks": masks}
    if is_instance(model):
        if resize is not None:
            raise ValueError(
                f"resize={resize!r} is of semantic models; this one was built with "
                f"resize={model.resize!r}."
            )
        arrays = (as_array(image, channels=3) for image in (images if several else [images]))
        found = [each for _, each in detect(model, enumerate(arrays), **options)]
        return found if several else found[0]
    for name, value in options.items():
        if value != predict.__kwdefaults__[name]:
            raise ValueError(f"{name}={value!r} is of instance models; this one labels pixels.")
    if several:
        return [predict(model, image, resize=resize) for image in images]
    image = as_array(images, channels=model.inputs[0].shape[-1])
    if resize is None:
        return labels_on_batch(model, image[None])[0]
    return _resized_labels(model, image, check_resize(resize))
