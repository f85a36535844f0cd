"""Mask R-CNN (He et al. 2017) on a feature pyramid.

build.py       `build_mask_rcnn`
model.py       the model's class: what `fit`, `predict` and saving need
trunk.py       encoder, pyramid and region proposal head, as one functional model
pyramid.py     the feature pyramid
heads.py       the heads: region proposals, boxes, masks
proposals.py   from scores and deltas of anchors to regions worth a look
detections.py  from regions to boxes, classes, scores and masks
learning.py    which object an anchor or a region learns from
losses.py      the five losses
"""
