"""Mean expression of every perturbed condition, from single cells or from log fold changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.arguments import default, public
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate.perturbation.lfc import make_lfc_profiles
from sc_annotate.perturbation.profiles import make_profiles
from sc_annotate.perturbation.requests import MIN_CELLS, ProfilesRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from sc_annotate._data.matrix import Stated


@public
def perturbation_profiles(
    adata: AnnData,
    perturbation_key: str = default("perturbation"),
    control: str = default("control"),
    *,
    covariate_keys: Sequence[str] = default(()),
    replicate_key: str | None = default(None),
    separator: str | Sequence[str] = default("+"),
    guide_suffix: str | None = default(None),
    guide_key: str | None = default(None),
    efficacy: Literal["mixscape"] | None = default(None),
    drop_nonresponding: bool = default(False),
    layer: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    min_cells: int = default(MIN_CELLS),
    rng: int = default(0),
) -> AnnData:
    """Mean log-normalised expression of every condition of a perturbation screen.

    The values are looked at and brought to the natural log1p of counts per 10,000 on the fly, as by
    :func:`sc_annotate.tl.annotate`; then they are averaged over the cells of each condition (the mean of the logarithms,
    as Ahlmann-Eltze et al. do, not the logarithm of the mean). `adata` is not changed; it may be backed, or hold Dask
    arrays.

    Parameters
    ----------
    adata
        Cells x genes.
    perturbation_key
        Column of ``obs`` with the condition of each cell; read by :func:`parse_conditions`, so ``"A+B"`` and ``"B+A"``
        are one condition. Cells whose name cannot be read are left out, and listed.
    control
        The name of unperturbed cells.
    covariate_keys
        Columns of ``obs`` (cell line, time): every condition is averaged within each combination of theirs.
    replicate_key
        Column of ``obs`` with replicates. The control that a condition is held against is then averaged over replicates
        as the condition's own cells are, and cells of replicates without control are left out.
    separator, guide_suffix
        See :func:`parse_conditions`.
    guide_key
        Column of ``obs`` with the guide of each cell. Guides of one condition are held against each other; one that
        disagrees is reported, not dropped. Non-targeting guides are guides of the control.
    efficacy
        ``"mixscape"``: Mixscape of pertpy separates responding from non-responding cells, which carry a guide and look
        like control, on a dense copy of the cells; it needs ``pip install "sc-annotate[perturb]"``. Combinations are
        treated as any other condition. By default cells are not separated.
    drop_nonresponding
        Leave non-responding cells out of the means. Cells are then chosen by the very response that is to be measured and
        predicted: effects, the agreement of halves and every score come out larger than they are, also where nothing was
        perturbed. Report the figures of all cells beside those of the responding ones.
    layer
        Layer with the values; by default ``X``.
    total_counts_key
        Column of ``obs`` with the true total counts, where ``adata`` has counts of some genes only.
    values
        What the matrix holds, where you know it; see :func:`sc_annotate.tl.annotate`.
    min_cells
        Conditions with fewer cells are left out, and listed.
    rng
        Seed of the halves, an integer or a :class:`numpy.random.Generator`; equal seeds give equal halves.

    Returns
    -------
    AnnData, conditions x genes, the control(s) first; ``X`` float64, mean log-normalised expression.

    ``obs``: ``targets`` (``"A+B"``; empty for control), ``n_targets``, ``is_control``, ``n_cells``, and the covariates. With
    `guide_key`: ``n_guides`` and ``guide_agreement`` (median of the correlations below; NaN for control and with one
    guide). With `efficacy`: ``efficacy``, the share of the cells that responds (NaN for control, and where fewer than
    five genes change, so that cells cannot be separated), and ``n_nonresponding``.

    ``layers``, float64: ``se``, standard error of the mean over cells; ``control``, the control that the row is held
    against; ``half_1`` and ``half_2``, means over random halves of the cells; ``control_half_1`` and ``control_half_2``,
    the same of the control. No cell is in both halves, so the two differences to control share nothing: sharing the control
    lets replicates look more alike than they are.

    With `drop_nonresponding`: the layer ``all_cells``, means over all cells, and ``obs["n_all_cells"]``.

    ``uns["perturbation_profiles"]``: what was read and left out; with `efficacy` the names of the ``nonresponding`` cells; with
    `guide_key` the table ``guides``, from all cells, one row for each condition and guide: ``n_cells``; ``correlation`` of its
    change with that of the other guides of the condition together, over all genes but the targets, each beside its own
    half of the control; ``knock_down``, the mean log change of its targets where they are read out; ``status``: "agrees"
    where the correlation is above 95 % of those with other conditions, or, of a clear change, above half of what noise
    would leave of it; else "disagrees" where two other guides of the condition agree ("too few cells" where noise alone
    could explain that), and "no shared change" where they do not; "only guide", "control", and "not compared" with too few
    conditions to compare with.

    Raises
    ------
    sc_annotate.errors.InputError
        No such column, no such control (near names are named), no condition beside it, or other wrong arguments.
    sc_annotate.errors.MissingExtraError
        `efficacy` without pertpy.
    sc_annotate.errors.MatrixError
        Values that cannot be brought to the common scale.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6. Mixscape: Papalexi et al. 2021,
    Nature Genetics, doi:10.1038/s41588-021-00778-2; pertpy: Heumos et al. 2025, doi:10.1038/s41592-025-02909-7.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(600, 50, 5, 0, rng=0)
    >>> profiles = sca.pp.perturbation_profiles(screen, "perturbation", "control")
    >>> profiles.shape
    (6, 50)
    >>> int(profiles.obs["n_cells"].sum())
    600
    """
    how = ProfilesRequest(
        perturbation_key=perturbation_key,
        control=control,
        covariate_keys=covariate_keys,
        replicate_key=replicate_key,
        separator=separator,
        guide_suffix=guide_suffix,
        guide_key=guide_key,
        efficacy=efficacy,
        drop_nonresponding=drop_nonresponding,
        min_cells=min_cells,
        rng=rng,
    )
    matrix = MatrixRequest(layer=layer, total_counts_key=total_counts_key, values=values)
    return make_profiles(adata, how, matrix)


@public
def profiles_from_lfc(adata: AnnData, perturbation_key: str | None = None, *, layer: str | None = None) -> AnnData:
    """Profiles of a screen that comes as log fold changes, one row a condition: the control is 0.

    Parameters
    ----------
    adata
        Conditions x genes, log fold changes to control.
    perturbation_key
        Column of ``obs`` with the conditions; by default ``obs_names``.
    layer
        Layer with the values; by default ``X``.

    Returns
    -------
    AnnData as :func:`perturbation_profiles` gives it, with a control row ``"control"`` of zeros, without cell numbers,
    standard errors and halves. ``uns["perturbation_profiles"]["values"]`` is ``"lfc"``.

    Raises
    ------
    sc_annotate.errors.InputError
        Names that cannot be read or occur twice, or values that are not finite.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import pandas as pd
    >>> import sc_annotate as sca
    >>> lfc = ad.AnnData(np.array([[-1.0, 0.2], [0.1, 2.0]]), obs=pd.DataFrame(index=["KLF1", "GATA1"]))
    >>> sca.pp.profiles_from_lfc(lfc).obs_names.tolist()
    ['control', 'KLF1', 'GATA1']
    """
    return make_lfc_profiles(adata, perturbation_key, layer)
