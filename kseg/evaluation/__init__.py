"""Models scored on labelled data: numbers first, then tables of them.

evaluate.py   `kseg.evaluate`, for every task; compare.py  `kseg.compare`, two models
semantic.py   scores of labels; multilabel.py of several a pixel; instance.py of objects: a module
              a task, with the same names
tally.py      what is kept of each image; objects.py  of objects
columns.py    what can be scored of labels beyond the confusion matrix
groups.py     images that belong together; resampling.py  how sure a score is
protocol.py   what a score depends on beside the model
scores.py     what comes of it: a dict; table.py  scores as rows of text
"""
