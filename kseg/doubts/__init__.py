"""Labels that a model contradicts, the most doubtful first.

find.py        `kseg.check_labels`: through a set, in constant memory
semantic.py    regions of labels; multilabel.py of several a pixel; instance.py objects: a module a
               task, with the same names
regions.py     connected pixels of one contradiction
doubts.py      what comes of it: a list, as a file for the tool that labels
"""
