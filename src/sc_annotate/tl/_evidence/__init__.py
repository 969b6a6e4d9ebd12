"""The genes behind each call."""
