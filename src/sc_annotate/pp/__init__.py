"""Preprocessing: look at data before it is used."""

from sc_annotate.pp._inspect import Inspection, inspect

__all__ = ["Inspection", "inspect"]
