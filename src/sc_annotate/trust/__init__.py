"""When a label can be trusted: arrays in, arrays out."""

from __future__ import annotations

from sc_annotate.trust.calibration import CALIBRATORS, Calibrator, Temperature, Uncalibrated, make_calibrator
from sc_annotate.trust.choice import cross_fit
from sc_annotate.trust.conformal import Conformal
from sc_annotate.trust.consensus import Consensus, consensus, disagreement
from sc_annotate.trust.familiarity import Familiarity
from sc_annotate.trust.groups import Groups
from sc_annotate.trust.isotonic import Isotonic
from sc_annotate.trust.levels import Levels
from sc_annotate.trust.nonconformity import nonconformity
from sc_annotate.trust.options import Options
from sc_annotate.trust.profiles import Profiles
from sc_annotate.trust.quality import low_quality, quality_measures
from sc_annotate.trust.rollup import common_term, roll_up
from sc_annotate.trust.shift import Shift, estimate_shift
from sc_annotate.trust.thinning import thin
from sc_annotate.trust.venn_abers import VennAbers
from sc_annotate.trust.voting import Votes, vote
from sc_annotate.trust.weights import pool_weights

__all__ = [
    "CALIBRATORS",
    "Calibrator",
    "Conformal",
    "Consensus",
    "Familiarity",
    "Groups",
    "Isotonic",
    "Levels",
    "Options",
    "Profiles",
    "Shift",
    "Temperature",
    "Uncalibrated",
    "VennAbers",
    "Votes",
    "common_term",
    "consensus",
    "cross_fit",
    "disagreement",
    "estimate_shift",
    "low_quality",
    "make_calibrator",
    "nonconformity",
    "pool_weights",
    "quality_measures",
    "roll_up",
    "thin",
    "vote",
]
