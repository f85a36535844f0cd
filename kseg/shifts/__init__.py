"""Photos unlike those that were learned from: how a model stands them, and gets used to them.

conditions.py   what photos are put under: corruptions, other scales, other light
robustness.py   `kseg.robustness`: a model scored under all of them
progress.py     what was scored already, kept in a file
classes.py      the classes of another data set
results.py      what comes of it: a dict, tables, CSV
adapt.py        `kseg.adapt`: statistics of batch norm from photos without labels
"""
