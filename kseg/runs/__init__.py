"""The run folder: what a training leaves behind and everything later starts from."""
