"""What to learn from held-out cells about when to trust a label, and what to look for in the cells that are annotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from sc_annotate._core.arguments import Request, Unset, default, one_of, public
from sc_annotate.errors import InputError

Calibration = Literal["auto", "temperature", "isotonic", "venn_abers"]
Scheme = Literal["folds", "split"]
SetScore = Literal["lac", "aps", "raps"]
SetsBy = Literal["marginal", "label", "clustered"]
Align = Literal["auto", "shift"]

COVERAGE = 0.9
FALSE_POSITIVE_RATE = 0.05
MIN_CONFIDENCE = 0.5
MIN_OVERLAP = 0.1
"""With 9 genes in common other tools still label every cell."""

FITTED = ("calibration", "scheme", "set_score", "sets_by")
"""Settings of a fitted model."""
PREDICTED = ("false_positive_rate", "check_quality", "min_overlap", "min_confidence")
"""What to look for when cells are annotated."""


@public
@dataclass(frozen=True, kw_only=True)
class Options(Request):
    """Settings of confidence, prediction sets and statuses, for ``trust=`` of :func:`sc_annotate.tl.annotate`.

    Parameters
    ----------
    calibration
        How probabilities are calibrated, on reference cells that the model was not fitted on: ``"auto"`` (temperature
        scaling where it lowers their log loss, else not), ``"temperature"``, ``"isotonic"`` or ``"venn_abers"``. One that
        raises the log loss of cells that it was not fitted on is not kept, with a warning. None: not at all, and without
        prediction sets and out-of-distribution scores, which come from the same cells.
    scheme
        ``"folds"``: every reference cell is held out once and the model then fitted on all of them. ``"split"``: a fifth
        of the cells is held out for good, which the guarantee of the sets strictly needs.
    set_score
        Nonconformity score of the prediction sets: ``"lac"``, ``"aps"`` or ``"raps"``.
    sets_by
        ``"marginal"``: the coverage holds over all cells. ``"label"``: for each type with enough cells.
        ``"clustered"``: over groups of types.
    min_confidence
        Smallest calibrated confidence with which a cell can get the status ``"confident"``.
    false_positive_rate
        Share of cells of known types that may get the status ``"unfamiliar"``. None: cells out of distribution are not
        looked for, which takes a fraction of the time.
    check_quality
        Whether cells that look empty, like two cells, or like ambient RNA get the status ``"low_quality"``. None: where
        there are counts, in the matrix that is used or in ``layers["counts"]`` for the same genes; doublets and ambient RNA
        only where the reference has counts too. See :func:`sc_annotate.trust.low_quality`.
    min_overlap
        Smallest share of the genes of the smaller side that both sides must have in common. At least 50 genes are needed
        in any case (90 % of a smaller panel).
    align
        Whether a shift of the whole query against the reference is estimated and taken off, of linear methods (``logreg``,
        ``linear_svm``, ``lda``). ``"auto"``: where that lowered the log loss on the reference's own batches, each held out in
        turn (``batch_key``); not for fewer than 50 cells, for a matrix on disk or of Dask, where most cells are shallow, or where
        the shift is far larger than between batches of the reference. ``"shift"``: in any case. None: never. The label of a
        cell then depends on the other cells of the query. Confidence and sets of a model are learned as it will be used.

    Raises
    ------
    InputError
        A value that is none of the choices, or settings of prediction sets without a calibration.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> trust = sca.trust.Options(set_score="aps", false_positive_rate=None)
    >>> sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", trust=trust)
    >>> "annotation_unfamiliarity" in query.obs
    False
    """

    calibration: Calibration | None = default("auto")
    scheme: Scheme = default("folds")
    set_score: SetScore = default("lac")
    sets_by: SetsBy = default("marginal")
    min_confidence: float = default(MIN_CONFIDENCE)
    false_positive_rate: float | None = default(FALSE_POSITIVE_RATE)
    check_quality: bool | None = default(None)
    min_overlap: float = default(MIN_OVERLAP)
    align: Align | None = default("auto")

    def check(self) -> None:
        """Refuse what is none of the choices, and what has no effect without calibration."""
        word = self.calibration
        if word is not None and not (isinstance(word, str) and word in get_args(Calibration)):
            raise InputError(f"there is no calibration {word!r}; choose {', '.join(get_args(Calibration))}, or None.")
        least = self.min_confidence
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least <= 1:
            raise InputError(f"trust.min_confidence must be a number between 0 and 1, not {least!r}.")
        for name, choices in (("scheme", Scheme), ("set_score", SetScore), ("sets_by", SetsBy)):
            one_of(getattr(self, name), f"trust.{name}", get_args(choices))
        one_of(self.align, "trust.align", (*get_args(Align), None))
        if self.false_positive_rate is not None:
            check_share(self.false_positive_rate, "trust.false_positive_rate")
        if self.check_quality is not None and not isinstance(self.check_quality, bool | np.bool_):
            raise InputError(
                f"trust.check_quality must be True, False or None (where adata has counts), not {self.check_quality!r}."
            )
        overlap = self.min_overlap
        if isinstance(overlap, bool) or not isinstance(overlap, int | float) or not 0 <= overlap <= 1:
            raise InputError(f"trust.min_overlap must be a share between 0 and 1, not {overlap!r}.")
        if self.calibration is None:
            without = self.written.intersection(("scheme", "set_score", "sets_by", "min_confidence"))
            without |= (
                {"false_positive_rate"} if self.false_positive_rate and "false_positive_rate" in self.written else set()
            )
            without |= {"check_quality"} if self.check_quality else set()
            if without:
                raise InputError(
                    f"trust: {', '.join(sorted(without))} need held-out cells, which calibration=None does without. Choose a "
                    "calibration, or leave them out."
                )


def as_options(trust: Any) -> Options:
    """Options, from what a caller wrote for ``trust=``: options, a word for the calibration, or None for none."""
    if isinstance(trust, Options):
        return trust
    if isinstance(trust, Unset):
        return Options()
    if trust is not None and not isinstance(trust, str):
        raise InputError(
            "trust must be sca.trust.Options(...), a word for its calibration such as 'temperature', or None for off, not "
            f"{trust!r}."
        )
    return Options(calibration=cast("Calibration | None", trust))


def check_share(value: Any, name: str) -> None:
    """Refuse what is no number between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise InputError(f"{name} must be a number between 0 and 1, both excluded, not {value!r}.")
