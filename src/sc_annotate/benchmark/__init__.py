"""Runners that compare methods under equal conditions."""

from sc_annotate.benchmark._annotators import annotators

__all__ = ["annotators"]
