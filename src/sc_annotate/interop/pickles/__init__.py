"""Pickles followed without running them."""
