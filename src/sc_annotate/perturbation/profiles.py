"""Mean expression of every perturbed condition, from single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import columns, whole
from sc_annotate._core.codec import sanitize
from sc_annotate._core.progress import logger
from sc_annotate._data import read
from sc_annotate._data.group_sums import group_sums
from sc_annotate._data.lazy import with_tables
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.request import MatrixRequest
from sc_annotate.errors import InputError
from sc_annotate.perturbation.guides import guides_of
from sc_annotate.perturbation.lfc import lfc_hint
from sc_annotate.perturbation.mixscape import mixscape
from sc_annotate.perturbation.profile_groups import PROFILES, Groups, names_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from sc_annotate._data.transform import Stated

MIN_CELLS = 10


def perturbation_profiles(
    adata: AnnData,
    perturbation_key: str = "perturbation",
    control: str = "control",
    *,
    covariate_keys: Sequence[str] = (),
    replicate_key: str | None = None,
    separator: str | Sequence[str] = "+",
    guide_suffix: str | None = None,
    guide_key: str | None = None,
    efficacy: Literal["mixscape"] | None = None,
    drop_escapers: bool = False,
    layer: str | None = None,
    total_counts_key: str | None = None,
    values: Stated | None = None,
    min_cells: int = MIN_CELLS,
    rng: int = 0,
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
        ``"mixscape"``: Mixscape of pertpy tells perturbed cells from escapers, which carry a guide and look like control,
        on a dense copy of the cells; it needs ``pip install "sc-annotate[perturb]"``. Combinations are treated as any
        other condition. By default nothing is told apart.
    drop_escapers
        Leave escapers out of the means. Mind that cells are then chosen by the very response that is to be measured and
        predicted: effects, the agreement of halves and every score come out larger than they are, also where nothing was
        perturbed. What is found on the survivors is no honest figure by itself: report that of all cells beside it.
    layer
        Layer with the values; by default ``X``.
    total_counts_key
        Column of ``obs`` with the true total counts, where ``adata`` has counts of some genes only.
    values
        What the matrix holds, where you know it; see :func:`sc_annotate.tl.annotate`.
    min_cells
        Conditions with fewer cells are left out, and listed.
    rng
        Seed of the halves; equal seeds give equal halves.

    Returns
    -------
    AnnData, conditions x genes, the control(s) first; ``X`` float64, mean log-normalised expression.

    ``obs``: ``targets`` (``"A+B"``; empty for control), ``n_targets``, ``is_control``, ``n_cells``, and the covariates. With
    `guide_key`: ``n_guides`` and ``guide_agreement`` (median of the correlations below; NaN for control and with one
    guide). With `efficacy`: ``efficacy``, the share of the cells that is perturbed (NaN for control, and where fewer than
    five genes change, so that nothing can be told apart), and ``n_escapers``.

    ``layers``, float64: ``se``, standard error of the mean over cells; ``control``, the control that the row is held
    against; ``half_1`` and ``half_2``, means over random halves of the cells; ``control_half_1`` and ``control_half_2``,
    the same of the control. No cell is in both halves, so the two differences to control share nothing: sharing the control
    lets replicates look more alike than they are.

    With `drop_escapers`: the layer ``all_cells``, means over all cells, and ``obs["n_all_cells"]``.

    ``uns["perturbation_profiles"]``: what was read and left out; with `efficacy` the names of the ``escapers``; with
    `guide_key` the table ``guides``, from all cells, one row for each condition and guide: ``n_cells``; ``correlation`` of its
    change with that of the other guides of the condition together, over all genes but the targets, each beside its own
    half of the control; ``knock_down``, the mean log change of its targets where they are read out; ``status``: "agrees"
    where the correlation is above 95 % of those with other conditions, or, of a clear change, above half of what noise
    would leave of it; else "disagrees" where two other guides of the condition agree ("too few cells" where noise alone
    could explain that), and "no shared change" where they do not; "only guide", "control", and "not judged" with too few
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
    from anndata import AnnData

    check_adata(adata, what="adata")
    min_cells, rng = whole(min_cells, "min_cells", least=1), whole(rng, "rng", least=0)
    if efficacy not in (None, "mixscape"):
        raise InputError(f"efficacy must be 'mixscape' or None, not {efficacy!r}.")
    if not isinstance(drop_escapers, bool | np.bool_):
        raise InputError(f"drop_escapers must be True or False, not {drop_escapers!r}.")
    if drop_escapers and efficacy is None:
        raise InputError("drop_escapers needs to know them: pass efficacy='mixscape'.")
    adata = with_tables(adata)
    how: dict[str, Any] = {
        "covariate_keys": columns(covariate_keys, "covariate_keys"),
        "replicate_key": replicate_key,
        "separator": separator,
        "guide_suffix": guide_suffix,
        "min_cells": min_cells,
        "rng": rng,
    }
    with lfc_hint(adata, perturbation_key, layer):
        groups = Groups.of(adata, perturbation_key, control, **how)
        matrix = MatrixRequest(layer=layer, total_counts_key=total_counts_key, values=values)
        found, plan = read.open_on_common_scale(adata, matrix)
    sums = group_sums(found.source.X, plan, groups.code, groups.n_codes, progress="averaging conditions")
    obs, X, layers = groups.profiles(sums)
    about: dict[str, Any] = {}
    if guide_key is not None:
        added, about["guides"] = guides_of(adata, guide_key, found.source.X, plan, groups, sums, obs)
        obs = obs.assign(**added)
    if efficacy is not None:
        added, escaped = mixscape(found.source, plan, groups, rng=rng)
        obs = obs.assign(**added)
        about |= {"efficacy": efficacy, "drop_escapers": drop_escapers}
        about["escapers"] = np.asarray(adata.obs_names[escaped].astype(str), dtype=np.str_)
        if drop_escapers:
            groups = Groups.of(adata, perturbation_key, control, keep=~escaped, **how)
            sums = group_sums(found.source.X, plan, groups.code, groups.n_codes, progress="averaging survivors")
            kept, X_kept, layers = groups.profiles(sums)
            before = obs.index.get_indexer(kept.index)
            layers["all_cells"] = X[before]
            more = obs.rename(columns={"n_cells": "n_all_cells"}).drop(columns=[c for c in kept if c != "n_cells"])
            obs, X = kept.join(more), X_kept
    out = AnnData(X=X, obs=obs, var=names_only(adata), layers=layers)
    for line in groups.left_out_lines():
        logger.warning(line)
    out.uns[PROFILES] = sanitize(
        {
            "schema": 1,
            "control": control,
            "perturbation_key": perturbation_key,
            "covariate_keys": groups.covariate_keys,
            "replicate_key": replicate_key or "",
            "values": "expression",
            "input": found.values.to_dict() | {"notes": [*found.notes, *plan.notes]},
            "left_out": groups.left_out,
            "left_out_why": groups.left_out_why,
            "min_cells": min_cells,
            "rng": rng,
        }
        | about
    )
    return out
