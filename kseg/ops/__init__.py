"""Pure functions of arrays with static shapes, in `keras.ops`, shared by the other rooms.

labels.py       one reading of labels, for losses and metrics
decisions.py    the winning class and its probability
depthwise.py    depthwise convolution, quick on every backend
boxes.py anchors.py matching.py nms.py roi_align.py masks.py   what Mask R-CNN is made of
resize.py paste.py   bilinear resizing, and masks in their boxes -> the photo; by NumPy too
fusion.py       objects of which several models, or views, speak; by NumPy too
"""
