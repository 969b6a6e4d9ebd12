"""Public screens, downloaded by pertpy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._core.extras import missing_extra
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["adamson_2016", "norman_2019", "replogle_2022"]

_ADAMSON = ("pilot", "upr_epistasis", "upr_perturb_seq")
_REPLOGLE = ("k562_essential", "k562_gwps", "rpe1")


def _download(name: str) -> AnnData:
    try:
        data = import_module("pertpy").data
    except ImportError as error:
        raise missing_extra(f"downloading {name} needs pertpy", "pertpy", "perturb", error) from error
    return getattr(data, name)()


@public
def norman_2019() -> AnnData:
    """Activation of single genes and of pairs in K562 cells, downloaded by pertpy (some hundred MB).

    About 100 single and 120 double conditions: the screen that predictions of combinations are tried on. What is in
    ``X`` is as pertpy hands it out, and is not the reprocessed file that published benchmarks used: numbers of genes and
    cells differ, and scores are not comparable with theirs. Look at ``obs`` for the column of conditions.

    Returns
    -------
    The AnnData of ``pertpy.data.norman_2019()``, kept in pertpy's folder for later calls.

    Raises
    ------
    sc_annotate.errors.MissingExtraError
        pertpy is not installed.

    References
    ----------
    Norman et al. 2019, Science 365:786, doi 10.1126/science.aax4438.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.norman_2019()  # doctest: +SKIP
    """
    return _download("norman_2019")


@public
def adamson_2016(experiment: str = "upr_perturb_seq") -> AnnData:
    """Repression of genes of the unfolded protein response in K562 cells, downloaded by pertpy.

    As pertpy hands it out (from scPerturb): not the file that published benchmarks used.

    Parameters
    ----------
    experiment
        ``"upr_perturb_seq"``, 65,000 cells, 82 genes; ``"upr_epistasis"``, 15,000 cells, combinations of three genes;
        ``"pilot"``, 6,000 cells, 8 guides.

    Returns
    -------
    The AnnData of ``pertpy.data.adamson_2016_*()``, kept in pertpy's folder for later calls.

    Raises
    ------
    sc_annotate.errors.InputError
        Another experiment.
    sc_annotate.errors.MissingExtraError
        pertpy is not installed.

    References
    ----------
    Adamson et al. 2016, Cell 167:1867, doi 10.1016/j.cell.2016.11.048. Peidli et al. 2024 (scPerturb), Nature Methods
    21:531.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.adamson_2016("pilot")  # doctest: +SKIP
    """
    if experiment not in _ADAMSON:
        raise InputError(f"experiment must be one of {', '.join(map(repr, _ADAMSON))}, not {experiment!r}.")
    return _download(f"adamson_2016_{experiment}")


@public
def replogle_2022(experiment: str = "k562_essential") -> AnnData:
    """Repression of essential genes, or of all, in K562 or RPE1 cells, downloaded by pertpy (several GB).

    As pertpy hands it out (from scPerturb): not the file that published benchmarks used. Users report that
    ``obs["perturbation"]`` and ``obs["gene"]`` of these files do not hold the perturbed genes but names of guides and
    missing values (scverse/pertpy, issue 916): look at ``obs`` before choosing a column.

    Parameters
    ----------
    experiment
        ``"k562_essential"`` or ``"rpe1"``, about 2,000 genes each; ``"k562_gwps"``, 10,000 genes, two million cells.

    Returns
    -------
    The AnnData of ``pertpy.data.replogle_2022_*()``, kept in pertpy's folder for later calls.

    Raises
    ------
    sc_annotate.errors.InputError
        Another experiment.
    sc_annotate.errors.MissingExtraError
        pertpy is not installed.

    References
    ----------
    Replogle et al. 2022, Cell 185:2559, doi 10.1016/j.cell.2022.05.013. Peidli et al. 2024 (scPerturb), Nature Methods
    21:531.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.replogle_2022("rpe1")  # doctest: +SKIP
    """
    if experiment not in _REPLOGLE:
        raise InputError(f"experiment must be one of {', '.join(map(repr, _REPLOGLE))}, not {experiment!r}.")
    return _download(f"replogle_2022_{experiment}")
