"""What an exported model computes, as TensorFlow graphs: photos in, answers out.

Nothing here is Python at serving time: everything is traced once and saved.
"""
