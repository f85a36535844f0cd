"""The fifteen common corruptions of Hendrycks and Dietterich 2019, each in five severities.

corrupt.py   one photo, or a whole `Source`, corrupted
noise.py     Gaussian, shot and impulse noise
blur.py      defocus, frosted glass, motion, zoom
weather.py   snow, frost, fog, brightness
digital.py   contrast, elastic deformation, pixelation, JPEG
fields.py    what several are made of: smooth random fields, filters

Each is a function `(photo, severity, random) -> photo` of float32 `(H, W, bands)` in 0..1, whose
result need not be held within that, with the paper's strengths in a table above it.
"""
