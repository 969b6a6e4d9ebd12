"""An empirical null, and the false discovery rates that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics._interactions_null import density, fit_truncated_normal, two_sided_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_FEWEST = 100
# Standard deviations of the null beyond which the density of all values is not modelled: local fdr is about 0 there.
_WIDEST = 10.0


@dataclass(frozen=True)
class EmpiricalNull:
    """What values look like where nothing happens: normal, with these parameters.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.EmpiricalNull(delta0=0.0, sigma0=1.0, p0=0.9).p0
    0.9
    """

    delta0: float
    """Mean."""
    sigma0: float
    """Standard deviation."""
    p0: float
    """Share of all values that it explains; may come out a little above 1, and is then used as 1."""


def _values(z: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(z)
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise InputError("z must hold numbers.")
    array = array.astype(np.float64)
    if np.isinf(array).any():
        raise InputError("z has infinite entries, as from a standard error of 0. Set them to NaN, which is left out.")
    return array


@public
def empirical_null(z: ArrayLike, *, width: float | None = None) -> EmpiricalNull:
    """Normal distribution that fits the middle of many values, by maximum likelihood (Efron; locfdr's ``nulltype=1``).

    Values in a central interval are taken to be all null, and a normal cut off at its ends is fitted to them. Trap: the
    null is one for all, so values must be standardised first. Raw deviations of genes of unequal noise are a mixture of
    normals, whose tails then pass for findings.

    Parameters
    ----------
    z
        Values of any shape; NaN is left out. At least 100, and most of them null.
    width
        Half-width of the central interval in robust standard deviations (quartile range / 1.35) about the median. None:
        ``4.3 * exp(-0.26 * log10(n))``, and 1 above 500,000 values, as locfdr has it.

    Returns
    -------
    Mean, standard deviation and share of the null.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than 100 values, infinite ones, no spread, or a middle that no normal fits.

    References
    ----------
    Efron 2007, Annals of Statistics 35:1351; Efron 2010, Large-Scale Inference, chapter 6.

    Examples
    --------
    >>> import numpy as np
    >>> import sc_annotate as sca
    >>> rng = np.random.default_rng(0)
    >>> z = np.r_[rng.normal(0.1, 1.5, 9500), rng.normal(0, 8, 500)]
    >>> null = sca.metrics.empirical_null(z)
    >>> round(null.delta0, 1), round(null.sigma0, 1), round(null.p0, 2)
    (0.1, 1.5, 0.97)
    """
    values = _values(z)
    values = values[~np.isnan(values)]
    if values.size < _FEWEST:
        raise InputError(f"z has {values.size} values; an empirical null takes at least {_FEWEST}.")
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    robust = (upper - lower) / (2 * norm.ppf(0.75))
    if not robust > 0:
        raise InputError("half of the values of z are the same, so they have no spread to fit a null to.")
    if width is None:
        width = 1.0 if values.size > 500_000 else 4.3 * np.exp(-0.26 * np.log10(values.size))
    low, high = median - width * robust, median + width * robust
    inside = values[(values >= low) & (values <= high)]
    found = fit_truncated_normal(inside, low, high) if inside.size >= 2 else None
    if found is None:
        raise InputError(
            "no normal fits the middle of z: its values do not become fewer away from the median. Standardise deviations "
            "by their standard errors first, or choose another width."
        )
    delta0, sigma0 = found
    mass = norm.cdf((high - delta0) / sigma0) - norm.cdf((low - delta0) / sigma0)
    return EmpiricalNull(delta0, sigma0, float(inside.size / values.size / mass))


@public
def local_fdr(z: ArrayLike, null: EmpiricalNull, *, n_bins: int = 120, df: int = 7) -> NDArray[np.float64]:
    """Probability that a value is null, given how many values there are like it: p0 f0(z) / f(z), at most 1.

    The density f of all values is a Poisson regression of a histogram on natural splines, as in locfdr. A set cut at a
    local fdr of 0.05 has a false discovery rate well below 5 %, since most of it is farther out.

    Parameters
    ----------
    z
        Values of any shape; NaN stays NaN.
    null
        As :func:`empirical_null` finds it.
    n_bins, df
        Bins of the histogram, between the extremes or 10 standard deviations from the null's mean, whichever is
        nearer; degrees of freedom of the splines.

    Returns
    -------
    float64, shape of `z`, 0 to 1.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than 100 values, or infinite ones.

    References
    ----------
    Efron, Turnbull & Narasimhan, locfdr 1.1-8; Efron 2010, Large-Scale Inference, chapter 5.

    Examples
    --------
    >>> import numpy as np
    >>> import sc_annotate as sca
    >>> z = np.r_[np.random.default_rng(0).normal(size=9900), np.linspace(5, 6, 100)]
    >>> fdr = sca.metrics.local_fdr(z, sca.metrics.empirical_null(z))
    >>> bool(fdr[z > 5].max() < 0.05), bool(fdr[np.abs(z) < 1].min() > 0.8)
    (True, True)
    """
    values = _values(z)
    if n_bins < 2 * df or df < 2:
        raise InputError(f"n_bins must be at least twice df, and df 2 or more, not {n_bins} and {df}.")
    seen = values[~np.isnan(values)]
    if seen.size < _FEWEST:
        raise InputError(f"z has {seen.size} values; a density takes at least {_FEWEST}.")
    low = max(seen.min(), null.delta0 - _WIDEST * null.sigma0)
    high = min(seen.max(), null.delta0 + _WIDEST * null.sigma0)
    if not low < high:
        raise InputError("z has no spread around the null. Fit the null to the same values.")
    under_null = min(null.p0, 1.0) * norm.pdf(seen, null.delta0, null.sigma0)
    # Between far-out values the fitted density can be 0 in all digits: then the null alone decides.
    fitted = density(seen, low, high, n_bins, df)
    ratio = np.divide(under_null, fitted, out=(under_null > 0).astype(np.float64), where=fitted > 0)
    out = np.full(values.shape, np.nan)
    out[~np.isnan(values)] = np.minimum(ratio, 1)
    return out


@public
def tail_area_q(z: ArrayLike, null: EmpiricalNull) -> NDArray[np.float64]:
    """False discovery rate of the set of all values at least as far from the null's mean, on either side.

    Expected null values so far out (p0 n times the two-sided p value under the null) over the number there are; the
    smallest such rate among the sets that hold the value, so that it never falls towards the middle. Benjamini and
    Hochberg's with the share of nulls put in.

    Parameters
    ----------
    z
        Values of any shape; NaN stays NaN.
    null
        As :func:`empirical_null` finds it.

    Returns
    -------
    float64, shape of `z`, 0 to 1. Calling all with q of at most 0.05 gives about 5 % false calls.

    Raises
    ------
    sc_annotate.errors.InputError
        Infinite values.

    References
    ----------
    Benjamini & Hochberg 1995, JRSS B 57:289; Storey 2002, JRSS B 64:479.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> null = sca.metrics.EmpiricalNull(delta0=0, sigma0=1, p0=1)
    >>> sca.metrics.tail_area_q([0.0, -1.0, 5.0, 1.0], null).round(3).tolist()
    [1.0, 0.423, 0.0, 0.423]
    """
    values = _values(z)
    seen = ~np.isnan(values)
    p = two_sided_p(values[seen], null.delta0, null.sigma0)
    order = np.argsort(p, kind="stable")
    # Ties are in or out together: the last rank of each counts.
    rank = np.searchsorted(p[order], p[order], side="right")
    rate = np.minimum(min(null.p0, 1.0) * p.size * p[order] / rank, 1)
    found = np.empty(p.size)
    found[order] = np.minimum.accumulate(rate[::-1])[::-1]
    out = np.full(values.shape, np.nan)
    out[seen] = found
    return out
