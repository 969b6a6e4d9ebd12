"""Compare annotation methods on one data set: same split, same genes, same cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import default, parameters, public, value_of
from sc_annotate._core.settings import track
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.read import open_input
from sc_annotate.annotation.embedding import read_genes
from sc_annotate.annotation.held_out import GENES, Candidate, baselines_of, held_out
from sc_annotate.annotation.held_out_cells import choose_splits, held_out_batches, score_groups, scores
from sc_annotate.annotation.requests import N_TOP_GENES, FitRequest, usable_method
from sc_annotate.annotation.streaming import learns_without_labels
from sc_annotate.annotation.training import labelled_cells, read_training
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from sc_annotate._data.matrix import Stated


@public
def annotators(
    adata: AnnData,
    labels_key: str,
    *,
    methods: Sequence[str] = ("logreg", "lda", "nearest_centroid", "knn", "majority"),
    method_kwargs: dict[str, dict[str, Any]] | None = None,
    batch_key: str | None = default(None),
    n_top_genes: int | None = default(N_TOP_GENES),
    min_cells: int = default(2),
    cv: int | Literal["batches"] = default(5),
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    use_rep: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    rng: int = default(0),
) -> pd.DataFrame:
    """Held-out scores of several methods on the same cells of a labelled object.

    Every method gets the same splits, the same values, and its own choice of variable genes made on the training cells
    of each fold. ``majority`` and ``logreg`` are always among them, and
    ``logreg_pca`` where one is deep. With `use_rep`, ``logreg (genes)``, logistic regression on the genes of the same cells,
    is the last row, where they can be read. All held-out cells are scored.

    Parameters
    ----------
    adata
        Labelled cells x genes. Not changed.
    labels_key
        Column of ``adata.obs`` with the types.
    methods
        Names in :func:`sc_annotate.tl.methods`.
    method_kwargs
        Parameters of methods, by method name.
    batch_key
        Column of ``adata.obs`` with batches; whole ones are held out, and resampled for the intervals where there are
        at least three.
    n_top_genes, min_cells, layer, use_raw, use_rep, total_counts_key, values
        As of :func:`sc_annotate.tl.fit_annotator`.
    cv
        1, one hold-out of about 20 %; k > 1, k folds; ``"batches"``, each batch of `batch_key` in turn.
    rng
        Seed: an integer or a :class:`numpy.random.Generator`, see :func:`sc_annotate.tl.annotate`.

    Returns
    -------
    One row a method, in the order requested: ``method``, ``accuracy``, ``macro_f1`` (each with ``_low`` and ``_high``, a 95 %
    bootstrap interval over held-out cells), ``log_loss``, ``difference`` (macro-F1 minus that of ``logreg`` on the same
    cells, with a paired interval) and ``seconds`` (fitting and predicting, all folds). ``attrs["split"]`` says how
    cells were held out. :func:`sc_annotate.pl.methods` draws it.

    Raises
    ------
    InputError
        As of :func:`sc_annotate.tl.fit_annotator`.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> table = sca.benchmark.annotators(sca.datasets.pbmc68k(), "cell_type", methods=["nearest_centroid", "knn"], cv=1)
    >>> table["method"].tolist()
    ['nearest_centroid', 'knn', 'majority', 'logreg']
    """
    fit = FitRequest(
        labels_key=labels_key,
        batch_key=batch_key,
        n_top_genes=n_top_genes,
        min_cells=min_cells,
        max_cells=None,
        cv=value_of(cv),
        rng=rng,
    )
    matrix = MatrixRequest(
        layer=layer, use_raw=use_raw, use_rep=use_rep, total_counts_key=total_counts_key, values=values
    )
    fit.of_batches()
    names = _names(methods, fit.cv)
    if matrix.use_rep is not None:
        fit.of_representation(matrix)
    found = open_input(adata, matrix)
    # The choice of genes is the same for all, so cells without a label are read for all where one learns from them.
    learning = [name for name in names if learns_without_labels(name)]
    cells = labelled_cells(adata, fit.but(method=learning[0]) if learning else fit, what="adata")
    training = read_training(adata, found, cells, matrix, wanted="log", what="adata")
    splits, description = choose_splits(training, fit.cv, fit.rng)
    embedding = training.input == "embedding"
    n_top = None if embedding else fit.n_top_genes
    kwargs = parameters(method_kwargs)
    predictions = {
        name: held_out(training, Candidate(name, kwargs.get(name, {}), n_top, embedding), splits, fit.rng)
        for name in track(names, what="comparing methods")
    }
    if embedding and (genes := read_genes(training)).training is not None:
        predictions[GENES] = held_out(genes.training, Candidate("logreg", {}, N_TOP_GENES), splits, fit.rng)
    logreg = predictions["logreg"]
    batches = held_out_batches(training, logreg)
    table = scores(predictions, logreg, score_groups(training, logreg), fit.rng, batches).reset_index(drop=True)
    table["seconds"] = [float(np.sum(p.seconds_fit) + np.sum(p.seconds_predict)) for p in predictions.values()]
    table.attrs["split"] = description
    return table


def _names(methods: Any, cv: int | Literal["batches"]) -> list[str]:
    """The methods, each once, with the baselines; refused where they cannot be compared."""
    if cv == 0 or not isinstance(methods, list | tuple) or len(methods) == 0:
        raise InputError(
            f"a comparison needs a list of methods and cv of at least 1, not methods={methods!r}, cv={cv}."
        )
    if not all(isinstance(name, str) for name in methods):
        raise InputError(f"methods must be names of methods, not {methods!r}.")
    names = list(dict.fromkeys([*methods, *baselines_of(*methods)]))
    records = [usable_method(name) for name in names]
    if others := [r.name for r in records if r.inputs == "counts"]:
        raise InputError(
            f"{', '.join(others)} need counts and cannot be compared on logged values here. Leave them out."
        )
    return names
