"""The parts of Mask R-CNN: pyramid, heads, proposals, losses, detections, and the model's class."""
