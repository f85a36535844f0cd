"""COCO's format: its annotation files, its run-length encoded masks, its files of results."""
