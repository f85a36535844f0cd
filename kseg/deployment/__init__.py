"""From a model to a server or a device: exports, each compared with its model, and loading them.

`export` goes through one module a format (`formats`), and `SavedModel`s through `saved_model`. What
a comparison asks of each task is in one module a task, here and in `saved_model`.
"""
