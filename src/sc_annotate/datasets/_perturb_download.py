"""Public screens, from the data sets that scverse hosts for pertpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._data.download import Kind, fetch
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

__all__ = ["adamson_2016", "norman_2019", "replogle_2022"]

ADDRESS = "https://exampledata.scverse.org/pertpy"
_SCREEN = Kind(
    max_bytes=20 * 10**9,
    seconds=12 * 3600,
    offline_fix="Check the connection; or download it on another machine and read it with `anndata.read_h5ad(path)`.",
)
_ADAMSON = ("pilot", "upr_epistasis", "upr_perturb_seq")
_REPLOGLE = ("k562_essential", "k562_gwps", "rpe1")


def _download(name: str) -> AnnData:
    from anndata import read_h5ad

    # No checksum can be passed here, so that none is to be advised.
    path = fetch(f"{ADDRESS}/{name}.h5ad", sha256=None, refresh=False, check=_check, kind=_SCREEN, may_change=True)
    return read_h5ad(path)


def _check(path: Path) -> None:
    with path.open("rb") as opened:
        if opened.read(8) != b"\x89HDF\r\n\x1a\n":
            raise InputError(f"{str(path)!r} is no h5ad file.")


@public
def norman_2019() -> AnnData:
    """Activation of single genes and of pairs in K562 cells, downloaded (some hundred MB).

    About 100 single and 120 double conditions: the screen that predictions of combinations are tried on. What is in
    ``X`` is as in the file that pertpy uses too, and is not the reprocessed file that published benchmarks used: numbers of genes and
    cells differ, and scores are not comparable with theirs. Look at ``obs`` for the column of conditions.

    Returns
    -------
    The AnnData. The file is cached (``$SC_ANNOTATE_CACHE``) for later calls.

    Raises
    ------
    sc_annotate.errors.DownloadError
        It cannot be downloaded, and is not cached.

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
    """Repression of genes of the unfolded protein response in K562 cells, downloaded.

    The file that pertpy uses too (from scPerturb): not the file that published benchmarks used.

    Parameters
    ----------
    experiment
        ``"upr_perturb_seq"``, 65,000 cells, 82 genes; ``"upr_epistasis"``, 15,000 cells, combinations of three genes;
        ``"pilot"``, 6,000 cells, 8 guides.

    Returns
    -------
    The AnnData. The file is cached (``$SC_ANNOTATE_CACHE``) for later calls.

    Raises
    ------
    sc_annotate.errors.InputError
        Another experiment.
    sc_annotate.errors.DownloadError
        It cannot be downloaded, and is not cached.

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
    """Repression of essential genes, or of all, in K562 or RPE1 cells, downloaded (several GB).

    The file that pertpy uses too (from scPerturb): not the file that published benchmarks used. Users report that
    ``obs["perturbation"]`` and ``obs["gene"]`` of these files do not hold the perturbed genes but names of guides and
    missing values (scverse/pertpy, issue 916): look at ``obs`` before choosing a column.

    Parameters
    ----------
    experiment
        ``"k562_essential"`` or ``"rpe1"``, about 2,000 genes each; ``"k562_gwps"``, 10,000 genes, two million cells.

    Returns
    -------
    The AnnData. The file is cached (``$SC_ANNOTATE_CACHE``) for later calls.

    Raises
    ------
    sc_annotate.errors.InputError
        Another experiment.
    sc_annotate.errors.DownloadError
        It cannot be downloaded, and is not cached.

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
