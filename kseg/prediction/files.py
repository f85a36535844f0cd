"""TODO"""

import dataclasses
import json

from kseg.models.contract import is_instance


def predict_files(run, photos, output, min_score=None):
    """Writes NAME.png (ids), or NAME.json (objects), and NAME_overlay.png; returns their paths."""
    from kseg.data.files import load_photo

    names = [photo.stem for photo in photos]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(
            f"Several photos are called {sorted(repeated)[0]!r}: their masks would overwrite each "
            "other. Predict them into different folders."
        )
    model = run.load_model()
    if is_instance(model):
        score = 0.5 if min_score is None else min_score
        return [
            predict_file(model, load_photo(photo), run, output / photo.stem, score)
            for photo in photos
        ]
    if min_score is not None:
        raise ValueError(f"--min-score {min_score} goes with instance models: leave it out.")
    return [_predict_labels(model, load_photo(photo), run, output / photo.stem) for photo in photos]


def _predict_labels(model, image, run, path):
    import numpy as np

    from kseg.pictures.image import overlay, save
    from kseg.prediction.predict import predict

    labels = predict(model, image)
    mask = path.with_name(f"{path.name}.png")
    save(labels.astype(np.uint8), mask)
    picture = overlay(image, labels, run.colors, void=run.void)
    save(picture, path.with_name(f"{path.name}_overlay.png"))
    return mask


def predict_file(model, image, run, path, min_score):
    """Writes the objects of a photo as COCO's results, and an overlay.

    Args:
        model: An instance model.
        image: uint8 `(H, W, 3)`.
        run: The `Run` of the model.
        path: Without ending: the files are `path` with `.json` and `_overlay.png`.
        min_score: As for `kseg.predict`.

    Returns:
        The path of the JSON file: a list of COCO results, whose `image_id` is the photo's name and
        whose `category_id`, 1, 2, 3, ..., has its name beside it as `category`.
    """
    from kseg.base.atomic import replacing
    from kseg.data.coco_format.results import of_mask, results
    from kseg.pictures.image import save
    from kseg.pictures.instance import found_objects
    from kseg.prediction.predict import predict

    found = predict(model, image, min_score=min_score)
    runs = dataclasses.replace(found, masks=[of_mask(mask) for mask in found.masks])
    listed = results(runs, path.name, range(1, run.num_classes + 1))
    for each, class_id in zip(listed, found.classes):
        each["category"] = run.class_names[class_id]
    picture = found_objects(image, found, run.class_names)
    save(picture, path.with_name(f"{path.name}_overlay.png"))
    file = path.with_name(f"{path.name}.json")
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(listed, indent=1) + "\n")
    return file
