"""What a report counts photo by photo, beside the numbers of `kseg.evaluate`.

semantic.py    of labels: a score a photo, borders, groups
multilabel.py  of several a pixel: these, and calibration
instance.py    of objects: a score a photo, sizes, calibration, classes: the same functions
borders.py     where the wrong pixels lie
"""
