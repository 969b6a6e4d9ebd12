"""The genes behind each label."""
