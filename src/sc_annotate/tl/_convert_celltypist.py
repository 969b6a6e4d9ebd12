"""Convert models of CellTypist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import public
from sc_annotate.annotation.convert_celltypist import convert

if TYPE_CHECKING:
    import os

    from sc_annotate.annotation.model import AnnotationModel


@public
def convert_celltypist(source: str | os.PathLike[str] | Any, *, trust_pickle: bool = False) -> AnnotationModel:
    """Convert a model of CellTypist to a model for :func:`annotate`, which can be saved without a pickle.

    A CellTypist file is a pickle, and unpickling runs whatever code is in it. Here it is read as a description: nothing in
    it is imported or called, and what is neither an array, a logistic regression nor a scaler is refused by name. Neither
    celltypist nor scikit-learn is needed.

    The labels are CellTypist's (``"best match"``), and ``model.annotator.scores(X)`` is its matrix of probabilities: log1p of
    counts per 10,000, scaled by the model's means and deviations, at most 10, then a sigmoid a type. Genes that the cells
    lack drop out, as there. Probabilities, and so the confidence, are these scores made to sum to 1: divided by their sum where
    that is above 1; else the rest is spread evenly over the types, so that a cell that fits no type has a low
    confidence, as in CellTypist.

    Parameters
    ----------
    source
        Path of a CellTypist model (``.pkl``), or a ``celltypist.models.Model``.
    trust_pickle
        Confirm that a pickle may be read; required for a path.

    Returns
    -------
    A model of the method ``"celltypist"``: pass it to :func:`annotate`, keep it with ``model.save(path)``. It has no held-out
    scores and no calibration, as the training cells do not come with it; ``annotate`` says so. ``model.provenance.converted_from``
    holds the description, the date and what trained it.

    Raises
    ------
    InputError
        `source` is neither a path nor a CellTypist model, or a path without ``trust_pickle=True``.
    ModelFileError
        There is no such file, it is no complete CellTypist model, or it holds something else, which is named.

    Warns
    -----
    ScAnnotateWarning
        The types were fitted together by a multinomial regression (CellTypist's training with some versions of
        scikit-learn): a sigmoid of such scores means nothing, so that their softmax is taken.

    References
    ----------
    Dominguez Conde et al. 2022, Cross-tissue immune cell analysis reveals tissue-specific features in humans, Science 376,
    `doi:10.1126/science.abl5197 <https://doi.org/10.1126/science.abl5197>`_.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> model = sca.tl.convert_celltypist("Immune_All_Low.pkl", trust_pickle=True)  # doctest: +SKIP
    >>> model.save("Immune_All_Low.safetensors")  # doctest: +SKIP
    >>> sca.tl.annotate(adata, "Immune_All_Low.safetensors")  # doctest: +SKIP
    """
    return convert(source, trust_pickle=trust_pickle)
