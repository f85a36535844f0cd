"""The one place that says which kseg this is."""

__version__ = "0.1.0"
