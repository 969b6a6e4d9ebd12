"""Which perturbations a method could predict, before anything is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.conditions import as_targets, names_of
from sc_annotate.errors import InputError
from sc_annotate.perturbation.held_out import splits_of
from sc_annotate.perturbation.method import Method
from sc_annotate.perturbation.screen import Recorded, check_profiles, screen_of

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from sc_annotate.perturbation.requests import PredictionRequest
    from sc_annotate.predictors import Screen


def which_predictable(profiles: AnnData, request: PredictionRequest) -> pd.DataFrame:
    """Each condition with the reason why it could not be predicted: see :func:`sc_annotate.pp.predictable`."""
    import pandas as pd

    method = Method.of(request.predicts, request.method_kwargs)
    if method.trains_on_cells:
        raise InputError(
            f"the method {method.name!r} trains on cells, so profiles cannot tell what it would predict; "
            "predict_perturbation on the cells gives the reasons."
        )
    screen = screen_of(check_profiles(profiles))
    make, targets = method.fitted_to(screen), screen.targets
    requested = targets
    if request.conditions is not None:
        recorded = Recorded.of(profiles)
        requested = as_targets(request.conditions, control="control" if recorded is None else recorded.control)
    measured = set(targets)
    if not measured.intersection(requested):
        request.refuse("n_folds", why="none of the conditions was measured, so none is held out")
    reason = np.full(len(requested), "", dtype=object)

    def explain(train: Screen, which: list[int]) -> None:
        model = make().fit(train, rng=request.rng)
        reason[which] = np.asarray(model.why_not([requested[i] for i in which]), dtype=object)

    place = {each: i for i, each in enumerate(requested)}
    left = set(range(len(requested)))
    # The same folds as those of the prediction.
    for split in splits_of(targets, request.n_folds, request.rng):
        held = [place[targets[i]] for i in split.test if targets[i] in place]
        if held:
            explain(screen.select(split.train), held)
            left -= set(held)
    if left:
        explain(screen, sorted(left))
    return pd.DataFrame(
        {
            "measured": [each in measured for each in requested],
            "predictable": reason == "",
            "reason": reason.astype(str),
        },
        index=names_of(requested),
    )
