"""The pipeline behind predicting, evaluating and comparing perturbations."""
