"""The pipeline behind ``annotate``: open, fit or load, predict, decide what to trust, store."""
