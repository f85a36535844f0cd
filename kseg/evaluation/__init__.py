"""Models scored on labelled data: numbers first, then tables of them.

evaluate.py   `kseg.evaluate`, for every task
semantic.py   scores of labels; multilabel.py of several a pixel; instance.py of objects: a module
              a task, with the same names
columns.py    what can be scored of labels beyond the confusion matrix
scores.py     what comes of it: a dict; table.py  scores as rows of text
"""
