"""Readers: one file for each layout of a data set on disk, each of which returns a `Source`."""
