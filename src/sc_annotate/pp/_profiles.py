"""Mean expression of every perturbed condition, from single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import conditions as parsing
from sc_annotate._core import read
from sc_annotate._core import transform as scales
from sc_annotate._core.group_sums import group_sums
from sc_annotate._core.lazy import with_tables
from sc_annotate._core.matrix import check_adata, find
from sc_annotate._core.progress import logger
from sc_annotate._core.sanitize import sanitize
from sc_annotate._core.storage import check_column
from sc_annotate.errors import InputError
from sc_annotate.pp._profile_groups import Groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from sc_annotate._core.transform import Stated

PROFILES = "perturbation_profiles"
"""Key in ``uns`` of an object that holds profiles."""
MIN_CELLS = 10


def parse_conditions(
    names: Sequence[Any], *, control: str, separator: str | Sequence[str] = "+", guide_suffix: str | None = None
) -> pd.DataFrame:
    r"""Read the names of perturbed conditions: which genes each stands for.

    Parameters
    ----------
    names
        Names as they stand in a column of ``obs``, such as ``"KLF1"``, ``"KLF1+GATA1"`` or ``"KLF1+ctrl"``.
    control
        The name of the control.
    separator
        What stands between two targets; of several the first that occurs in a name counts.
    guide_suffix
        Regular expression of what follows the gene in the name of a guide, such as ``r"_g\d+"`` or ``r"g\d+"``.

    Returns
    -------
    One row for each different name, in order of appearance: ``name``; ``condition``, the targets in alphabetical order
    joined by ``+``, empty for the control; ``n_targets``; ``problem``, why a name could not be read, else empty.

    Raises
    ------
    sc_annotate.errors.InputError
        A separator or a regular expression that is none.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.pp.parse_conditions(["ctrl", "KLF1+ctrl", "MAP2K6+ELMSAN1"], control="ctrl")["condition"].tolist()
    ['', 'KLF1', 'ELMSAN1+MAP2K6']
    """
    import pandas as pd

    found = parsing.parse(
        pd.unique(pd.Series(names, dtype=object)), control=control, separator=separator, guide_suffix=guide_suffix
    )
    return pd.DataFrame(
        {
            "name": [each.name for each in found],
            "condition": [each.canonical for each in found],
            "n_targets": np.array([len(each.targets) for each in found], dtype=np.int64),
            "problem": [each.problem for each in found],
        }
    )


def perturbation_profiles(
    adata: AnnData,
    perturbation_key: str = "perturbation",
    control: str = "control",
    *,
    covariate_keys: Sequence[str] = (),
    replicate_key: str | None = None,
    separator: str | Sequence[str] = "+",
    guide_suffix: str | None = None,
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

    ``obs``: ``targets`` (``"A+B"``; empty for control), ``n_targets``, ``is_control``, ``n_cells``, and the covariates.

    ``layers``, float64: ``se``, standard error of the mean over cells; ``control``, the control that the row is held
    against; ``half_1`` and ``half_2``, means over random halves of the cells; ``control_half_1`` and ``control_half_2``,
    the same of the control. No cell is in both halves, so the two differences to control share nothing: sharing the control
    lets replicates look more alike than they are.

    ``uns["perturbation_profiles"]``: what was read and left out.

    Raises
    ------
    sc_annotate.errors.InputError
        No such column, no such control (near names are named), no condition beside it, or other wrong arguments.
    sc_annotate.errors.MatrixError
        Values that cannot be brought to the common scale.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6.

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
    if isinstance(min_cells, bool) or not isinstance(min_cells, int) or min_cells < 1:
        raise InputError(f"min_cells must be a whole number, 1 or more, not {min_cells!r}.")
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise InputError(f"rng must be a whole number, 0 or more, not {rng!r}.")
    adata = with_tables(adata)
    groups = Groups.of(
        adata,
        perturbation_key,
        control,
        covariate_keys=[covariate_keys] if isinstance(covariate_keys, str) else list(covariate_keys),
        replicate_key=replicate_key,
        separator=separator,
        guide_suffix=guide_suffix,
        min_cells=min_cells,
        rng=rng,
    )
    found = read.open_input(adata, layer=layer)
    totals = read.total_counts(adata, total_counts_key, what="adata")
    plan = scales.plan(found.values, what="adata", stated=values, totals=totals, elsewhere=found.elsewhere)
    sums = group_sums(found.source.X, plan, groups.code, groups.n_codes, progress="averaging conditions")
    obs, X, layers = groups.profiles(sums)
    out = AnnData(X=X, obs=obs, var=adata.var[[]].copy(), layers=layers)
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
    )
    return out


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
    import pandas as pd
    from anndata import AnnData

    check_adata(adata, what="adata")
    column = (
        adata.obs_names
        if perturbation_key is None
        else check_column(adata, perturbation_key, argument="perturbation_key")
    )
    parsed = parsing.parse(list(column), control="control")
    wrong = [each.name for each in parsed if each.problem or not each.targets]
    if wrong:
        raise InputError(
            f"{', '.join(map(repr, wrong[:5]))} cannot be read as perturbed genes; leave such rows out of adata."
        )
    canonical = [each.canonical for each in parsed]
    if len(set(canonical)) < len(canonical):
        twice = next(name for name in canonical if canonical.count(name) > 1)
        raise InputError(f"the condition {twice!r} occurs twice in adata. Average its rows, or choose one.")
    source = find(adata, layer=layer).X
    X = np.asarray(source.toarray() if hasattr(source, "toarray") else source, dtype=np.float64)
    if not np.isfinite(X).all():
        raise InputError("adata has log fold changes that are NaN or infinite. Leave those genes or conditions out.")
    X = np.vstack([np.zeros(X.shape[1]), X])
    n_targets = np.array([0, *(len(each.targets) for each in parsed)], dtype=np.int64)
    obs = pd.DataFrame(
        {"targets": ["", *canonical], "n_targets": n_targets, "is_control": n_targets == 0},
        index=["control", *canonical],
    )
    out = AnnData(X=X, obs=obs, var=adata.var[[]].copy(), layers={"control": np.zeros_like(X)})
    out.uns[PROFILES] = {"schema": 1, "control": "control", "values": "lfc", "covariate_keys": np.array([], dtype=str)}
    return out
