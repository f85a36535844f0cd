"""What `kseg evaluate` and `kseg predict` say and write of an instance model."""

import dataclasses
import json

COLUMNS = {
    "box_ap": "box AP",
    "mask_ap": "mask AP",
    "pq": "PQ",
    "sq": "SQ",
    "rq": "RQ",
}


def print_scores(console, source, scores):
    """Prints a table of classes, and one of IoUs and areas."""
    from rich import box
    from rich.table import Table

    title = (
        f"{source.name}: {scores['images']} images, {scores['objects']:,} objects, "
        f"{scores['detections']:,} detections"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("class")
    for heading in (*COLUMNS.values(), "objects"):
        table.add_column(heading, justify="right")
    for name, row in scores["classes"].items():
        table.add_row(name, *(f"{row[key]:.3f}" for key in COLUMNS), f"{row['objects']:,}")
    table.add_section()
    means = (f"{scores[key]:.3f}" for key in COLUMNS)
    table.add_row("mean", *means, f"{scores['objects']:,}")
    console.print(table)

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("", "AP", "AP50", "AP75", "small", "medium", "large"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind in ("box", "mask"):
        keys = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
        table.add_row(kind, *(f"{scores[f'{kind}_{key}']:.3f}" for key in keys))
    console.print(table)


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
    from kseg import report
    from kseg.data.coco_json import of_mask
    from kseg.evaluate_instances import results
    from kseg.predict import predict
    from kseg.runs import replacing

    found = predict(model, image, min_score=min_score)
    runs = dataclasses.replace(found, masks=[of_mask(mask) for mask in found.masks])
    listed = results(runs, path.name, range(1, run.num_classes + 1))
    for each, class_id in zip(listed, found.classes):
        each["category"] = run.class_names[class_id]
    picture = report.found_objects(image, found, run.class_names)
    report.save(picture, path.with_name(f"{path.name}_overlay.png"))
    file = path.with_name(f"{path.name}.json")
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(listed, indent=1) + "\n")
    return file
