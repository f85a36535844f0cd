"""Writes the reference outputs of torchvision that the tests of Mask R-CNN here compare with.

    python tests/parity/make_mask_rcnn.py [PHOTOS]     writes mask_rcnn.npz beside this file
    python tests/parity/make_mask_rcnn.py check DIR    kseg's own state dicts, read by torchvision

PHOTOS is COCO's folder train2017, for the photos named in `REAL`; without it their numbers are
left out. Needs torch 2.13, torchvision 0.28 and Pillow, and neither Keras nor kseg.

What torchvision computes in stages is recorded by hooks on the whole model, so that each number
comes out of an unchanged forward pass; only resizing (where it is not the subject) and the random
choice of samples are replaced. Every case is also run in float64: where rounding decides what is
detected, a case is useless as a reference, and the run stops.

`check` loads DIR/NAME.pth, as `kseg.weights.write` writes it, into `maskrcnn_resnet50_fpn` (NAME
"maskrcnn_resnet50_fpn"), with batch norm that trains and frozen, or into the models of `MODELS`.
"""

import sys
import zlib
from pathlib import Path

import mask_rcnn_cases as cases
import numpy as np
import torch
import torchvision_reference  # noqa: F401  (must come before torchvision)
from torchvision import __version__ as torchvision_version
from torchvision.models import resnet
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn, roi_heads
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.transform import _resize_image_and_masks
from torchvision.ops.misc import FrozenBatchNorm2d

CHANNELS = {"resnet18": (64, 128, 256, 512), "resnet50": (256, 512, 1024, 2048)}
SIZES, RATIOS = ((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5
CLASSES = cases.NUM_CLASSES + 1
CLEAR = 5e-5  # between the scores of the last detection and the first one left out


def build(name, *, epsilon=1e-5, dtype=torch.float32):
    """torchvision's model with the weights of `cases.tensor`, at inference; it resizes nothing."""
    norm = FrozenBatchNorm2d
    trunk = getattr(resnet, name)(weights=None, norm_layer=lambda n: norm(n, eps=epsilon))
    backbone = BackboneWithFPN(
        trunk,
        {f"layer{i + 1}": str(i) for i in range(4)},
        CHANNELS[name],
        cases.FPN_WIDTH,
    )
    model = MaskRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(SIZES, RATIOS),
        rpn_pre_nms_top_n_train=cases.TRAIN_PROPOSALS,
        rpn_pre_nms_top_n_test=cases.PREDICT_PROPOSALS,
        rpn_post_nms_top_n_train=cases.TRAIN_PROPOSALS,
        rpn_post_nms_top_n_test=cases.PREDICT_PROPOSALS,
        rpn_batch_size_per_image=cases.ANCHOR_SAMPLES,
        box_head=TwoMLPHead(cases.FPN_WIDTH * 49, cases.BOX_WIDTH),
        box_predictor=FastRCNNPredictor(cases.BOX_WIDTH, CLASSES),
        box_detections_per_img=cases.DETECTIONS,
        box_batch_size_per_image=cases.REGION_SAMPLES,
        mask_head=MaskRCNNHeads(cases.FPN_WIDTH, (cases.MASK_WIDTH,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(cases.MASK_WIDTH, cases.MASK_WIDTH, CLASSES),
    )
    state = {
        key: torch.from_numpy(cases.tensor(key, tuple(value.shape)))
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(state, strict=True)
    model.transform.resize = lambda image, target=None: (image, target)
    keep_small_masks(model)
    return model.eval().to(dtype)


class Recorded:
    """Keeps what modules of a model return, by the modules' names, as of the last pass."""

    MODULES = ("transform", "backbone", "rpn.head", "rpn.anchor_generator", "rpn")

    def __init__(self, model):
        self.outputs = {}
        for name in self.MODULES:
            model.get_submodule(name).register_forward_hook(self._keep(name))
        filter_proposals = model.rpn.filter_proposals

        def keep_scores(*arguments):
            self.outputs["proposals"] = filter_proposals(*arguments)
            return self.outputs["proposals"]

        model.rpn.filter_proposals = keep_scores

    def _keep(self, name):
        def hook(module, arguments, output):
            self.outputs[name] = output

        return hook


def images_of(photos, dtype=torch.float32):
    """Photos as torchvision takes them: `(3, H, W)` in 0..1, not yet normalised."""
    return [torch.from_numpy(p.transpose(2, 0, 1).copy()).to(dtype) / 255 for p in photos]


def inference(model, photos, out, *, every_stage):
    """Adds a batch's outputs to `out`: stages if asked for, and what is detected."""
    recorded = Recorded(model)
    with torch.inference_mode():
        results = model(images_of(photos))
    outputs = recorded.outputs
    features = outputs["backbone"]
    for level, feature in features.items():
        out[f"fpn/{level}"] = cases.thin_feature(_last(feature))
    if every_stage:
        anchors = outputs["rpn.anchor_generator"][0].numpy()
        assert (anchors == anchors.astype("int16")).all()
        out["anchors"] = anchors.astype("int16")
        logits, deltas = _anchor_rows(*outputs["rpn.head"])
        out["rpn/logits"], out["rpn/deltas"] = map(cases.thin_anchors, (logits, deltas))
        for i, boxes in enumerate(outputs["proposals"][0]):
            out[f"proposals/{i}/boxes"] = boxes.numpy()
        regions(model, features, photos, out)
    for i, result in enumerate(results):
        detections(result, f"detections/{i}", out)
        counts = np.bincount(result["labels"].numpy(), minlength=CLASSES)[1:]
        scores = result["scores"].numpy()
        print("   results", len(scores), "a class", counts, "scores", scores.min(), scores.max())
    return results


def detections(result, name, out):
    """One image's boxes, labels from 0, scores, and of some detections the masks, as pasted."""
    out[f"{name}/boxes"], out[f"{name}/scores"] = _numpy(result["boxes"], result["scores"])
    out[f"{name}/labels"] = result["labels"].numpy().astype("uint8") - 1
    small = cases.thin_detections(result["small_masks"].numpy())
    pasted = cases.thin_pasted(result["masks"][:, 0].numpy())
    out[f"{name}/small_masks"], out[f"{name}/masks"] = map(cases.fixed_point, (small, pasted))


def regions(model, features, photos, out):
    """What the heads say about given boxes, the same number in each image."""
    sizes = [p.shape[:2] for p in photos]
    boxes = [torch.from_numpy(cases.regions(*size)) for size in sizes]
    heads = model.roi_heads
    with torch.inference_mode():
        pooled = heads.box_roi_pool(features, boxes, sizes)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        mask_pooled = heads.mask_roi_pool(features, boxes, sizes)
        masks = heads.mask_predictor(heads.mask_head(mask_pooled))
    out["regions/box_features"] = cases.thin_regions(_last(pooled))
    out["regions/mask_features"] = cases.thin_regions(_last(mask_pooled))[:, ::2, ::2]
    out["regions/class_logits"], out["regions/box_deltas"] = logits.numpy(), deltas.numpy()
    out["regions/mask_logits"] = _last(masks)[:, ::3, ::3]
    print("   masks: share above a half", float((masks > 0).float().mean()))


def keep_small_masks(model):
    """Lets results hold the 28 x 28 masks as well as the pasted."""
    postprocess = model.transform.postprocess

    def keep(result, image_shapes, original_sizes):
        small = [r["masks"][:, 0].clone() for r in result]
        result = postprocess(result, image_shapes, original_sizes)
        return [{**r, "small_masks": s} for r, s in zip(result, small)]

    model.transform.postprocess = keep


def same_in_double(name, photos, results):
    """Stops where float64 detects something else, or nearly would."""
    double = build(name, dtype=torch.float64)
    double.roi_heads.detections_per_img += 1  # to see how close the first one left out is
    with torch.inference_mode():
        precise = double(images_of(photos, torch.float64))
    for a, b in zip(results, precise):
        count = len(a["scores"])
        cut = float(b["scores"][count - 1] - b["scores"][count]) if len(b["scores"]) > count else 1
        b = {key: values[:count] for key, values in b.items()}
        if cut < CLEAR or len(b["labels"]) < count or (a["labels"] != b["labels"]).any():
            raise SystemExit(f"{name}: rounding decides what is detected; choose another photo.")
        boxes = (a["boxes"] - b["boxes"]).abs().max()
        scores = (a["scores"] - b["scores"]).abs().max()
        print("   float64: boxes", float(boxes), "scores", float(scores), "cut", cut)


class FirstOnes:
    """In place of torchvision's sampler: the first positives and negatives, in order."""

    def __init__(self, sampler):
        self.count, self.fraction = sampler.batch_size_per_image, sampler.positive_fraction

    def __call__(self, labels):
        chosen = [self._choose(x) for x in labels]
        self.chosen = chosen
        return tuple(zip(*chosen))

    def _choose(self, labels):
        positive, negative = torch.where(labels >= 1)[0], torch.where(labels == 0)[0]
        positive = positive[: int(self.count * self.fraction)]
        # one in seven of the negatives: the first alone lie along the upper border
        negative = negative[::7][: self.count - len(positive)]
        masks = torch.zeros((2, len(labels)), dtype=torch.uint8)
        masks[0, positive], masks[1, negative] = 1, 1
        return masks[0], masks[1]


def training(model, out):
    """Adds targets, samples, losses and the gradients' norms of a training step to `out`."""
    photos = cases.photos("three")
    truth = [
        {
            "boxes": torch.from_numpy(boxes),
            "labels": torch.from_numpy(labels).long() + 1,
            "masks": torch.from_numpy(masks),
        }
        for boxes, labels, masks in cases.targets()
    ]
    model.train()
    recorded, kept = Recorded(model), {}
    model.rpn.fg_bg_sampler = FirstOnes(model.rpn.fg_bg_sampler)
    model.roi_heads.fg_bg_sampler = FirstOnes(model.roi_heads.fg_bg_sampler)
    _keep_result(model.rpn, "assign_targets_to_anchors", kept)
    _keep_result(model.rpn.box_coder, "encode", kept)
    _keep_result(model.roi_heads, "assign_targets_to_proposals", kept)
    _keep_result(model.roi_heads, "select_training_samples", kept)
    project, mask_targets = roi_heads.project_masks_on_boxes, []

    def keep_masks(*arguments):
        mask_targets.append(project(*arguments))
        return mask_targets[-1]

    roi_heads.project_masks_on_boxes = keep_masks
    losses = model(images_of(photos), truth)
    roi_heads.project_masks_on_boxes = project

    labels, _ = kept["assign_targets_to_anchors"]
    assigned, class_ids = kept["assign_targets_to_proposals"]
    rois, matched, sampled_ids, deltas = kept["select_training_samples"]
    for i in range(len(photos)):
        positive, negative = (torch.where(x)[0] for x in model.rpn.fg_bg_sampler.chosen[i])
        part = {
            "anchor_labels": labels[i].to(torch.int8),
            "anchor_positive": positive.int(),
            "anchor_negative": negative.int(),
            "anchor_deltas": kept["encode"][i][positive],
            "proposals": recorded.outputs["proposals"][0][i],
            "proposal_labels": class_ids[i].to(torch.int8) - 1,  # of the proposals and the truth
            "proposal_matches": assigned[i].to(torch.int8),
            "rois": rois[i],
            "roi_labels": sampled_ids[i].to(torch.int8) - 1,
            "roi_matches": matched[i].to(torch.int8),
            "roi_deltas": deltas[i],
            "mask_targets": mask_targets[i],  # of the RoIs of an object, in order
        }
        out |= {f"{i}/{name}": value.detach().numpy() for name, value in part.items()}
        print("   anchors", len(positive), len(negative), "RoIs", (sampled_ids[i] > 0).sum().item())
    for name, value in losses.items():
        out[f"losses/{name.removeprefix('loss_')}"] = np.float32(value.item())
        print("   loss", name, value.item())
    sum(losses.values()).backward()
    gradients = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    out["gradient_keys"] = np.array(sorted(gradients))
    out["gradient_norms"] = np.array([float(gradients[k].norm()) for k in sorted(gradients)])


def _keep_result(owner, name, kept):
    """Keeps the first result; copies of its lists, which torchvision goes on to change."""
    method = getattr(owner, name)

    def keep(*arguments):
        result = method(*arguments)
        copied = [list(x) if isinstance(x, list) else x for x in result]
        kept.setdefault(name, copied)
        return result

    setattr(owner, name, keep)


def default_transform(out):
    """Resizing to 800 and 1333 pixels: sizes, a photo, and what is then detected."""
    sizes = [(h, w) for h in cases.SIDES for w in cases.SIDES if max(h, w) <= 64 * min(h, w)]
    resized = []
    for h, w in sizes:
        image, _ = _resize_image_and_masks(torch.zeros((1, h, w)), 800, 1333)
        resized.append(image.shape[-2:])
    out["sizes"] = np.array([[*a, *b] for a, b in zip(sizes, resized)], "int16")

    photo = cases.photo(*cases.RESIZED)
    model = build("resnet18")
    del model.transform.resize  # torchvision's own again
    recorded = Recorded(model)
    with torch.inference_mode():
        (results,) = model(images_of([photo]))
    images = recorded.outputs["transform"][0]
    h, w = images.image_sizes[0]
    out["photo"] = cases.thin_photo(_last(images.tensors)[0, :h, :w])
    detections(results, "detections", out)


def golden_anchors(out):
    """The anchors of an 800 x 1333 image, padded to 800 x 1344: a fingerprint and some corners."""
    grids = [(200, 336), (100, 168), (50, 84), (25, 42), (13, 21)]
    images = ImageList(torch.zeros((1, 3, 800, 1344)), [(800, 1333)])
    anchors = AnchorGenerator(SIZES, RATIOS)(images, [torch.zeros((1, 1, *g)) for g in grids])[0]
    starts = np.cumsum([0] + [3 * h * w for h, w in grids])
    out["count"], out["crc32"] = len(anchors), np.uint32(zlib.crc32(anchors.numpy().tobytes()))
    rows = np.concatenate([[s, s + 1, s + 2, s + 3, e - 1] for s, e in zip(starts, starts[1:])])
    out["rows"], out["values"] = rows, anchors[rows].numpy()


def structure(out):
    """Names, shapes and numbers of parameters of the published architecture."""
    frozen, trained = published()
    keys = {key: value.shape for key, value in frozen.state_dict().items()}
    out["keys"] = np.array(cases.names_and_shapes(keys))
    out["counters"] = np.array(sorted(set(trained.state_dict()) - set(keys)))
    counts = [sum(p.numel() for p in m.parameters()) for m in (frozen, trained)]
    out["parameters"] = np.array(counts)  # batch norm's gamma and beta are buffers where frozen
    print("parameters", counts, "keys", len(keys), "counters", len(out["counters"]))


def published(num_classes=91):
    """maskrcnn_resnet50_fpn with frozen batch norm, as the published weights have it, and without.

    torchvision freezes batch norm where it loads weights, which nothing here can download.
    """
    trained = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=num_classes)
    trunk = resnet.resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    layers = {f"layer{i + 1}": str(i) for i in range(4)}
    backbone = BackboneWithFPN(trunk, layers, CHANNELS["resnet50"], 256)
    return MaskRCNN(backbone, num_classes), trained


def write(folder):
    out = {"torch": torch.__version__, "torchvision": torchvision_version}
    structure(_under(out, "structure"))
    golden_anchors(_under(out, "anchors800"))
    for name, batches in {"resnet18": cases.BATCHES, "resnet50": ["one"]}.items():
        for batch in batches:
            print(name, batch)
            photos = cases.photos(batch)
            model = build(name)
            part = _under(out, f"{name}/{batch}")
            results = inference(model, photos, part, every_stage=name == "resnet18")
            same_in_double(name, photos, results)
    print("epsilon 0")
    inference(
        build("resnet18", epsilon=0.0),
        cases.photos("one"),
        _under(out, "epsilon0"),
        every_stage=False,
    )
    print("training")
    training(build("resnet18"), _under(out, "training"))
    print("default transform")
    default_transform(_under(out, "resize"))
    boxes, masks, size = cases.pasting()
    pasted = roi_heads.paste_masks_in_image(
        torch.from_numpy(masks)[:, None], torch.from_numpy(boxes), size
    )
    out["paste"] = pasted[:, 0].numpy()
    if folder:
        from PIL import Image

        for file in cases.REAL:
            print(file)
            photo = np.asarray(Image.open(folder / file).convert("RGB"))
            results = inference(
                build("resnet18"), [photo], _under(out, f"real/{file}"), every_stage=False
            )
            same_in_double("resnet18", [photo], results)
    out = {key: np.asarray(value) for key, value in out.items()}
    np.savez_compressed(cases.FILE, **out)
    print(cases.FILE.name, cases.FILE.stat().st_size, "bytes")
    for key, value in sorted(out.items(), key=lambda item: -item[1].nbytes)[:12]:
        print("  ", key, value.dtype, value.shape, value.nbytes)


def check(folder):
    """Do kseg's state dicts load strictly?"""
    for name in ("maskrcnn_resnet50_fpn", *cases.MODELS):
        file = folder / f"{name}.pth"
        if not file.exists():
            print(name, "not there")
            continue
        state = torch.load(file, weights_only=True)
        classes = len(state["roi_heads.box_predictor.cls_score.bias"])
        models = published(classes) if name not in cases.MODELS else [build(name)]
        for model in models:
            print(name, model.load_state_dict(dict(state), strict=True))


class _under(dict):
    """A view of a dict for the keys below a name."""

    def __init__(self, out, name):
        self.out, self.name = out, name

    def __setitem__(self, key, value):
        self.out[f"{self.name}/{key}"] = value

    def __getitem__(self, key):
        return self.out[f"{self.name}/{key}"]

    def __ior__(self, other):
        for key, value in other.items():
            self[key] = value
        return self


def _anchor_rows(logits, deltas):
    """Lists of `(B, A, h, w)` and `(B, 4 A, h, w)` -> `(B, anchors)` and `(B, anchors, 4)`."""
    batch = len(logits[0])
    logits = [_last(x).reshape(batch, -1) for x in logits]
    deltas = [_last(x).reshape(batch, -1, 4) for x in deltas]
    return np.concatenate(logits, axis=1), np.concatenate(deltas, axis=1)


def _last(x):
    """`(B, C, H, W)` of torch -> NumPy `(B, H, W, C)`."""
    return x.permute(0, 2, 3, 1).numpy()


def _numpy(*tensors):
    return [x.numpy() for x in tensors]


if __name__ == "__main__":
    torch.manual_seed(0)
    if sys.argv[1:2] == ["check"]:
        check(Path(sys.argv[2]))
    else:
        write(Path(sys.argv[1]) if sys.argv[1:] else None)
