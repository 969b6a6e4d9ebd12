"""The command line ``sc-annotate``."""

from sc_annotate.cli.main import main

__all__ = ["main"]
