"""What every room may use, and what knows nothing of images.

arguments.py   checks of what users pass, in one dialect
optional.py    packages of kseg's extras, and what to say where one is missing
atomic.py      files that appear whole or not at all
outputs.py     files to be written, beside what is there
colors.py      colours of classes and objects
shown.py       what `repr` and a notebook show
types.py       names for annotations
lazy.py        names that are imported when they are asked for
imports.py     something done when a package is imported
tensorflow.py  TensorFlow on first use; platform.py  what computes
version.py     which kseg this is
"""
