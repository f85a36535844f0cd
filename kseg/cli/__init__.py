"""The `kseg` command: a module for each command, with its arguments and what it does."""
