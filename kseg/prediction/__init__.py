"""Photos in, answers out, at the photos' own size.

predict.py    `kseg.predict`, for every task
semantic.py   class ids; multilabel.py several classes a pixel; instance.py objects: a module a
              task, with the same names
results.py    what the answers are
batching.py   photos of one size, together
files.py      answers written beside one another in a folder
predictor.py  a model with the names and colours of its classes
"""
