"""Predict perturbations and score predictions: the rooms behind the public calls."""
