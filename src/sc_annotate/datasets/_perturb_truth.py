"""What perturbations do in a simulated screen: a few programmes, additive doubles, planted deviations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.datasets._perturb_request import ScreenRequest
    from sc_annotate.datasets._perturb_scale import Scale

# Share of a cell's molecules that the last gene has in control cells: it takes up what the others gain or lose.
_REST = 0.2
# Spread of log mean expression over genes; share of genes that belong to programmes; how far two lines are alike.
_BASE_SD = 1.3
_AFFECTED = 0.4
_LINE_CORRELATION = 0.8
# Parts of a gene's control level that may be taken away at most, by what takes it: two single effects, the gene's own
# perturbation, the shift and the batch together leave something, so that sums of effects can be had.
_SINGLE, _OWN, _SHIFT, _BATCH, _LEFT = 0.35, 0.4, 0.17, 0.05, 0.02
_LARGEST = 1.0


@dataclass(frozen=True, eq=False)
class Design:
    """Which genes are perturbed, and how."""

    base: NDArray[np.float64]
    """Share of each gene in control cells, lines x genes."""
    programmes: NDArray[np.float64]
    """Loadings of genes, genes x rank; 0 for genes that perturbations leave alone."""
    targets: NDArray[np.intp]
    """Perturbed genes, ascending."""
    effects: NDArray[np.float64]
    """Change of log share by each single perturbation, lines x targets x genes, own genes left out."""
    pairs: NDArray[np.intp]
    """Doubles as pairs of positions in `targets`, doubles x 2."""
    chance: NDArray[np.float64]
    """By which pairs of a double and a gene are chosen to deviate, uniform, doubles x genes."""
    sign: NDArray[np.int8]
    """Sign of a deviation that may have either, doubles x genes."""
    shift: NDArray[np.float64]
    """Change of log share in all perturbed cells, genes."""
    batch: NDArray[np.float64]
    """Change of log share in each batch, batches x genes; sums to 0."""


def design(request: ScreenRequest, rng: np.random.Generator) -> Design:
    """Draw the truth; each part from a stream of its own, so that changing one leaves the others."""
    n_genes, n_singles, n_doubles, n_lines, rank = (
        request.n_genes, request.n_singles, request.n_doubles, request.n_lines, request.rank
    )  # fmt: skip
    for_genes, for_effects, for_pairs, for_signs, for_shift, for_batch = rng.spawn(6)
    log_base = for_genes.normal(0, _BASE_SD, (1, n_genes))
    # Targets must be measured to be of use as read-outs.
    high = np.argsort(log_base[0, :-1], kind="stable")[(n_genes - 1) // 2 :]
    targets = np.sort(for_genes.choice(high, n_singles, replace=False))
    affected = for_genes.random(n_genes) < _AFFECTED
    affected[targets] = True
    affected[-1] = False
    programmes = for_genes.normal(size=(n_genes, rank)) * affected[:, None]
    other = for_genes.normal(0, _BASE_SD, (n_lines - 1, n_genes))
    log_base = np.concatenate([log_base, _LINE_CORRELATION * log_base + np.sqrt(1 - _LINE_CORRELATION**2) * other])
    base = np.exp(log_base[:n_lines])
    base *= (1 - _REST) / base[:, :-1].sum(axis=1, keepdims=True)
    base[:, -1] = _REST
    # A target acts as its own loadings say, as far as `similarity` goes; the rest of it shows in its effects only.
    own = for_effects.normal(size=(n_singles, rank))
    acts = request.similarity * programmes[targets] + np.sqrt(1 - request.similarity**2) * own
    # The second line turns the same actions into other effects: one rotation for each line.
    turn = np.linalg.qr(for_effects.normal(size=(n_lines, rank, rank)))[0]
    effects = request.effect_size / np.sqrt(rank) * np.einsum("tr,lrs,gs->ltg", acts, turn, programmes)
    # What a perturbation adds to some genes it takes from others, so that little is left for the last gene to take up.
    part = np.where(affected, base, 0)[:, None, :]
    effects -= np.log((part * np.exp(effects)).sum(axis=-1) / part.sum(axis=-1))[..., None] * affected
    first, second = np.triu_indices(n_singles, 1)
    chosen = np.sort(for_pairs.choice(first.size, n_doubles, replace=False)) if n_doubles else np.empty(0, np.intp)
    chance = for_signs.random((n_doubles, n_genes))
    in_batch = for_batch.normal(0, request.batch_strength, (request.n_batches, n_genes)) * (request.n_batches > 1)
    return Design(
        base=base,
        programmes=programmes,
        targets=targets,
        effects=effects,
        pairs=np.stack([first[chosen], second[chosen]], axis=1),
        chance=chance,
        sign=for_signs.choice([-1, 1], chance.shape).astype(np.int8),
        shift=for_shift.normal(0, request.shift, n_genes),
        batch=in_batch - in_batch.mean(axis=0),
    )


def _change(
    log_fold: NDArray[np.float64], slope: NDArray[np.float64], level: NDArray[np.float64], most: float
) -> NDArray[np.float64]:
    """Log folds as changes of the mean log-normalised expression, at `most` so much of the level downwards."""
    return np.maximum(np.minimum(log_fold, _LARGEST) * slope, -most * level)


@dataclass(frozen=True, eq=False)
class Effects:
    """What perturbations do in one line, in mean log-normalised expression."""

    level: NDArray[np.float64]
    """Of the control, genes."""
    perturbed: NDArray[np.float64]
    """Of cells that share what all perturbed cells have, genes."""
    single: NDArray[np.float64]
    """Changes by single perturbations, targets x genes."""
    total: NDArray[np.float64]
    """Sums of two of them, doubles x genes."""
    alike: NDArray[np.bool_]
    """Where both of them go the same way."""

    @property
    def headroom(self) -> NDArray[np.float64]:
        """How far the sums may yet fall, doubles x genes."""
        return self.perturbed + self.total - (_LEFT + _BATCH) * self.level


def expected_effects(truth: Design, scale: Scale, line: int) -> Effects:
    """Effects in one line; before batches and scaling of shares."""
    level, slope = scale.mean(truth.base[line]), scale.slope(truth.base[line])
    single = _change(truth.effects[line], slope, level, _SINGLE)
    rows = np.arange(truth.targets.size)
    single[rows, truth.targets] = -_OWN * level[truth.targets]
    first, second = single[truth.pairs[:, 0]], single[truth.pairs[:, 1]]
    perturbed = level + _change(truth.shift, slope, level, _SHIFT)
    return Effects(level, perturbed, single, first + second, first * second > 0)


def expected_profiles(effects: Effects, deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean log-normalised expression: control, singles, doubles with their deviations from the sum."""
    double = effects.total + deviation
    return np.concatenate([effects.level[None], effects.perturbed + effects.single, effects.perturbed + double])


def shares_by_batch(
    profiles: NDArray[np.float64], truth: Design, scale: Scale, line: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of genes, batches x conditions x genes, and the mean expression that they give, over batches."""
    level, slope = scale.mean(truth.base[line]), scale.slope(truth.base[line])
    shares, mean = [], np.zeros_like(profiles)
    for batch in truth.batch:
        moved = profiles + _change(batch, slope, level, _BATCH)
        shares.append(scale.share(np.maximum(moved, _LEFT * level)))
        mean += scale.mean(shares[-1]) / len(truth.batch)
    return np.stack(shares), mean
