"""How good predicted perturbations are: metrics of profiles, conditions x genes.

A profile is the mean log-normalised expression of a condition, absolute and not a change. `truth` and `predicted` hold
the same conditions and genes in the same order; a condition that was not predicted is a row of NaN. There is one value
a condition, and it is NaN where the metric is undefined, never 0.

No one of these is enough. The mean of the training profiles does well by `pearson_delta` and `overlap_at_n` wherever
perturbed cells share a shift from the control; `centroid_accuracy`, `perturbation_discrimination`, `sd_ratio` and
`pearson_delta` measured from the mean of the perturbed profiles show that it predicts the same for every perturbation.
"""

from __future__ import annotations

from sc_annotate.metrics._perturbation_cells import energy_distance
from sc_annotate.metrics._perturbation_de import overlap_at_n, precision_at_n
from sc_annotate.metrics._perturbation_errors import l2, pearson_delta, sd_ratio, sign_accuracy, top_expressed
from sc_annotate.metrics._perturbation_ranks import centroid_accuracy, inverse_rank, perturbation_discrimination
from sc_annotate.metrics._perturbation_replicates import replicate_ceiling
from sc_annotate.metrics._perturbation_weights import de_weights, weighted_mse, weighted_r2

__all__ = [
    "centroid_accuracy",
    "de_weights",
    "energy_distance",
    "inverse_rank",
    "l2",
    "overlap_at_n",
    "pearson_delta",
    "perturbation_discrimination",
    "precision_at_n",
    "replicate_ceiling",
    "sd_ratio",
    "sign_accuracy",
    "top_expressed",
    "weighted_mse",
    "weighted_r2",
]
