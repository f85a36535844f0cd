"""Settings -> fit -> a run folder, resumable from any step.

fit.py        `kseg.fit`: the engine, for every task
settings.py   how to train
semantic.py   losses and scores of labels; multilabel.py of several a pixel; instance.py of objects:
              a module a task, the same names
callbacks.py  validation, history, checkpoints; stopping gently
progress.py   what is shown meanwhile
optimizers.py  the optimizer and its learning rate, by name
augmentation.py  what is done to the photos
"""
