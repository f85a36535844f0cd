"""The devices that share each step of a training: of one machine, or of many.

`finding.opened` finds them; what the engine asks of them says `one.Devices`; `started.py` reads how
the program was started. A file for each backend.
"""
