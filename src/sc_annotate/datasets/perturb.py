"""A perturbation screen with known effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import default, public
from sc_annotate.datasets._molecules import draw_counts
from sc_annotate.datasets._perturb_interactions import planted
from sc_annotate.datasets._perturb_noise import burst, burst_size, noise_levels
from sc_annotate.datasets._perturb_request import ScreenRequest
from sc_annotate.datasets._perturb_scale import DEPTH_SD, Scale
from sc_annotate.datasets._perturb_truth import design, expected_effects, expected_profiles, shares_by_batch
from sc_annotate.datasets._random_tree import apportion

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["simulate_perturb_seq"]


@public
def simulate_perturb_seq(
    n_cells: int = 6000,
    n_genes: int = 400,
    n_singles: int = 30,
    n_doubles: int = 20,
    *,
    rank: int = 4,
    similarity: float = 0.9,
    effect_size: float = 0.3,
    interactions: float = 0.0,
    interaction_size: float = default(0.6),
    interaction_kind: Literal["random", "buffering", "synergistic"] = default("random"),
    shift: float = 0.0,
    gene_noise: float = 0.0,
    efficacy: float = 1.0,
    n_batches: int = 1,
    batch_strength: float = default(0.1),
    second_line: bool = False,
    depth: float = 3000,
    control_share: float = 0.1,
    imbalance: float = 2,
    rng: int = 0,
) -> AnnData:
    """Counts of a screen whose effects, single and combined, are known.

    Each gene has loadings on a few programmes. Perturbing a gene moves the programmes by the gene's own loadings, so
    targets of like expression have like effects: what a linear model can learn. A double has the sum of its two single
    effects, but for planted deviations. Sums are exact where screens are analysed, in means of ``log1p`` of counts per
    10,000, and not in log rates. As the shares of all genes must sum to 1, the last gene, ``"REST"``, takes up what the
    others gain or lose: it stands for the rest of the cell, a fifth of the molecules, and deviates in every double. A
    perturbed gene itself falls by 40 % of its level.

    A cell gets a Poisson number of molecules, with a mean that varies between cells, and each falls on a gene with the
    probability that its condition, batch and line give it. Real cells of a condition differ more than that, so scores
    are better than on real data. The truth depends on `rng` and on what describes genes and effects, not on `n_cells`.
    100,000 cells x 5,000 genes take less than a minute on one core.

    Parameters
    ----------
    n_cells, n_genes
        Size; the genes with ``REST``, the cells with those of a second line.
    n_singles
        Perturbed genes, each alone in one condition; at most half of the genes, and among the higher half of them.
    n_doubles
        Pairs of these, chosen at random.
    rank
        Number of programmes.
    similarity
        How far the effects of a target follow from its own loadings, 0 (not at all) to 1 (fully).
    effect_size
        Standard deviation of single effects, as natural log of the fold change, over the 40 % of the genes that belong
        to programmes. On the log-normalised scale genes with few molecules change less.
    interactions
        Share of all pairs of a gene and a double that deviate from the sum, 0 to 1.
    interaction_size
        How much those deviate, in log-normalised expression; with `interactions` only.
    interaction_kind
        ``"random"``: any pair may deviate, up or down at random, up where down would be below 0. Nothing says where.
        ``"buffering"``: toward the control, by `interaction_size` but at most three quarters of the sum, so that the double lies
        between no change and the sum. ``"synergistic"``: away from it. Both among the genes that the two single
        perturbations move the same way (in both lines), with a probability in proportion to the sum. Large sums are
        buffered in most measured doubles: a predictor of no change then ranks interactions well, although it knows
        nothing, and is hard to beat.
    shift
        Standard deviation over genes (natural log) of a change that all perturbed cells have, whatever the target, as
        from stress or selection. It gives every prediction that knows it a good correlation with the observed change. A
        double has it once: the sum of two singles has it twice, so a double deviates by its negative.
    gene_noise
        How unequal genes are in noise: standard deviation over genes of the log factor on the standard deviation of
        counts. At 0 counts are Poisson; above, negative binomial.
    efficacy
        Share of the cells of a condition in which it worked, 0 to 1; the others are like control cells.
    n_batches
        Batches, with the same share of each condition.
    batch_strength
        Standard deviation of the change of a gene in a batch, natural log; an error where there is one batch.
    second_line
        Whether half of the cells are of another cell line, with another expression of its own (correlation of logs 0.8)
        and effects that are a linear map of the first's, but for the bound that keeps expression above 0.
    depth
        Mean number of molecules of a cell.
    control_share
        Share of control cells, above 0 and below 1.
    imbalance
        How many times as many cells the largest condition has as the smallest; those between are spaced evenly on a log
        scale.
    rng
        Seed, an integer or a :class:`numpy.random.Generator`; equal arguments give equal cells.

    Returns
    -------
    AnnData:

    ``X``
        Counts, CSR float32.
    ``obs``
        ``perturbation`` (``"control"``, ``"G012"``, ``"G012+G200"``), ``batch``, ``cell_line`` (categoricals; the last
        with `second_line` only), ``worked`` (bool, False for control cells).
    ``var``
        ``is_target`` (bool), ``noise`` (float64, factor on the standard deviation of counts).
    ``varm["programmes"]``
        Loadings, genes x `rank`, float64; 0 for genes outside programmes.
    ``uns["truth"]``
        ``conditions``, without control, singles first; ``delta``, conditions x genes, float64: the expected difference
        between the mean log-normalised expression (natural ``log1p``, counts per 10,000) of a condition and of the control,
        averaged over batches and with cells in which it did not work; ``interactions``, conditions x genes, bool: the
        planted deviations, and those of ``REST``; ``control``, genes: the expected mean of the control. With `second_line` also
        ``delta_line_2`` and ``control_line_2``; the others are of the first line, the deviations of both.
    ``uns["simulation"]``
        All parameters.

    Raises
    ------
    sc_annotate.errors.InputError
        An argument out of its range.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.simulate_perturb_seq(500, 100, 5, 3, interactions=0.05)
    >>> adata.shape, adata.obs["perturbation"].nunique()
    ((500, 100), 9)
    >>> adata.uns["truth"]["delta"].shape
    (8, 100)
    """
    request = ScreenRequest(**locals())
    import pandas as pd
    from anndata import AnnData

    # Streams of their own, so that the truth stays the same when the number of cells changes.
    for_truth, for_noise, for_cells, for_molecules, for_bursts = np.random.default_rng(rng).spawn(5)
    truth, n_lines = design(request, for_truth), request.n_lines
    fano, level = noise_levels(n_genes, gene_noise, for_noise)
    scale = Scale(fano, level, depth)
    effects = [expected_effects(truth, scale, line) for line in range(n_lines)]
    deviates, deviations = planted(truth, effects, interactions, request.interaction_size, request.interaction_kind)
    tables, means = [], []
    for line in range(n_lines):
        profiles = expected_profiles(effects[line], deviations[line])
        shares, mean = shares_by_batch(profiles, truth, scale, line)
        tables.append(shares)
        means.append(mean)

    names = np.array([f"G{i:0{len(str(n_genes))}d}" for i in range(1, n_genes)] + ["REST"])
    first, second = names[truth.targets[truth.pairs]].T
    conditions = np.concatenate([names[truth.targets], [f"{a}+{b}" for a, b in zip(first, second, strict=True)]])
    rank_of = for_cells.permutation(conditions.size)
    frequency = imbalance ** (-rank_of / max(1, conditions.size - 1))
    frequency *= (1 - control_share) / frequency.sum()
    # Sorted by condition, so that going round lines and batches deals each condition out evenly.
    condition = apportion(n_cells, np.append(control_share, frequency))
    part = np.arange(n_cells) % (n_lines * n_batches)
    order = for_cells.permutation(n_cells)
    condition, part = condition[order], part[order]
    worked = (condition > 0) & (for_cells.random(n_cells) < efficacy)

    # Rows of the table: line, batch, condition. Bursts bring several molecules, so there are fewer events.
    per_event = burst_size(fano)[level]
    events = np.concatenate([t.reshape(-1, n_genes) for t in tables]) / per_event
    row = part * (conditions.size + 1) + condition * worked
    size = depth * np.exp(for_cells.normal(-(DEPTH_SD**2) / 2, DEPTH_SD, n_cells))
    n_events = for_cells.poisson(size * events.sum(axis=1)[row])
    events /= events.sum(axis=1, keepdims=True)
    X = draw_counts(events, [row], [n_events], dropout=0, rng=for_molecules)
    if gene_noise > 0:
        burst(X, fano[level], for_bursts)

    obs = {
        "perturbation": pd.Categorical.from_codes(condition, pd.Index(np.append("control", conditions))),
        "batch": pd.Categorical.from_codes(part % n_batches, pd.Index(_numbered("batch_", n_batches))),
    }
    known: dict[str, Any] = {"conditions": conditions.astype(object)}
    known["interactions"] = np.concatenate([np.zeros((n_singles, n_genes), dtype=bool), deviates])
    known["interactions"][n_singles:, -1] = True
    for line, mean in enumerate(means):
        suffix = f"_line_{line + 1}" if line else ""
        known[f"delta{suffix}"] = efficacy * (mean[1:] - mean[0])
        known[f"control{suffix}"] = mean[0]
    if second_line:
        obs["cell_line"] = pd.Categorical.from_codes(part // n_batches, pd.Index(["line_1", "line_2"]))
    is_target = np.isin(np.arange(n_genes), truth.targets)
    return AnnData(
        X=X,
        obs=pd.DataFrame({**obs, "worked": worked}, index=_numbered("cell_", n_cells)),
        var=pd.DataFrame({"is_target": is_target, "noise": np.sqrt(fano)[level]}, index=names),
        varm={"programmes": truth.programmes},
        uns={"truth": known, "simulation": request.to_uns()},
    )


def _numbered(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{i:0{len(str(n))}d}" for i in range(1, n + 1)]
